"""programs: the processor that a node takes to air hundreds of file programs at once.

Each is aired at a commune of its own, with one attached UDP speaker there that reads in another process; each
is cut to datagrams of 60 ms, every datagram signed with its program's key. The figure is the processor time
of the whole node (loop, sending thread, everything that it does besides) by the time that passed, as a median
of equal windows; `datagrams_per_s`, as counted by the speakers, shows that none was left out: 16.7 a program,
and the node's answer to each speaker's keep-alive.
"""

import asyncio
import io
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import soundfile

from .. import fleet
from ..codecs.frame import SAMPLE_RATE
from ..codecs.music import music_bed
from .child import Child, child, module
from .house import Prepared, Running, prepare, running
from .result import Metrics

WINDOWS = 5
SETTLE_S = 2.0
FILE_S = 24.0


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
            child("the crowd of light speakers", *module("attached", node.port, devices)) as speakers,
        ):
            await speakers.heard(within_s=120)
            idle = await _watch(node, speakers, seconds / WINDOWS)
            await _air(node, prepared)
            await asyncio.sleep(SETTLE_S)
            windows = [await _watch(node, speakers, seconds / WINDOWS) for _ in range(WINDOWS)]
    cores = statistics.median(window.cores for window in windows)
    return {
        "programs": programs,
        "cores": cores,
        "idle_cores": idle.cores,
        "datagrams_per_s": statistics.mean(window.datagrams_per_s for window in windows),
        "ms_per_program_and_s": (cores - idle.cores) / programs * 1000,
    }


async def _air(node: Running, prepared: Prepared) -> None:
    """One file at every commune. They begin one after the other, and so at different places of the file."""
    wav = io.BytesIO()
    soundfile.write(wav, music_bed(FILE_S), SAMPLE_RATE, format="WAV")
    program = await node.api.upload("nhac", wav.getvalue())
    for commune in prepared.communes:
        await node.api.air(program, [commune])


@dataclass(frozen=True, slots=True)
class _Window:
    cores: float
    datagrams_per_s: float


async def _watch(node: Running, speakers: Child, seconds: float) -> _Window:
    begun_s, spent_s, came = time.monotonic(), node.cpu_s(), int(await speakers.asked("?"))
    await asyncio.sleep(seconds)
    passed_s, spent_s = time.monotonic() - begun_s, node.cpu_s() - spent_s
    return _Window(spent_s / passed_s, (int(await speakers.asked("?")) - came) / passed_s)
