"""Typed bulletins at the station: read out by the real worker, kept with their sound, also when they fail."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from loa.codecs.bulletin import HOUSE_BED, Bulletin, Part, Pauses
from loa.codecs.decode import decode
from loa.codecs.loudness import integrated_loudness
from loa.codecs.stored import MP3_FILE, OPUS_FILE
from loa.codecs.tones import Chime
from loa.errors import BusyError, ConfigError, MediaError, NotFoundError, ProtocolError
from loa.station.content import TEXT, ContentStore
from loa.station.measured import Measured
from loa.station.place import Place
from loa.station.preparer import WorkerPreparer
from loa.station.programs import Program, ProgramState
from loa.station.shelf import TEXT_FILE
from loa.station.station import Station
from loa.station.text_note import build_note, parse_note
from loa.station.texts import PREVIEW_S, WAITING, Texts, note_chunks, text_preparer
from loa.station.voice_bench import open_voices

NOTICE = Bulletin(
    (Part("vi", "UBND xã mời bà con họp lúc 5h30 ngày 15/7."), Part("en", "Please come.", "en-us")),
    speed=1.25,
    pauses=Pauses(0.1, 0.2, 0.3),
    chime=Chime.INFORMATION,
    bed=HOUSE_BED,
)


@contextlib.asynccontextmanager
async def opened(root: Path, station: Station, piper: Path | None = None) -> AsyncIterator[ContentStore]:
    """With the real workers."""
    store = await ContentStore.open(root, station, WorkerPreparer(), texts=text_preparer(root, piper))
    running = asyncio.create_task(store.run())
    try:
        yield store
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        store.close()


async def typed(store: ContentStore, place: Place, bulletin: Bulletin) -> Program:
    program = await store.receive(note_chunks(bulletin), place=place.id, title="Họp", now_us=1, kind=TEXT)
    return await store.settled(program.id)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "content"


async def test_a_bulletin_becomes_a_program_and_stays_editable(
    root: Path, station: Station, commune: Place
) -> None:
    async with opened(root, station) as store:
        program = await typed(store, commune, NOTICE)
        assert (program.state, program.kind, program.error) == (ProgramState.READY, TEXT, None)
        assert program.measured is not None
        assert 8 < program.measured.duration_s < 20
        assert parse_note(await store.text(program.id)) == NOTICE
        assert names(root / program.id) == {
            OPUS_FILE,
            MP3_FILE,
            TEXT_FILE,
            "measured.json",
        }
        audio = await store.audio(program.id)
        assert audio.frames == program.measured.frames
        audio.close()
        await store.delete(program.id)
        with pytest.raises(NotFoundError):
            await store.text(program.id)


async def test_a_program_lies_under_a_voice(root: Path, station: Station, commune: Place) -> None:
    async with opened(root, station) as store:
        music = await typed(store, commune, NOTICE)
        over = await typed(store, commune, Bulletin((Part("vi", "Nước lên."),), bed=music.id))
        assert over.error is None
        gone = await typed(store, commune, Bulletin((Part("vi", "Nước lên."),), bed="f" * 16))
        assert gone.error == "bed: its program is gone; expected one that is ready"
        outside = await typed(store, commune, Bulletin((Part("vi", "Nước lên."),), bed="../../etc"))
        assert outside.error == gone.error


async def test_one_that_fails_keeps_its_text_through_a_restart(
    root: Path, station: Station, commune: Place
) -> None:
    bad = Bulletin((Part("vi", "Nước lên.", "gone"),))
    async with opened(root, station) as store:
        program = await typed(store, commune, bad)
        assert program.state is ProgramState.FAILED
        assert "no voice 'gone'" in (program.error or "")
        assert parse_note(await store.text(program.id)) == bad
    async with opened(root, station) as store:
        assert parse_note(await store.text(program.id)) == bad
        await store.delete(program.id)
        assert names(root) == {"incoming", "preparing", "deleted"}


async def test_one_that_waited_is_read_out_after_a_crash(
    root: Path, station: Station, commune: Place
) -> None:
    store = await ContentStore.open(root, station, WorkerPreparer(), texts=text_preparer(root, None))
    program = await store.receive(note_chunks(NOTICE), place=commune.id, title="Họp", now_us=1, kind=TEXT)
    assert parse_note(await store.text(program.id)) == NOTICE, "while it waits too"
    store.close()
    async with opened(root, station) as after:
        assert (await after.settled(program.id)).state is ProgramState.READY
        assert parse_note(await after.text(program.id)) == NOTICE


async def test_an_upload_is_no_bulletin_even_if_it_looks_like_one(
    root: Path, station: Station, commune: Place
) -> None:
    async with opened(root, station) as store:
        program = await store.receive(note_chunks(NOTICE), place=commune.id, title="x", now_us=1)
        assert (await store.settled(program.id)).state is ProgramState.FAILED
        with pytest.raises(NotFoundError, match="was not typed"):
            await store.text(program.id)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2}',
        b'{"version": 1}',
        b"[" * 100_000,
        b"\xff",
        build_note(NOTICE).replace(b'"speed": 1.25', b'"speed": 99'),
        build_note(NOTICE).replace(b'"speed": 1.25', b'"speed": "x"'),
        build_note(NOTICE).replace(b'"language": "vi"', b'"language": 7'),
        build_note(NOTICE).replace(b'"chime": "information"', b'"chime": "klingon"'),
        build_note(NOTICE).replace(b'"bed": "house"', b'"bed": []'),
        b" " * (1 << 20) + build_note(NOTICE),
    ],
    ids=str,
)
def test_a_note_that_is_none_is_refused(note: bytes) -> None:
    with pytest.raises(ProtocolError, match="text: "):
        parse_note(note)


async def test_a_broken_note_is_an_error_of_its_program(tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"not a note")
    with pytest.raises(MediaError, match="expected a bulletin"):
        await text_preparer(tmp_path, None).prepare(tmp_path / "note", tmp_path, lambda _part: None)


@pytest.fixture
async def texts(root: Path) -> AsyncIterator[Texts]:
    texts = await Texts.open(root)
    yield texts
    texts.close()


async def test_a_preview_is_heard_as_it_will_be_and_leaves_nothing(
    texts: Texts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sound = await texts.preview(NOTICE)
    assert names(tmp_path) == set()
    (tmp_path / "heard.mp3").write_bytes(sound)
    pcm = np.concatenate(list(decode(tmp_path / "heard.mp3", max_seconds=60)))
    assert -19 < integrated_loudness(pcm) < -15


async def test_a_preview_of_a_long_text_ends_after_a_minute(texts: Texts) -> None:
    sound = await texts.preview(Bulletin((Part("vi", "Nước sông lên nhanh. " * 200),)))
    assert len(sound) / 8_000 == pytest.approx(PREVIEW_S, abs=5)


async def test_few_may_wait_for_a_preview(root: Path) -> None:
    go_on, inside = asyncio.Event(), 0

    class Slow:
        async def prepare(self, source: Path, folder: Path, on_progress: Callable[[float], None]) -> Measured:
            nonlocal inside
            inside += 1
            await go_on.wait()
            inside -= 1
            assert not inside, "one at a time"
            (folder / MP3_FILE).write_bytes(b"sound")
            return Measured(6, 5, 0.12, -16.0, -1.0, ())

    texts = Texts(open_voices(None), Slow())
    waiting = [asyncio.create_task(texts.preview(NOTICE)) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError, match="expected a free voice"):
        await texts.preview(NOTICE)
    assert texts.refused == 1
    waiting.pop().cancel()
    go_on.set()
    assert await asyncio.gather(*waiting) == [b"sound"] * (WAITING - 1)
    assert await texts.preview(NOTICE) == b"sound", "there is room again"
    texts.close()


async def test_a_text_is_read_as_its_voice_reads_it(texts: Texts) -> None:
    part = Part("vi", "1.004 hộ\n\nhọp 5h30", "vi-vn-x-south")
    assert await texts.reading(part) == ("một ngàn không trăm lẻ bốn hộ.", "họp năm giờ ba mươi phút.")
    with pytest.raises(MediaError, match="markup"):
        await texts.reading(Part("vi", "<b>Họp</b>"))
    with pytest.raises(NotFoundError, match="no voice speaks"):
        await texts.check(Bulletin((Part("xx", "a"),)))


async def test_voice_files_are_seen_to_at_the_start(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="piper"):
        await Texts.open(root, tmp_path / "none")


async def test_a_voice_file_is_spoken_by_piper(
    root: Path, tmp_path: Path, station: Station, commune: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of that name which speaks piper's protocol stands where the worker finds it."""
    package, voices = tmp_path / "packages" / "piper", tmp_path / "voices"
    package.mkdir(parents=True)
    voices.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import sys\n"
        "for line in sys.stdin.buffer:\n"
        "    sys.stdout.buffer.write(b'\\x00\\x20\\x00\\xe0' * 100 * len(line))\n"
    )
    (voices / "vi_VN-test-low.onnx").touch()
    (voices / "vi_VN-test-low.onnx.json").write_text(
        json.dumps({"audio": {"sample_rate": 16_000}, "language": {"code": "vi_VN"}})
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(sys, "path", [*sys.path, str(package.parent)])
    texts = await Texts.open(root, voices)
    assert texts.voices[0].id == "piper:vi_VN-test-low"
    texts.close()
    async with opened(root, station, voices) as store:
        program = await typed(store, commune, Bulletin((Part("vi", "Nước lên nhanh, bà con chú ý."),)))
    assert program.error is None
    assert program.measured is not None
    assert program.measured.duration_s == pytest.approx(0.0125 * 33, abs=0.3)
