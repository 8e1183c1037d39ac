"""preempt: how long after the order a province's emergency is held by each of thousands of speakers.

The clock starts before the HTTP request is sent; it stops when the crowd's process has read a start datagram
with audio in it for that speaker. Fifty local programs play meanwhile, so that every speaker's stream is cut.
Twenty full speakers among them verify and say when they did; their figure comes from the play log.
"""

import asyncio
import contextlib
import io
import json
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from .. import fleet
from ..codecs.frame import SAMPLE_RATE
from ..codecs.music import music_bed
from ..errors import InternalError
from ..station.database import sqlite_url
from ..station.station import Station
from .house import Prepared, Running, papers_of, prepare, running
from .result import Metrics

COMMUNES = 100
LOCAL_PROGRAMS = 50
EMERGENCIES = 8
FULL_SPEAKERS = 20
SETTLE_S = 3.0


def run(speakers: int, emergencies: int = EMERGENCIES) -> Metrics:
    return asyncio.run(_run(speakers, emergencies))


async def _run(speakers: int, emergencies: int) -> Metrics:
    with tempfile.TemporaryDirectory() as folder:
        prepared = await prepare(Path(folder) / "node", COMMUNES, speakers)
        full = min(FULL_SPEAKERS, max(1, speakers // 10))
        devices = Path(folder) / "devices.json"
        fleet.save(prepared.devices[full:], devices)
        async with running(prepared.folder) as node:
            async with (
                _crowd(node, devices) as crowd,
                _full_speakers(node, prepared, prepared.devices[:full]),
            ):
                await _local_programs(node, prepared)
                taken = [await _emergency(node, prepared, crowd) for _ in range(emergencies)]
            await asyncio.sleep(1.0)
        verified = await _verified_ms(prepared, taken, full)
    return _metrics(speakers, taken, verified)


def _metrics(speakers: int, taken: Sequence["_Emergency"], verified: Sequence[float]) -> Metrics:
    waits = [ms for one in taken for ms in one.waits_ms if ms is not None]
    return {
        "speakers": speakers,
        "emergencies": len(taken),
        "p50_ms": float(np.percentile(waits, 50)),
        "p99_ms": float(np.percentile(waits, 99)),
        "max_ms": max(waits),
        "missed": sum(ms is None for one in taken for ms in one.waits_ms),
        "acknowledged_p50_ms": statistics.median(one.acknowledged_ms for one in taken),
        "full_speakers": len(verified) // len(taken),
        "verified_p50_ms": float(np.percentile(verified, 50)),
        "verified_p99_ms": float(np.percentile(verified, 99)),
    }


class _Emergency:
    def __init__(
        self, broadcast: str, ordered_us: int, acknowledged_ms: float, waits_ms: list[float | None]
    ) -> None:
        self.broadcast, self.ordered_us = broadcast, ordered_us
        self.acknowledged_ms, self.waits_ms = acknowledged_ms, waits_ms


async def _emergency(node: Running, prepared: Prepared, crowd: Process) -> _Emergency:
    """Raise one, wait until everybody has it, end it, and let the local programs come back."""
    await asyncio.sleep(SETTLE_S)
    order = {"source": {"kind": "tone"}, "targets": [prepared.root], "severity": "extreme", "title": "Lũ"}
    ordered_us, begun_ns = time.time_ns() // 1000, time.monotonic_ns()
    made = await node.api.call("POST", "/emergencies", order)
    acknowledged_ms = (time.monotonic_ns() - begun_ns) / 1e6
    held = await _ask(crowd, str(made["id"]))
    await node.api.call("DELETE", f"/emergencies/{made['id']}")
    waits = [None if t is None else (t - begun_ns) / 1e6 for t in held]
    return _Emergency(str(made["id"]), ordered_us, acknowledged_ms, waits)


async def _local_programs(node: Running, prepared: Prepared) -> None:
    wav = io.BytesIO()
    soundfile.write(wav, music_bed(60.0), SAMPLE_RATE, format="WAV")
    program = await node.api.upload("nhac", wav.getvalue())
    share = len(prepared.communes) // LOCAL_PROGRAMS
    for n in range(LOCAL_PROGRAMS):
        await node.api.air(program, prepared.communes[n * share : (n + 1) * share])


@contextlib.asynccontextmanager
async def _crowd(node: Running, devices: Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "loa.bench.crowd", str(node.port), str(devices),
        stdin=PIPE, stdout=PIPE, limit=1 << 24,
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(120):
            if await process.stdout.readline() != b"ready\n":
                raise InternalError("bench: the crowd of light speakers did not get ready")
        yield process
    finally:
        assert process.stdin is not None  # noqa: S101
        process.stdin.close()  # the stop-watch, a child that holds the pipe as well, ends with its input
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()


async def _ask(crowd: Process, broadcast: str) -> list[int | None]:
    assert crowd.stdin is not None  # noqa: S101
    assert crowd.stdout is not None  # noqa: S101
    crowd.stdin.write(f"{broadcast}\n".encode())
    async with asyncio.timeout(60):
        found: list[int | None] = json.loads(await crowd.stdout.readline())
    return found


@contextlib.asynccontextmanager
async def _full_speakers(
    node: Running, prepared: Prepared, devices: Sequence[fleet.Device]
) -> AsyncIterator[None]:
    """Speakers that verify every datagram, in a process of their own."""
    papers = await papers_of(prepared, devices, node.port)
    process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-m", "loa", "simulate", stdin=PIPE)
    assert process.stdin is not None  # noqa: S101 - asked for above
    process.stdin.write(json.dumps(papers).encode())
    process.stdin.close()
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _verified_ms(prepared: Prepared, taken: Sequence[_Emergency], full: int) -> list[float]:
    """From the order to when each full speaker says it verified the start, as the play log has it."""
    wanted = {device.speaker for device in prepared.devices[:full]}
    async with await Station.open(sqlite_url(prepared.folder / "loa.db")) as station:
        found = [
            (heard.started_at_us - one.ordered_us) / 1e3
            for one in taken
            for entry in await station.play_log.of_broadcast(one.broadcast)
            if entry.speaker in wanted
            for heard in entry.heard[:1]
        ]
    if len(found) < full * len(taken):
        raise InternalError(f"bench: {len(found)} reports of full speakers, expected {full * len(taken)}")
    return found
