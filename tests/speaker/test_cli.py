"""`loa speaker`: what a person reads, and the exit codes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from loa.speaker.cli import speaker


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command sends the log to the error output that it finds, which here is the runner's."""
    yield
    structlog.reset_defaults()


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(speaker)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_help_shows_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "loa speaker --node https://" in result.output


def test_a_new_speaker_without_a_code_says_what_it_needs(tmp_path: Path) -> None:
    result = run("--state", str(tmp_path), "--output", "null", "--node", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "--enrol" in result.output


def test_a_node_that_is_not_there_is_said(tmp_path: Path) -> None:
    code = "000G-40R4-0M30-E209-6HTG-Z65X-B7YF-S53D-VA"
    result = run(
        "--state", str(tmp_path), "--output", "null", "--node", "http://127.0.0.1:9", "--enrol", code
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
    code = "000G-40R4-0M30-E209-6HTG-Z65X-B7YF-S53D-VA"
    result = run("--state", str(tmp_path), "--output", "null", "--enrol", code)
    assert result.exit_code == 1
    assert "--node" in result.output
