"""docs/threats.md names nothing without its test."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "threats.md").read_text("utf-8")
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


def rows() -> list[str]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.startswith(("| what is at stake", "|---"))]


def test_every_row_names_a_test() -> None:
    assert len(rows()) > 50
    assert [row for row in rows() if row.count("|") != 6 or not re.search(r"\.py::test_\w+", row)] == []


def test_every_test_that_is_named_exists() -> None:
    missing = []
    for file, name in NAMED.findall(PAGE):
        path = TESTS / file
        if not path.is_file() or (name and f"def {name}(" not in path.read_text("utf-8")):
            missing.append(f"{file}::{name}")
    assert missing == []
