"""Uploads: streamed to the disk, prepared in the background, heard before they are aired, and removed."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import FormData

from loa.codecs.mp3 import MP3_FRAME_BYTES
from loa.station.content import ContentStore
from loa.web.desk import Desk

PROGRAMS = "/api/v1/programs"


@asynccontextmanager
async def preparing(content: ContentStore) -> AsyncIterator[None]:
    work = asyncio.create_task(content.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def form(*parts: tuple[str, object]) -> FormData:
    made = FormData(quote_fields=False, default_to_multipart=True)
    for name, value in parts:
        if isinstance(value, bytes):
            made.add_field(name, value, filename="Bản tin sáng.mp3", content_type="audio/mpeg")
        else:
            made.add_field(name, str(value))
    return made


async def upload(page: Any, data: object, *, status: int = 202) -> Any:
    headers = {"X-CSRF-Token": page.csrf}
    answer = await page.client.post(PROGRAMS, data=data, headers=headers)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def settled(page: Any, program: str, state: str) -> Any:
    told: Any = {}

    async def so() -> bool:
        nonlocal told
        told = await page.get(f"{PROGRAMS}/{program}")
        return bool(told["state"] == state)

    await until(so)
    return told


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again, for as long as a machine under load may need."""
    for _ in range(3_000):
        if await so():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never became so")


async def test_a_file_becomes_a_program(page: Any, content: ContentStore) -> None:
    told = await upload(page, form(("file", b"sound" * 100_000)))
    assert (told["title"], told["state"], told["progress"]) == ("Bản tin sáng", "preparing", 0.0)
    assert await page.get(PROGRAMS) == [told]
    async with preparing(content):
        ready = await settled(page, told["id"], "ready")
    assert (ready["duration_s"], ready["loudness_lufs"], ready["progress"]) == (6.0, -16.0, None)
    assert len(ready["peaks"]) == 100


@pytest.mark.parametrize("order", [("title", "file"), ("file", "title")])
async def test_a_title_may_come_before_or_after_the_file(page: Any, order: tuple[str, str]) -> None:
    values = {"title": "Lời chào", "file": b"sound"}
    told = await upload(page, form(*((name, values[name]) for name in order)))
    assert told["title"] == "Lời chào"
    assert (await page.get(f"{PROGRAMS}/{told['id']}"))["title"] == "Lời chào"


async def test_a_bad_file_says_what_is_wrong_with_it(page: Any, content: ContentStore) -> None:
    told = await upload(page, form(("file", b"bad sound")))
    async with preparing(content):
        failed = await settled(page, told["id"], "failed")
    assert "decodes to silence" in failed["error"]["what"]
    assert failed["peaks"] == []
    await page.get(f"{PROGRAMS}/{told['id']}/audio.mp3", status=409)


@pytest.mark.parametrize(
    ("parts", "status", "word"),
    [
        ((("title", "only"),), 422, "no file"),
        ((("file", b""),), 422, ""),
        ((("file", b"x"), ("file", b"y")), 422, "'file'"),
        ((("picture", b"x"),), 422, "'picture'"),
        ((("title", "x" * 5000), ("file", b"x")), 422, "too long"),
    ],
)
async def test_a_form_that_does_not_fit_is_told(
    page: Any, parts: tuple[tuple[str, object], ...], status: int, word: str
) -> None:
    assert word in (await upload(page, form(*parts), status=status))["what"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"no boundary", 400),
        ("multipart/form-data; boundary=x", b"no part", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n", 422),
        ("multipart/form-data; boundary=x", b"--x\r\nA: \0\r\n\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: 1\r\n" * 5_000 + b"\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 400),
    ],
)
async def test_a_body_that_is_no_form_is_told(page: Any, kind: str, body: bytes, status: int) -> None:
    headers = {"X-CSRF-Token": page.csrf, "Content-Type": kind}
    answer = await page.client.post(PROGRAMS, data=body, headers=headers)
    assert answer.status == status, await answer.text()
    assert set(await answer.json()) == {"what", "where", "expected"}


BEGUN = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nsound'


async def begin(page: Any, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An upload of 9 MB of which no more than this has been sent."""
    url = page.client.make_url(PROGRAMS)
    cookie = page.client.session.cookie_jar.filter_cookies(url)["loa_session"].value
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = (
        f"POST {PROGRAMS} HTTP/1.1\r\nHost: localhost\r\n"
        f"Cookie: loa_session={cookie}\r\nX-CSRF-Token: {page.csrf}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n"
    )
    writer.write(head.encode() + sent)
    await writer.drain()
    return reader, writer


async def test_an_upload_that_breaks_off_leaves_nothing(
    page: Any, content: ContentStore, tmp_path: Any, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    _, writer = await begin(page, BEGUN + bytes(3_000_000))
    incoming = tmp_path / "content" / "incoming"

    async def begun() -> bool:
        return bool(await asyncio.to_thread(os.listdir, incoming))

    async def gone() -> bool:
        return not await begun()

    await until(begun)
    writer.close()
    await writer.wait_closed()
    await until(gone)
    assert await page.get(PROGRAMS) == []
    assert "request failed" not in capsys.readouterr().out
    assert caplog.records == []


@pytest.mark.parametrize(
    "sent",
    [b"", b"--x\r\nContent-Dis", BEGUN + bytes(1_000_000)],
    ids=["nothing", "half a head", "sound"],
)
async def test_an_upload_that_comes_to_a_halt_ends_and_leaves_nothing(
    page: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr("loa.web.programs.IDLE_S", 0.3)
    reader, writer = await begin(page, sent)
    async with asyncio.timeout(20):
        told = await reader.read(4096)
        assert told.startswith(b"HTTP/1.1 408 "), told
    writer.close()
    assert await asyncio.to_thread(os.listdir, tmp_path / "content" / "incoming") == []
    assert await page.get(PROGRAMS) == []


async def test_an_upload_that_only_pauses_goes_on(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the pause, not the whole."""
    monkeypatch.setattr("loa.web.programs.IDLE_S", 2.0)

    async def drip() -> AsyncIterator[bytes]:
        yield BEGUN
        for _ in range(6):
            await asyncio.sleep(0.5)
            yield b"sound"
        yield b"\r\n--x--\r\n"

    headers = {"X-CSRF-Token": page.csrf, "Content-Type": "multipart/form-data; boundary=x"}
    answer = await page.client.post(PROGRAMS, data=drip(), headers=headers)
    assert answer.status == 202, await answer.text()


async def test_it_can_be_heard_before_it_is_aired_from_any_point(page: Any, program: str) -> None:
    path = f"{PROGRAMS}/{program}/audio.mp3"
    whole = await page.client.get(path)
    assert (whole.status, whole.content_type) == (200, "audio/mpeg")
    assert len(await whole.read()) == 250 * MP3_FRAME_BYTES
    part = await page.client.get(path, headers={"Range": "bytes=192-383"})
    assert part.status == 206
    assert len(await part.read()) == MP3_FRAME_BYTES
    assert part.headers["X-Content-Type-Options"] == "nosniff"


async def test_what_is_removed_is_gone(page: Any, program: str, desk: Desk, land: Any) -> None:
    source = {"kind": "file", "program": program}
    body = {"source": source, "targets": [land.north.id]}
    told = await page.post("/api/v1/broadcasts", body)
    assert "on air" in (await page.call("DELETE", f"{PROGRAMS}/{program}", status=409))["what"]
    await page.call("DELETE", f"/api/v1/broadcasts/{told['id']}", status=204)
    await desk.recorder.drain()
    await page.call("DELETE", f"{PROGRAMS}/{program}", status=204)
    for path in (f"{PROGRAMS}/{program}", f"{PROGRAMS}/{program}/audio.mp3"):
        await page.get(path, status=404)
    await page.post("/api/v1/broadcasts", body, status=404)
