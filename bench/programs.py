"""programs: the processor that a node takes to air hundreds of file programs at once.

Each is aired at a commune of its own, with one attached UDP speaker there that reads in another process; each
is cut to datagrams of 60 ms, every datagram signed with its program's key. The figure is the processor time
of the whole node (loop, sending thread, everything that it does besides) by the time that passed, as a median
of equal windows.
"""

import asyncio
import io
import statistics
import tempfile
import time
from pathlib import Path

import soundfile

from .. import fleet
from ..codecs.frame import SAMPLE_RATE
from ..codecs.music import music_bed
from .child import child, module
from .house import Prepared, Running, prepare, running
from .result import Metrics

WINDOWS = 5
SETTLE_S = 2.0
FILE_S = 60.0


def run(programs: int, seconds: float) -> Metrics:
    """`seconds` is how long they are watched."""
    return asyncio.run(_run(programs, seconds))


async def _run(programs: int, seconds: float) -> Metrics:
    with tempfile.TemporaryDirectory() as folder:
        prepared = await prepare(Path(folder) / "node", programs, programs)
        devices = Path(folder) / "devices.json"
        fleet.save(prepared.devices, devices)
        async with (
            running(prepared.folder) as node,
            child("the crowd of light speakers", *module("crowd", node.port, devices)) as crowd,
        ):
            await crowd.heard(within_s=120)
            idle = await _cores(node, seconds / WINDOWS)
            await _air(node, prepared)
            await asyncio.sleep(SETTLE_S)
            cores = [await _cores(node, seconds / WINDOWS) for _ in range(WINDOWS)]
    return {
        "programs": programs,
        "cores": statistics.median(cores),
        "idle_cores": idle,
        "ms_per_program_and_s": (statistics.median(cores) - idle) / programs * 1000,
    }


async def _air(node: Running, prepared: Prepared) -> None:
    """One file at every commune. They begin one after the other, and so at different places of the file."""
    wav = io.BytesIO()
    soundfile.write(wav, music_bed(FILE_S), SAMPLE_RATE, format="WAV")
    program = await node.api.upload("nhac", wav.getvalue())
    for commune in prepared.communes:
        await node.api.air(program, [commune])


async def _cores(node: Running, seconds: float) -> float:
    begun_s, spent_s = time.monotonic(), node.cpu_s()
    await asyncio.sleep(seconds)
    return (node.cpu_s() - spent_s) / (time.monotonic() - begun_s)
