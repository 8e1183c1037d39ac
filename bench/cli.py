"""`loa bench NAME`: how fast, against what floor and which peer."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import LoaError
from . import fanout, http, loudness, mouth_to_ear, preempt, programs, radio, speech, switchover, trust
from .result import Metrics, Result


class Bench(StrEnum):
    PREEMPT = "preempt"
    FANOUT = "fanout"
    HTTP = "http"
    PROGRAMS = "programs"
    MOUTH_TO_EAR = "mouth-to-ear"
    TRUST = "trust"
    RADIO = "radio"
    SWITCHOVER = "switchover"
    LOUDNESS = "loudness"
    SPEECH = "speech"


def bench(
    name: Annotated[Bench, typer.Argument(help="What to measure.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here as well.")] = None,
    speakers: Annotated[int, typer.Option(min=1, help="preempt, fanout, trust: how many.")] = 5000,
    listeners: Annotated[int, typer.Option(min=1, help="http: how many.")] = 2000,
    admitted: Annotated[int, typer.Option(min=1, help="http: how many come in the same instant.")] = 3000,
    count: Annotated[int, typer.Option("--programs", min=1, help="programs: how many.")] = 300,
    radios: Annotated[int, typer.Option(min=1, help="radio, switchover: how many.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="switchover: how often all of them.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="How long it is watched.")] = 20.0,
) -> None:
    """Measure, beside the kernel's floor, in processes of their own on this machine.

    Example: loa bench preempt --speakers 10000 --json preempt.json
    """
    runs: dict[Bench, Callable[[], Metrics]] = {
        Bench.PREEMPT: lambda: preempt.run(speakers),
        Bench.FANOUT: lambda: fanout.run(speakers),
        Bench.HTTP: lambda: http.run(listeners, admitted, seconds),
        Bench.PROGRAMS: lambda: programs.run(count, seconds),
        Bench.MOUTH_TO_EAR: lambda: mouth_to_ear.run(seconds),
        Bench.TRUST: lambda: trust.run(speakers),
        Bench.RADIO: lambda: radio.run(radios, seconds),
        Bench.SWITCHOVER: lambda: switchover.run(radios, rounds),
        Bench.LOUDNESS: loudness.run,
        Bench.SPEECH: speech.run,
    }
    try:
        found = Result(name.value, runs[name]()).json()
    except LoaError as error:
        typer.echo(f"loa bench {name.value}: {error}", err=True)
        raise typer.Exit(1) from error
    if json_file:
        json_file.write_text(found, "utf-8")
    typer.echo(found, nl=False)
