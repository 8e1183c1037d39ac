"""http: what thousands of MP3 listeners cost a node, and how old the sound is that they read.

Four figures, one set-up: a file of noise (all of its MP3 frames differ) on air at a whole province, the
listeners spread over a hundred mounts of its communes. `ratio`: the node's processor time per write to a
listener, without what the node spends with the same programme and nobody listening, beside a bare C loop
that sends blocks of the same size at the same pace to as many sockets; they take turns. `p99_age_ms`: from
the media time of the first byte of a block to the moment at which its last byte has been read: 72 ms of it
are the block itself, and the readers' own queue for the processor is in it too. `admit_s`: so many connect in
the same instant; the worst of several times until every one of them has read sound. `kib_per_listener`: how
much the node's resident memory has grown for each.
"""

import asyncio
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from ..codecs.frame import SAMPLE_RATE
from ..station.database import sqlite_url
from ..station.station import Station
from .child import Child, child, module
from .floor import compiled
from .house import Prepared, Running, prepare, running
from .result import Metrics
from .score import BLOCK_BYTES, BLOCK_US

COMMUNES = 100
TURNS = 5
TURN_AT_LEAST_S = 2.0
ADMISSIONS = 3
SETTLE_S = 0.6
FILE_S = 12.0


@dataclass
class _Taken:
    """What the turns have measured."""

    ours_us: list[float] = field(default_factory=list)
    floor_us: list[float] = field(default_factory=list)
    ages_us: list[int] = field(default_factory=list)
    kib: list[float] = field(default_factory=list)


def run(listeners: int, admitted: int, seconds: float) -> Metrics:
    """`listeners` are watched for `seconds`; then `admitted` come at once."""
    return asyncio.run(_run(listeners, admitted, seconds))


async def _run(listeners: int, admitted: int, seconds: float) -> Metrics:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = await prepare(folder / "node", COMMUNES, 0)
        floor = str(compiled("floor_send.c", folder))
        async with running(prepared.folder) as node:
            files = await _on_air(node, prepared, folder)
            await _admit_s(node, files, 1)
            turns = max(1, min(TURNS, int(seconds / TURN_AT_LEAST_S)))
            idle_cores = await _idle_cores(node, seconds / turns)
            taken = _Taken()
            for _ in range(turns):
                taken.floor_us.append(await _floor_us(floor, listeners, seconds / turns))
                await _turn(node, files, listeners, seconds / turns, idle_cores, taken)
            admit_s = [await _admit_s(node, files, admitted) for _ in range(min(turns, ADMISSIONS))]
    return {
        "listeners": listeners,
        "ratio": statistics.median(a / b for a, b in zip(taken.ours_us, taken.floor_us, strict=True)),
        "p99_age_ms": float(np.percentile(taken.ages_us, 99)) / 1e3,
        "admit_s": max(admit_s),
        "kib_per_listener": taken.kib[0] / listeners,
        "cpu_us_per_write": statistics.median(taken.ours_us),
        "floor_us_per_send": statistics.median(taken.floor_us),
        "p50_age_ms": statistics.median(taken.ages_us) / 1e3,
        "max_age_ms": max(taken.ages_us) / 1e3,
        "admitted": admitted,
    }


async def _on_air(node: Running, prepared: Prepared, folder: Path) -> Sequence[object]:
    """Air the noise; what the clients need to follow it."""
    noise = np.random.default_rng(7).normal(0, 0.1, int(FILE_S * SAMPLE_RATE))
    wav = io.BytesIO()
    soundfile.write(wav, noise, SAMPLE_RATE, format="WAV")
    program = await node.api.upload("tieng-on", wav.getvalue())
    broadcast = await node.api.air(program, [prepared.root])
    async with await Station.open(sqlite_url(prepared.folder / "loa.db")) as station:
        started_us = (await station.broadcasts.get(broadcast)).started_us
    mounts = folder / "mounts.json"
    mounts.write_text(json.dumps([f"/listen/{place}.mp3" for place in prepared.communes]), "ascii")
    url = f"{node.api.base}/api/v1/programs/{program}/audio.mp3"
    async with node.api.http.get(url) as response:
        (folder / "noise.mp3").write_bytes(await response.read())
    await asyncio.sleep(SETTLE_S)  # the burst that greets a listener holds nothing from before
    return mounts, folder / "noise.mp3", started_us


async def _idle_cores(node: Running, seconds: float) -> float:
    begun_s, spent_s = time.monotonic(), node.cpu_s()
    await asyncio.sleep(seconds)
    return (node.cpu_s() - spent_s) / (time.monotonic() - begun_s)


async def _turn(
    node: Running, files: Sequence[object], listeners: int, seconds: float, idle_cores: float, taken: _Taken
) -> None:
    """All listeners come, are watched and go."""
    before_kib = node.resident_kib()
    async with _clients(node.port, listeners, *files) as crowd:
        await crowd.asked("connect")
        await asyncio.sleep(SETTLE_S)
        taken.kib.append(node.resident_kib() - before_kib)
        begun_s, spent_s = time.monotonic(), node.cpu_s()
        ages: list[int] = json.loads(await crowd.asked(f"watch {seconds}"))
        spent_s = node.cpu_s() - spent_s - idle_cores * (time.monotonic() - begun_s)
    taken.ours_us.append(spent_s * 1e6 / len(ages))
    taken.ages_us += ages
    await asyncio.sleep(SETTLE_S)


async def _floor_us(program: str, listeners: int, seconds: float) -> float:
    """Processor time of the bare loop for each send, its sockets read by the same clients."""
    rounds = max(1, int(seconds * 1e6 / BLOCK_US))
    command = (program, *map(str, (listeners, BLOCK_BYTES, rounds, BLOCK_US // 1000)))
    async with child("the floor", *command) as floor, contextlib.AsyncExitStack() as stack:
        crowd = await stack.enter_async_context(_clients(int(await floor.heard()), listeners))
        await crowd.asked("connect")
        return float(await floor.heard())


async def _admit_s(node: Running, files: Sequence[object], listeners: int) -> float:
    """From nobody to so many that hear."""
    async with _clients(node.port, listeners, *files) as crowd:
        admitted_s = float(await crowd.asked("connect"))
    await asyncio.sleep(SETTLE_S)
    return admitted_s


@contextlib.asynccontextmanager
async def _clients(port: int, count: int, *files: object) -> AsyncIterator[Child]:
    async with child("the crowd of listeners", *module("http_clients", port, count, *files)) as crowd:
        await crowd.heard()
        yield crowd
