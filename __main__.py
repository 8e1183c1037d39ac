"""`loa`: the commands. Exit 0 done, 1 failed, 2 wrong usage."""

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Annotated

import typer

from . import logs
from .bench.cli import bench
from .check import check
from .config import Settings, load
from .demo import show
from .errors import ConfigError, LoaError
from .serve import serve as run_node
from .speaker.cli import speaker

app = typer.Typer(
    name="loa",
    help="A voice on every loudspeaker of a territory, and an alert that cuts through everything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")]
State = Annotated[Path | None, typer.Option("--state", help="Folder of the database, keys and recordings.")]
HttpPort = Annotated[int | None, typer.Option("--http-port", help="Port without TLS.")]
HttpsPort = Annotated[int | None, typer.Option("--https-port", help="Port with TLS; 0 turns it off.")]
UdpPort = Annotated[int | None, typer.Option("--udp-port", help="Port of datagrams.")]


@app.command()
def serve(
    config: Config = None,
    state: State = None,
    http_port: HttpPort = None,
    https_port: HttpsPort = None,
    udp_port: UdpPort = None,
) -> None:
    """Run a node: the console, the speakers' links, the mounts.

    Example: loa serve --config /etc/loa.toml
    """
    settings = _settings(config, state=state, http_port=http_port, https_port=https_port, udp_port=udp_port)
    _run(run_node(settings), settings)


@app.command()
def demo(
    state: State = None,
    http_port: HttpPort = None,
    https_port: HttpsPort = None,
    udp_port: UdpPort = None,
) -> None:
    """Run a node with a province to try things on: 180 simulated loudspeakers, something on air.

    Example: loa demo
    """
    settings = _settings(
        None, state=state or Path("var/demo"), http_port=http_port, https_port=https_port, udp_port=udp_port
    )
    _run(show.run(settings, typer.echo), settings)


@app.command(hidden=True)
def simulate() -> None:
    """Be the loudspeakers whose papers come as JSON on standard input (the demo starts this)."""
    _run(show.simulate(json.load(sys.stdin)), _settings(None, log_level="warning"))


app.command()(speaker)
app.command()(bench)
app.add_typer(check, name="check")


def main() -> None:
    """The entry point of the console script."""
    app()


def _settings(config: Path | None, **given: object) -> Settings:
    try:
        return load(config, **given)
    except ConfigError as error:
        typer.echo(f"loa: {error}", err=True)
        raise typer.Exit(2) from error


def _run(work: Coroutine[None, None, None], settings: Settings) -> None:
    """Run until it ends or somebody ends it (Ctrl+C, SIGTERM)."""
    logs.configure(settings.log_level)
    faults: list[LoaError] = []
    try:
        asyncio.run(_until_told(work))
    except* LoaError as errors:
        faults = list(_leaves(errors))
    for fault in faults:
        typer.echo(f"loa: {fault}", err=True)
    if faults:
        raise typer.Exit(1)


def _leaves(errors: BaseExceptionGroup[LoaError]) -> Iterator[LoaError]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _until_told(work: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


if __name__ == "__main__":
    main()
