"""Real source clients push: ffmpeg in every coding, by PUT and SOURCE; liquidsoap; libshout in GStreamer."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loa.streamer.sources.pushes import ENDED, Sender

from .conftest import PASSWORD, PUSH, Door, Hearing, until

pytestmark = pytest.mark.peer

FFMPEG = ("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i")
CODINGS = {
    "mp3": ("-c:a", "libmp3lame", "-f", "mp3"),
    "mp3 by SOURCE": ("-c:a", "libmp3lame", "-legacy_icecast", "1", "-f", "mp3"),
    "opus": ("-c:a", "libopus", "-content_type", "audio/ogg", "-f", "ogg"),
    "vorbis": ("-c:a", "libvorbis", "-content_type", "audio/ogg", "-f", "ogg"),
    "aac": ("-c:a", "aac", "-content_type", "audio/aac", "-f", "adts"),
    "opus called mpeg": ("-c:a", "libopus", "-f", "ogg"),
}


@contextlib.asynccontextmanager
async def running(*command: str, as_nobody: bool = False) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        user="nobody" if as_nobody else None,
        group="nogroup" if as_nobody else None,
        extra_groups=() if as_nobody else None,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def tone(hz: int, url: str, *coding: str) -> tuple[str, ...]:
    return (*FFMPEG, f"sine=frequency={hz}:sample_rate=48000", *coding, url)


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS.keys())
async def test_ffmpeg_pushes_and_is_heard(door: Door, coding: tuple[str, ...]) -> None:
    async with Hearing(door.pushes.feed(PUSH)) as hearing, running(*tone(1000, door.url, *coding)):
        await until(lambda: hearing.sounding > 75)
        source = door.pushes.current(PUSH)
        assert source is not None
        assert source.sender.address == "127.0.0.1"
        assert "Lavf" in source.sender.agent
        assert source.news.codec
        assert source.level.peak_dbfs > -30
        assert hearing.pitch_hz() == pytest.approx(1000, abs=4)


async def test_ffmpeg_with_a_wrong_password_is_told_401(door: Door) -> None:
    wrong = door.url.replace(PASSWORD, "sai")
    process = await asyncio.create_subprocess_exec(
        *tone(1000, wrong, *CODINGS["mp3"]), stderr=asyncio.subprocess.PIPE
    )
    _, words = await process.communicate()
    assert process.returncode
    assert b"401" in words
    assert door.pushes.sources == 0


async def test_a_newer_source_takes_over_and_listeners_hear_a_fade_at_most(door: Door) -> None:
    async with Hearing(door.pushes.feed(PUSH)) as hearing:
        async with running(*tone(400, door.url, *CODINGS["mp3"])) as first:
            await until(lambda: hearing.sounding > 50)
            begun = len(hearing.frames)
            async with running(*tone(1500, door.url, *CODINGS["aac"])):
                await until(lambda: door.pushes.takeovers == 1)
                await first.wait()
                later = hearing.sounding
                await until(lambda: hearing.sounding > later + 100)
                assert hearing.pitch_hz() == pytest.approx(1500, abs=4)
        heard = [bool(frame.any()) for frame in hearing.frames[begun:]]
        assert heard.count(False) <= 5, "an expected silence of 100 ms at most"
        assert not hearing.feed.closed


async def test_liquidsoap_pushes_and_is_heard(door: Door) -> None:
    script = (
        f'output.icecast(%mp3, host="127.0.0.1", port={door.port}, mount="ingest/xa",'
        f' password="{PASSWORD}", fallible=true, sine(700.))'
    )
    as_root = os.geteuid() == 0  # which it refuses
    async with (
        Hearing(door.pushes.feed(PUSH)) as hearing,
        running("env", "HOME=/tmp", "liquidsoap", script, as_nobody=as_root),
    ):
        await until(lambda: hearing.sounding > 75, 40)
        source = door.pushes.current(PUSH)
        assert source is not None
        assert "Liquidsoap" in source.sender.agent
        assert hearing.pitch_hz() == pytest.approx(700, abs=4)


async def test_libshout_asks_first_then_pushes_and_names_its_title(door: Door) -> None:
    line = (
        "audiotestsrc is-live=true freq=900 ! audioconvert ! audio/x-raw,rate=44100 ! lamemp3enc ! "
        f"shout2send ip=127.0.0.1 port={door.port} mount=/ingest/xa username=source password={PASSWORD}"
    )
    async with (
        Hearing(door.pushes.feed(PUSH)) as hearing,
        running("gst-launch-1.0", "-q", *line.split()),
    ):
        await until(lambda: hearing.sounding > 75)
        assert hearing.pitch_hz() == pytest.approx(900, abs=4)
        await until(lambda: hearing.feed.title == "Unknown - Unknown")  # what it calls a tone


@pytest.mark.parametrize("coding", ["libopus", "libvorbis"])
async def test_ogg_that_begins_anew_at_each_title_goes_on(door: Door, tmp_path: Path, coding: str) -> None:
    """As encoders write it when a title changes: one stream ends, another follows on the same connection."""
    for hz in (500, 900):
        file = str(tmp_path / f"{hz}.ogg")
        sound = ("-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate=48000", "-t", "2")
        async with running("ffmpeg", "-v", "error", *sound, "-c:a", coding, file) as made:
            assert await made.wait() == 0
    parts = [(tmp_path / f"{hz}.ogg").read_bytes() for hz in (500, 900)]

    async def read() -> bytes:
        return parts.pop(0) if parts else b""

    async with Hearing(door.pushes.feed(PUSH)) as hearing:
        source = await door.pushes.receive(PUSH, Sender("127.0.0.1"), read)
        assert source.why == ENDED
        await until(lambda: abs(hearing.pitch_hz() - 900) < 5)
