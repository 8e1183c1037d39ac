"""Typed bulletins over the API: what is read how, what becomes a program, what is refused in words."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse

from loa.codecs.bulletin import MAX_PARTS, MAX_TEXT_CHARS
from loa.codecs.mp3 import MP3_FRAME_BYTES
from loa.station.content import TEXT, ContentStore
from loa.web.desk import Desk

from .conftest import Land
from .test_programs import PROGRAMS, preparing, settled

TEXTS, VOICES = "/api/v1/texts", "/api/v1/voices"
PARTS = [{"text": "Họp lúc 5h30 ngày 15/7."}, {"language": "en", "text": "Please come."}]


async def test_the_voices_are_named_and_vietnamese_comes_first(page: Any) -> None:
    voices = await page.get(VOICES)
    assert [voice["id"] for voice in voices[:3]] == ["vi", "vi-vn-x-central", "vi-vn-x-south"]
    assert voices[0] == {
        "id": "vi",
        "language": "vi",
        "name": "Tiếng Việt, miền Bắc",
        "engine": "espeak-ng",
        "first": True,
    }
    firsts = [voice["language"] for voice in voices if voice["first"]]
    assert len(firsts) == len(set(firsts)) == len({voice["language"] for voice in voices})


async def test_a_text_becomes_a_program_that_can_be_edited_again(
    page: Any, content: ContentStore, land: Land
) -> None:
    body = {
        "title": "Họp dân",
        "place": land.north.id,
        "parts": PARTS,
        "speed": 1.2,
        "pauses": {"comma_s": 0.1, "paragraph_s": 2},
        "chime": "information",
        "bed": {"kind": "house"},
    }
    told = await page.post(TEXTS, body, status=202)
    assert (told["title"], told["kind"], told["state"], told["place"]) == (
        "Họp dân",
        "text",
        "preparing",
        land.north.id,
    )
    typed = await page.get(f"{TEXTS}/{told['id']}")
    async with preparing(content):
        await settled(page, told["id"], "ready")
    assert await page.get(f"{TEXTS}/{told['id']}") == typed
    assert typed == {
        "id": told["id"],
        "title": "Họp dân",
        "place": land.north.id,
        "parts": [
            {"language": "vi", "text": "Họp lúc 5h30 ngày 15/7.", "voice": None},
            {"language": "en", "text": "Please come.", "voice": None},
        ],
        "speed": 1.2,
        "pauses": {"comma_s": 0.1, "sentence_s": 0.6, "paragraph_s": 2.0},
        "chime": "information",
        "bed": {"kind": "house", "program": None},
    }
    again = await page.post(TEXTS, {**typed, "title": "Sửa"} | {"bed": {"kind": "house"}}, status=422)
    assert "id" in again["what"], "an id is not given by who types"
    await page.call("DELETE", f"{PROGRAMS}/{told['id']}", status=204)
    await page.get(f"{TEXTS}/{told['id']}", status=404)


async def test_a_program_lies_under_the_voice(page: Any, program: str) -> None:
    body = {"title": "x", "parts": PARTS, "bed": {"kind": "program", "program": program}}
    told = await page.post(TEXTS, body, status=202)
    typed = await page.get(f"{TEXTS}/{told['id']}")
    assert typed["bed"] == {"kind": "program", "program": program}
    waits = body | {"bed": {"kind": "program", "program": told["id"]}}
    assert "preparing" in (await page.post(TEXTS, waits, status=409))["what"]
    nowhere = body | {"bed": {"kind": "program", "program": "f" * 16}}
    await page.post(f"{TEXTS}/preview", {"parts": PARTS, "bed": nowhere["bed"]}, status=404)
    await page.post(TEXTS, nowhere, status=404)


async def test_one_that_cannot_be_read_out_says_so_and_keeps_its_note(
    page: Any, content: ContentStore, land: Land, desk: Desk
) -> None:
    """The preparer of these tests fails on what begins with "bad"."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"bad note"

    made = await content.receive(chunks(), place=land.north.id, title="x", now_us=1, kind=TEXT)
    desk.directory.put_program(made)
    async with preparing(content):
        failed = await settled(page, made.id, "failed")
    assert failed["error"]["where"] == "text"
    assert failed["error"]["expected"] == "a text that its voices can read out"
    assert await content.text(made.id) == b"bad note"
    assert "damaged" in (await page.get(f"{TEXTS}/{made.id}", status=404))["what"]


async def test_what_was_uploaded_has_no_text(page: Any, program: str) -> None:
    assert "was not typed" in (await page.get(f"{TEXTS}/{program}", status=404))["what"]


async def test_a_text_is_read_before_it_is_aired(page: Any) -> None:
    part = {"text": "UBND xã\n\nGọi 0277.3555012", "voice": "vi-vn-x-south"}
    told = await page.post(f"{TEXTS}/reading", part, status=200)
    assert told == {"said": "Ủy ban nhân dân xã.\n\nGọi không hai bảy bảy, ba năm năm năm, không một hai."}


async def test_a_preview_is_sound_that_nobody_keeps(page: Any) -> None:
    headers = {"X-CSRF-Token": page.csrf}
    answer: ClientResponse = await page.client.post(
        f"{TEXTS}/preview", json={"parts": PARTS, "chime": "warning"}, headers=headers
    )
    assert (answer.status, answer.content_type) == (200, "audio/mpeg")
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(await answer.read()) % MP3_FRAME_BYTES == 0
    assert await page.get(PROGRAMS) == []


@pytest.mark.parametrize(
    ("part", "status", "says"),
    [
        ({"text": ""}, 422, "parts.0.text"),
        ({"text": " \n "}, 422, "no word"),
        ({"text": "<b>Mưa</b>"}, 422, "'<b>' is markup"),
        ({"text": "Mưa\x07"}, 422, "control character U+0007"),
        ({"text": "Mưa\nto\x00"}, 422, "line 2"),
        ({"text": "x" * (MAX_TEXT_CHARS + 1)}, 422, f"at most {MAX_TEXT_CHARS}"),
        ({"text": "x" * 1_000_000}, 413, "too large"),
        ({"text": "Mưa", "language": "xx"}, 404, "no voice speaks 'xx'"),
        ({"text": "Mưa", "language": "../vi"}, 422, "parts.0.language"),
        ({"text": "Mưa", "voice": "gone"}, 404, "no voice 'gone'"),
        ({"text": "Mưa", "voice": "en"}, 404, "voice 'en' speaks 'en'"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_part_that_cannot_be_read_out_is_told(
    page: Any, part: dict[str, str], status: int, says: str
) -> None:
    for path, body in (
        (TEXTS, {"title": "x", "parts": [part]}),
        (f"{TEXTS}/preview", {"parts": [part]}),
        (f"{TEXTS}/reading", part),
    ):
        told = await page.post(path, body, status=status)
        assert says.removeprefix("parts.0.") in told["what"] + told["where"], path
    assert await page.get(PROGRAMS) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"parts": []}, "parts"),
        ({"parts": [{"text": "a"}] * (MAX_PARTS + 1)}, "parts"),
        ({"parts": [{"text": "x" * 15_000}] * 2}, "characters in all"),
        ({"speed": 0.4}, "speed"),
        ({"speed": 2.1}, "speed"),
        ({"pauses": {"comma_s": 6}}, "comma_s"),
        ({"chime": "klingon"}, "chime"),
        ({"bed": "house"}, "bed"),
        ({"bed": {"kind": "file", "path": "/etc/passwd"}}, "bed"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_an_order_that_does_not_fit_is_told(page: Any, more: dict[str, Any], says: str) -> None:
    body = {"parts": PARTS} | more
    assert says in str(await page.post(f"{TEXTS}/preview", body, status=422))
    assert says in str(await page.post(TEXTS, {"title": "x"} | body, status=422))
