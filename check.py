"""`loa check`: is what this node keeps what was written? Reads only, beside a running node or on a copy.

Exit 0: all is right; 1: the first fault is named; 2: wrong usage.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from .errors import LoaError, ProtocolError
from .station.audit_check import Checked, check_lines, when
from .station.audit_line import Line, read_roots
from .station.audit_source import lines_of_file, lines_of_state, roots_of
from .trust.keys import VerifyKey

check = typer.Typer(help="Check what a node keeps.", no_args_is_help=True)

State = Annotated[
    Path | None,
    typer.Option("--state", exists=True, file_okay=False, help="State folder of a node, running or not."),
]
Export = Annotated[
    Path | None,
    typer.Option("--export", exists=True, dir_okay=False, help="An export: GET /api/v1/audit/export."),
]
Roots = Annotated[
    list[str] | None,
    typer.Option("--root", help="Public key of a root to believe, 64 hex digits; may be said twice."),
]


@check.callback()
def _group() -> None:
    """Check what a node keeps."""


@check.command("audit")
def audit(state: State = None, export: Export = None, root: Roots = None) -> None:
    """Verify the audit log: its chain, its numbers, its signed heads. Names the first broken entry.

    With --export alone the file is checked by itself; with both, it must be a part of the node's log, so that
    a log that was cut or written anew is found.

    Example: loa check audit --state /var/lib/loa --export audit-2026-11.jsonl
    """
    if state is None and export is None:
        typer.echo("loa: nothing to check, expected --state DIR, --export FILE, or both", err=True)
        raise typer.Exit(2)
    try:
        given = read_roots(root or [])
    except ProtocolError as problem:
        typer.echo(f"loa: {problem}", err=True)
        raise typer.Exit(2) from problem
    try:
        for line in _check(state, export, given):
            typer.echo(line)
    except LoaError as problem:
        typer.echo(f"loa: {problem}", err=True)
        raise typer.Exit(1) from problem


def _check(state: Path | None, export: Path | None, given: Sequence[VerifyKey]) -> list[str]:
    roots = given or (roots_of(state) if state is not None else ())
    told, known = list[str](), dict[int, str]()
    if export is not None:
        taken = _checked(export, lines_of_file(export), roots)
        if not taken.ended:
            raise ProtocolError(f"audit log {export}: cut after entry {taken.last}, expected its end")
        known = {taken.first: taken.first_hash, taken.last: taken.hash}
        told = _told(export, taken)
        if not roots:
            told += [f"  below the root {_name(root)}, as the file says: compare" for root in taken.roots]
    if state is not None:
        found = _checked(state, lines_of_state(state), roots, known)
        if found.last and found.signed is None:
            raise ProtocolError(f"audit log {state}: no head is signed, expected one of each start")
        told += _told(state, found)
    return told


def _checked(
    path: Path,
    lines: Generator[Line, None, None],
    roots: Sequence[VerifyKey],
    known: Mapping[int, str] | None = None,
) -> Checked:
    try:
        with closing(lines):
            return check_lines(lines, roots, known=known)
    except ProtocolError as problem:
        raise ProtocolError(f"audit log {path}: {problem}") from problem


def _told(path: Path, found: Checked) -> list[str]:
    entries = f"entries {found.first + 1} to {found.last}" if found.last > found.first else "no entries"
    told = [f"{path}: {entries}, nothing changed, left out or out of order"]
    if found.signed is not None:
        told.append(
            f"  signed up to entry {found.signed.number} by node {found.signed.key_id}, "
            f"{when(found.signed.at_us)}; {found.last - found.signed.number} since"
        )
    else:
        told.append("  signed by nobody: whoever has it may have made it")
    return told


def _name(root: VerifyKey) -> str:
    return root.raw.hex()
