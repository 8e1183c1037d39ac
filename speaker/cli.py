"""`loa speaker`: the command line of a loudspeaker."""

import asyncio
import signal
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .. import logs
from ..errors import ConfigError, LoaError
from .agent import SpeakerAgent, SpeakerConfig
from .enrol import invited
from .state import StateFolder

MAX_LINE = 1024
"""Longer than any code; what a scanner reads from another label is refused in words."""

State = Annotated[Path, typer.Option(help="Folder of this speaker's identity; one per speaker.")]
NodeUrl = Annotated[
    str, typer.Option(help="URL of the node. Later starts know it; a different one moves the speaker.")
]
EnrolCode = Annotated[
    str | None,
    typer.Option(
        metavar="CODE",
        help="One-time code, or the text of its QR code (which names the node as well); - reads a line, "
        "as a scanner types it. Not looked at once it is enrolled.",
    ),
]
OutputSpec = Annotated[
    str, typer.Option(help="null, wav:FILE, device, or device:NAME (part of a sound device's name).")
]
Serial = Annotated[str, typer.Option(help="Serial number of the device, as printed on it.")]
Ca = Annotated[Path | None, typer.Option(help="Certificate (PEM) to believe, for a node that made its own.")]
CheckTls = Annotated[
    bool,
    typer.Option(
        help="Check the node's certificate. Without it everything that sounds is still verified, "
        "but others may read what this speaker reports."
    ),
]


def speaker(
    state: State,
    node: NodeUrl = "",
    enrol: EnrolCode = None,
    output: OutputSpec = "device",
    serial: Serial = "",
    ca: Ca = None,
    check_tls: CheckTls = True,
) -> None:
    """Be a loudspeaker: enrol once, then play what the node sends, if it is signed by who may.

    Example: loa speaker --node https://loa.example:8443 --enrol 7K3M-... --state /var/lib/loa-speaker
    --output device
    """
    try:
        config = SpeakerConfig(
            node=node, state=state, code=None, output=output, serial=serial, tls=_tls(ca, check=check_tls)
        )
        if enrol is not None and not StateFolder(state).enrolled:
            config = replace(config, code=_read_code(enrol))
    except ConfigError as error:
        typer.echo(f"loa speaker: {error}", err=True)
        raise typer.Exit(2) from error
    logs.configure("info", sys.stderr)
    failed: ExceptionGroup[LoaError] | None = None
    try:
        asyncio.run(_until_told(SpeakerAgent(config)))
    except* LoaError as errors:
        failed = errors
    if failed is not None:
        for one in failed.exceptions:
            typer.echo(f"loa speaker: {one}", err=True)
        raise typer.Exit(1)


async def _until_told(agent: SpeakerAgent) -> None:
    """Until somebody ends it (Ctrl+C, SIGTERM), which is not a failure."""
    task = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


def _read_code(given: str) -> str:
    """ConfigError for what is no code: nothing has been asked of the node yet."""
    if given == "-":
        given = sys.stdin.readline(MAX_LINE)
    invited(given)
    return given


def _tls(ca: Path | None, *, check: bool) -> ssl.SSLContext | bool:
    if not check:
        return False
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"--ca {ca}: {error}, expected a certificate in PEM") from error
