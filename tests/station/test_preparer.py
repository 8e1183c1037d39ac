"""Preparing in a process of its own: real files, and whatever a worker can do wrong."""

import asyncio
import contextlib
import os
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from loa.codecs.stored import StoredAudio
from loa.errors import MediaError, ProtocolError
from loa.station.measured import Measured, build_measured, parse_measured
from loa.station.preparer import WorkerPreparer, parse_line

MEASURED = Measured(6, 5, 0.12, -16.0, -1.2, (0, 50, 100))


def tone(path: Path, seconds: float, level: float = 0.3) -> Path:
    wav = level * np.sin(2 * np.pi * 440 * np.arange(int(16_000 * seconds)) / 16_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((wav * 32767).astype("<i2").tobytes())
    return path


def worker(script: str, stall_s: float = 60.0) -> WorkerPreparer:
    """One that runs `script` instead of decoding."""
    return WorkerPreparer(
        command=(sys.executable, "-P", "-c", "import sys, os, time\n" + script), stall_s=stall_s
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


async def test_a_real_file_is_prepared_apart_and_its_progress_told(tmp_path: Path, folder: Path) -> None:
    told: list[float] = []
    measured = await WorkerPreparer().prepare(tone(tmp_path / "tone", 20.0), folder, told.append)
    assert measured.duration_s == pytest.approx(20.0, abs=0.1)
    assert measured.loudness_lufs == pytest.approx(-16, abs=1)
    assert len(measured.peaks) > 20
    assert told == sorted(set(told)), "in whole percents, each once"
    assert len(told) > 50
    assert told[-1] == 1.0
    with StoredAudio.open(folder) as audio:
        assert (audio.frames, audio.mp3_frames) == (measured.frames, measured.mp3_frames)


async def test_a_file_without_sound_or_too_long_is_refused_with_the_reason(
    tmp_path: Path, folder: Path
) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"<html>" + os.urandom(5000))
    silent = tone(tmp_path / "silent", 2.0, level=0.0)
    long = tone(tmp_path / "long", 3.0)
    for source, limit, says in ((garbage, 60, "garbage"), (silent, 60, "silen"), (long, 2, "2")):
        with pytest.raises(MediaError, match=says):
            await WorkerPreparer(max_seconds=limit).prepare(source, folder, lambda _part: None)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("os.kill(os.getpid(), 11)", r"exit -11"),
        ("sys.exit('no memory left')", "exit 1.*no memory left"),
        ("print('hello')", "went astray"),
        ("print('{\"progress\": 7}')", "went astray"),
        ("print('{\"ready\": {}}')", "went astray"),
        ("print('x' * 1000000)", "went astray"),
        ("sys.stderr.write('x' * 3000000 + '\\nlast words')", "last words"),
        ('print(\'{"error": "no audio"}\')', "no audio"),
    ],
)
async def test_whatever_the_worker_does_is_an_error_of_that_one_file(
    folder: Path, script: str, says: str
) -> None:
    with pytest.raises(MediaError, match=says):
        await worker(script).prepare(folder / "x", folder, lambda _part: None)


async def test_a_worker_that_halts_is_ended(tmp_path: Path, folder: Path) -> None:
    script = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    with pytest.raises(MediaError, match="halt"):
        await worker(script, stall_s=2.0).prepare(folder / "x", folder, lambda _part: None)
    for written in tmp_path.glob("pid"):  # noqa: ASYNC240 - none: it was ended before it had begun
        assert not alive(int(written.read_text()))


async def test_whoever_stops_waiting_ends_the_worker(tmp_path: Path, folder: Path) -> None:
    telling = asyncio.Event()
    script = "print('{\"progress\": 0.%d}' % os.getpid(), flush=True)\ntime.sleep(600)"
    parts: list[float] = []

    def note(part: float) -> None:
        parts.append(part)
        telling.set()

    waiting = asyncio.create_task(worker(script).prepare(folder / "x", folder, note))
    await telling.wait()
    pid = int(str(parts[0]).removeprefix("0."))
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert not alive(pid)


async def test_a_worker_ends_when_the_server_is_gone(tmp_path: Path, folder: Path) -> None:
    source = tone(tmp_path / "long", 600.0)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "loa.station.worker", str(source), str(folder), "700"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    await process.stdout.readline()
    process.stdin.close()
    await process.stdout.read()
    assert await process.wait() == 1, "it gave up half-way"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_was_measured_is_read_back_and_nothing_else_is() -> None:
    assert parse_measured(build_measured(MEASURED)) == MEASURED
    for name, wrong in (("frames", 0), ("mp3_frames", 2**31), ("duration_s", float("inf")), ("peaks", None)):
        with pytest.raises(ProtocolError, match="measured"):
            parse_measured(build_measured(MEASURED) | {name: wrong})


@pytest.mark.parametrize("line", [b"", b"[]", b"1", b"null", b'{"progress": null}', b"\xff", b"[" * 100_000])
def test_a_line_that_is_none_of_ours_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_line(line)
