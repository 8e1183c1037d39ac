"""`loa speaker`: what a person reads, and the exit codes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from loa.speaker.cli import speaker
from loa.speaker.state import StateFolder
from loa.trust.keys import key_mark


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command sends the log to the error output that it finds, which here is the runner's."""
    yield
    structlog.reset_defaults()


CODE = "000G-40R4-0M30-E209-6HTG-Z65X-B7YF-S53D-VA"


def run(*arguments: str, typed: str = "") -> Result:
    app = typer.Typer()
    app.command()(speaker)
    return CliRunner().invoke(app, list(arguments), input=typed, env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_help_shows_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "loa speaker --node https://" in result.output


def test_a_new_speaker_without_a_code_says_what_it_needs(tmp_path: Path) -> None:
    result = run("--state", str(tmp_path), "--output", "null", "--node", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "--enrol" in result.output


def test_a_node_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = run(
        "--state", str(tmp_path), "--output", "null", "--node", "http://127.0.0.1:9", "--enrol", CODE
    )
    assert result.exit_code == 1
    assert "expected a node that enrols speakers" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--output", "tape"),
        ("--ca", "/nowhere.pem", "--output", "null"),
        ("--what",),
        ("--node", "loa.example"),
    ],
)
def test_wrong_usage_is_exit_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run("--state", str(tmp_path), *arguments).exit_code == 2


def test_a_new_speaker_without_a_node_says_that_it_needs_one(tmp_path: Path) -> None:
    result = run("--state", str(tmp_path), "--output", "null", "--enrol", CODE)
    assert result.exit_code == 1
    assert "--node" in result.output


@pytest.mark.parametrize(
    "typed", [f"LOA:HTTP://127.0.0.1:9#{CODE}\r\n", f"  loa:http://127.0.0.1:9#{CODE.lower()}"]
)
def test_a_scanner_types_the_invitation(tmp_path: Path, typed: str) -> None:
    result = run("--state", str(tmp_path), "--output", "null", "--enrol", "-", typed=typed)
    assert result.exit_code == 1
    assert "http://127.0.0.1:9/enrol" in result.output


def test_the_text_of_the_qr_code_names_the_node(tmp_path: Path) -> None:
    result = run("--state", str(tmp_path), "--output", "null", "--enrol", f"LOA:http://127.0.0.1:9#{CODE}")
    assert "http://127.0.0.1:9/enrol" in result.output


@pytest.mark.parametrize("typed", ["", "\n", "8934567890123\n", "x" * 5000, f"LOA:ftp://loa#{CODE}\n"])
def test_what_is_no_code_is_wrong_usage_before_any_node_is_asked(tmp_path: Path, typed: str) -> None:
    result = run("--state", str(tmp_path), "--output", "null", "--enrol", "-", typed=typed)
    assert result.exit_code == 2
    assert "--enrol" in result.output


def test_the_device_shows_the_mark_of_its_key_to_compare(tmp_path: Path) -> None:
    result = run("--state", str(tmp_path), "--output", "null", "--enrol", f"LOA:http://127.0.0.1:9#{CODE}")
    mark = key_mark(StateFolder(tmp_path).enrolling_key().public.key_id)
    assert len(mark) == 9
    assert mark in result.output


def test_an_enrolled_speaker_reads_no_code(tmp_path: Path) -> None:
    """It would wait for a scanner for ever."""
    (tmp_path / "identity.json").write_text("{}", "utf-8")
    result = run("--state", str(tmp_path), "--output", "null", "--enrol", "-", typed="nonsense")
    assert "damaged" in result.output
