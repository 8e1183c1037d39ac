"""What may come to the door: wrong words, garbage, silence, haste, two at once."""

import asyncio
import contextlib

import av
import numpy as np
import pytest

from loa.errors import ProtocolError
from loa.streamer.sources.push_door import Update, parse_login, parse_update

from .conftest import BASIC, PUSH, Door, Hearing, until

PUT = f"PUT /ingest/xa HTTP/1.1\nHost: a\nAuthorization: {BASIC}\nContent-Type: audio/mpeg\n"
EXPECT = "Expect: 100-continue\n\n"
WITHIN_S = 20.0
GARBAGE = bytes((n * n * 31 + n // 7) % 251 for n in range(400_000))


def mp3(seconds: int, hz: int = 1000) -> bytes:
    """Of a tone; no program of the system is needed."""
    context = av.CodecContext.create("libmp3lame", "w")
    context.sample_rate, context.layout, context.format = 44_100, "mono", "s16p"
    context.bit_rate = 64_000
    context.open()
    out = b""
    wave = (np.sin(np.arange(seconds * 44_100) * 2 * np.pi * hz / 44_100) * 8000).astype(np.int16)
    for at in range(0, len(wave) - 1152, 1152):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1152], format="s16p", layout="mono")
        frame.sample_rate = 44_100
        out += b"".join(bytes(packet) for packet in context.encode(frame))
    return out


async def answer(reader: asyncio.StreamReader) -> str:
    async with asyncio.timeout(WITHIN_S):
        return (await reader.read()).decode()


@pytest.mark.parametrize(
    "login",
    ["", "Authorization: Basic c291cmNlOnNhaQ==\n", "Authorization: Basic !\n", "Authorization: Bearer x\n"],
)
async def test_a_wrong_login_is_401_and_nobody_is_told_to_go_on(door: Door, login: str) -> None:
    head = f"PUT /ingest/xa HTTP/1.1\nHost: a\nConnection: close\n{login}{EXPECT}"
    reader, writer = await door.connect(head)
    said = await answer(reader)
    writer.close()
    assert said.startswith("HTTP/1.1 401 ")
    assert "expected" in said
    assert door.pushes.sources == 0


async def test_an_unknown_content_type_is_refused_before_it_is_sent(door: Door) -> None:
    head = PUT.replace("audio/mpeg", "video/mp4") + "Connection: close\n" + EXPECT
    reader, writer = await door.connect(head)
    assert (await answer(reader)).startswith("HTTP/1.1 415 ")
    writer.close()


async def test_megabytes_of_headers_are_refused_and_the_door_stays_open(door: Door) -> None:
    reader, writer = await door.connect(PUT)
    with contextlib.suppress(ConnectionError):
        for _ in range(64):
            writer.write(b"X: " + b"a" * 65_536 + b"\r\n")
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        assert "400" in (await answer(reader)).partition("\r\n")[0]
    writer.close()
    assert door.pushes.sources == 0
    reader, writer = await door.connect("OPTIONS * HTTP/1.1\nHost: a\nConnection: close\n\n")
    said = await answer(reader)
    assert said.startswith("HTTP/1.1 204 ")
    assert "PUT" in said
    writer.close()


async def test_garbage_ends_with_words_and_costs_nobody_else_anything(door: Door) -> None:
    reader, writer = await door.connect(PUT + EXPECT)
    assert await reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(GARBAGE)
    said = await answer(reader)
    assert said.startswith("HTTP/1.1 422 ")
    assert door.failed
    assert door.failed[0][0] == PUSH
    assert door.failed[0][1] in said
    assert door.pushes.current(PUSH) is None
    writer.close()


async def test_a_source_that_falls_silent_on_its_line_is_ended(door: Door) -> None:
    reader, writer = await door.connect(PUT + EXPECT)
    await reader.readexactly(25)
    writer.write(mp3(1))
    assert "nothing came for 3 s" in await answer(reader)
    writer.close()


async def test_in_chunks_and_a_body_of_known_length_are_read_as_http_says(door: Door) -> None:
    sound = mp3(2)
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (sound[:5000], sound[5000:])) + b"0\r\n\r\n"
    for more, body in (("Transfer-Encoding: chunked\n", chunked), (f"Content-Length: {len(sound)}\n", sound)):
        async with Hearing(door.pushes.feed(PUSH)) as hearing:
            reader, writer = await door.connect(PUT + more + "\n")
            writer.write(body)
            assert (await answer(reader)).startswith("HTTP/1.1 200 ")
            await until(lambda: hearing.sounding > 50)
            writer.close()


async def test_an_old_source_without_expect_is_told_ok_first(door: Door) -> None:
    head = f"SOURCE /ingest/xa ICE/1.0\nAuthorization: {BASIC}\nContent-Type: audio/mpeg\n\n"
    async with Hearing(door.pushes.feed(PUSH)) as hearing:
        reader, writer = await door.connect(head)
        assert await reader.readexactly(19) == b"HTTP/1.0 200 OK\r\n\r\n"
        writer.write(mp3(2))
        await until(lambda: hearing.sounding > 50)
        writer.close()


async def test_a_source_without_sound_never_takes_the_place_of_one_that_sounds(door: Door) -> None:
    async with Hearing(door.pushes.feed(PUSH)) as hearing:
        good_reader, good = await door.connect(PUT + EXPECT)
        await good_reader.readexactly(25)
        sending = asyncio.create_task(going_on(good, mp3(1)), name="encoder")
        await until(lambda: hearing.sounding > 10)
        bad_reader, bad = await door.connect(PUT + EXPECT)
        await bad_reader.readexactly(25)
        bad.write(GARBAGE)
        assert (await answer(bad_reader)).startswith("HTTP/1.1 422 ")
        source = door.pushes.current(PUSH)
        assert source is not None
        assert source.sounded
        assert door.pushes.takeovers == 0
        sending.cancel()
        bad.close()
        good.close()


async def going_on(writer: asyncio.StreamWriter, second: bytes) -> None:
    """An encoder that does not end."""
    while True:
        writer.write(second)
        await asyncio.sleep(1)


async def test_titles_come_by_address_and_by_form_in_utf_8_and_in_latin_1(door: Door) -> None:
    async with Hearing(door.pushes.feed(PUSH)) as hearing:
        reader, writer = await door.connect(PUT + EXPECT)
        await reader.readexactly(25)
        writer.write(mp3(8))
        await until(lambda: hearing.sounding > 5)
        asked = "/admin/metadata?mode=updinfo&mount=/ingest/xa&song="
        for song, shown in (("Tin%20s%C3%A1ng", "Tin sáng"), ("Caf%E9", "Café"), ("a%0D%0Ab", "a b")):
            head = f"GET {asked}{song} HTTP/1.1\nHost: a\nAuthorization: {BASIC}\nConnection: close\n\n"
            title, closing = await door.connect(head)
            assert "<return>1</return>" in await answer(title)
            closing.close()
            assert hearing.feed.title == shown
        form = "mode=updinfo&mount=%2fingest%2fxa&artist=X%C3%A3&title=Tin"
        head = f"POST /admin/metadata HTTP/1.1\nHost: a\nAuthorization: {BASIC}\nConnection: close\n"
        title, closing = await door.connect(f"{head}Content-Length: {len(form)}\n\n{form}")
        await answer(title)
        closing.close()
        assert hearing.feed.title == "Xã - Tin"
        writer.close()


async def test_a_title_for_nobody_is_404_and_another_question_400(door: Door) -> None:
    for query, status in (("mode=updinfo&mount=/ingest/xa&song=a", 404), ("mode=kill&mount=/ingest/xa", 400)):
        head = f"GET /admin/metadata?{query} HTTP/1.1\nHost: a\nAuthorization: {BASIC}\nConnection: close\n\n"
        reader, writer = await door.connect(head)
        assert (await answer(reader)).startswith(f"HTTP/1.1 {status} ")
        writer.close()


@pytest.mark.parametrize("header", ["", "Basic", "Basic ?", "Basic YWJj", "Digest a", "Basic " + "A" * 5])
def test_a_login_that_is_none_is_told(header: str) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        parse_login(header)


def test_a_login_is_read_and_not_shown() -> None:
    login = parse_login("Basic c291cmNlOmE6Yg==")
    assert (login.user, login.password) == ("source", "a:b")
    assert "a:b" not in repr(login)


def test_too_many_fields_are_no_title() -> None:
    assert parse_update("mode=updinfo&mount=ingest/xa&song=") == Update("xa", "")
    with pytest.raises(ProtocolError, match="fields"):
        parse_update("&".join(f"a{n}=1" for n in range(1000)))
