"""Names and paths that strangers make up, as bytes to a real node: never a file that is not meant, never a
header.
"""

import asyncio
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import soundfile
from yarl import URL

from .conftest import RATE, House, Sound, until

UPS = [
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "%2E%2E%5C",
    "..\\",
    "..%5c",
    "%252e%252e%252f",
    "....//",
    "..;/",
    "%c0%ae%c0%ae/",
    ".%00./",
    "%2e%2e%00/",
]
ROOTS = ["/", "%2f", "//", "\\", "file:///", "c:\\", "%00/"]
DOORS = [
    "/{}",
    "/assets/{}",
    "/listen/{}",
    "/listen/{}.mp3",
    "/hls/{}/index.m3u8",
    "/hls/{}/0.aac",
    "/archive/{}/index.json?from=2026-01-01T00:00:00Z&to=2026-01-01T00:01:00Z",
    "/archive/{}/audio.opus?from=2026-01-01T00:00:00Z&to=2026-01-01T00:01:00Z",
    "/api/v1/programs/{}",
    "/api/v1/programs/{}/audio.mp3",
    "/api/v1/broadcasts/{}/reach",
    "/speaker/{}",
]
SECRET = "nobody may read this"
FIRST_BYTES = 2_000
"""As much is read of an answer, which may be a stream without an end."""

FILE_NAMES = {
    'filename="../../../evil.wav"': 202,
    'filename="..\\..\\evil.wav"': 202,
    'filename="/etc/evil.wav"': 202,
    'filename=".."': 202,
    "filename*=UTF-8''..%2F..%2Fevil.wav": 202,
    "filename*=UTF-8''a%0D%0AX-Injected%3A%201.wav": 202,
    'filename="a%0d%0aX-Injected: 1.wav"': 202,
    'filename="a\0.wav"': 400,
    "filename*=UTF-8''a%00.wav": 422,
}
BREAKS = ["\r\n", "\n", "\r", "\r\n ", "\u0085", "\u2028", "\x0b", "\x00", "\x1b", "%0d%0a", "\\r\\n"]
HOSTS = [
    "localhost%0d%0aX-Injected: 1",
    "localhost\tX: 1",
    "a b",
    'a"',
    "a<script>",
    "[::1",
    "a,b",
    "a/b",
    "é",
]
CONTROLS = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
INJECTED = "X-Injected: 1\r\nSet-Cookie: loa_session=x\r\n\r\n<script>"


def paths(house: House) -> Iterator[str]:
    """To a file beside the node's folder, to its own files, and to one that every machine has."""
    state = str(house.folder)[1:]
    targets = ["secret.txt", "loa.db", "tls/tls.key", "etc/passwd", f"{state}/secret.txt"]
    for up in UPS:
        for depth in (1, 4, 12):
            for target in targets:
                yield up * depth + target
    for root in ROOTS:
        yield root + "etc/passwd"
        yield root + f"{state}/secret.txt"


def wav_of(speech: dict[str, Sound]) -> bytes:
    wav = io.BytesIO()
    soundfile.write(wav, speech["Front_Center"], RATE, format="WAV")
    return wav.getvalue()


class Line:
    """Connections on which what is written is sent as it is."""

    def __init__(self, house: House) -> None:
        self._port = house.port
        jar = house.api.http.cookie_jar.filter_cookies(URL(house.url))
        cookie = "; ".join(f"{one.key}={one.value}" for one in jar.values())
        self.session = f"Cookie: {cookie}\r\nX-CSRF-Token: {house.api.headers['X-CSRF-Token']}\r\n"

    async def ask(self, target: str, *, more: str = "", host: str = "localhost") -> tuple[int, str, bytes]:
        """Status, head, and the first of the body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{self.session}{more}Connection: close\r\n\r\n"
        try:
            async with asyncio.timeout(20):
                writer.write(head.encode("utf-8", "surrogateescape"))
                answer = b""
                while b"\r\n\r\n" not in answer and (piece := await reader.read(65_536)):
                    answer += piece
                told, _, body = answer.partition(b"\r\n\r\n")
                while len(body) < FIRST_BYTES and (piece := await reader.read(65_536)):
                    body += piece
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        status = re.match(rb"HTTP/1\.1 (\d{3}) ", told)
        assert status is not None, (target, answer)
        return int(status[1]), told.decode(), body


async def test_no_path_leads_to_a_file_that_is_not_meant(house: House) -> None:
    line = Line(house)
    for folder in (house.folder, house.folder / "node", house.folder / "node" / "content"):
        await asyncio.to_thread((folder / "secret.txt").write_text, SECRET)
    place = (await house.api("GET", "/places"))[0]["id"]
    for good in (f"/listen/{place}.mp3", "/loa.svg", "/"):
        assert (await line.ask(good))[0] == 200, "so that the rest could be found"
    for door in DOORS:
        for path in paths(house):
            status, head, body = await line.ask(door.format(path))
            assert 400 <= status < 500, (door, path, head)
            for word in (SECRET.encode(), b"root:", b"SQLite format", b"PRIVATE KEY"):
                assert word not in body, (door, path)


async def test_the_name_of_an_upload_is_no_path(house: House, speech: dict[str, Sound]) -> None:
    def files() -> set[Path]:
        return {path for path in house.folder.rglob("*") if path.is_file() and "content" not in path.parts}

    before = await asyncio.to_thread(files)
    headers = house.api.headers | {"Content-Type": "multipart/form-data; boundary=x"}
    for name, status in FILE_NAMES.items():
        head = f'--x\r\nContent-Disposition: form-data; name="file"; {name}\r\n\r\n'
        body = head.encode() + wav_of(speech) + b"\r\n--x--\r\n"
        url = house.url + "/api/v1/programs"
        async with house.api.http.post(url, data=body, headers=headers) as answer:
            assert answer.status == status, (name, await answer.text())
            told = await answer.json()
            assert "X-Injected" not in answer.headers
        assert not set(told.get("title", "")) & set("/\\\0\r\n"), name
    assert await asyncio.to_thread(files) == before
    content = house.folder / "node" / "content"
    for path in await asyncio.to_thread(lambda: list(content.iterdir())):
        assert re.fullmatch(r"[0-9a-f]{16}|incoming|preparing|deleted", path.name), path


async def made(house: House, break_: str, speech: dict[str, Sound]) -> list[str]:
    """Everything that has a name, with a header in it; the paths whose answers tell of them."""
    evil = f"Bắc{break_}{INJECTED}"
    province = (await house.api("GET", "/places"))[0]["id"]
    ids: dict[str, str] = {"place": province, "program": ""}

    async def post(path: str, body: dict[str, Any]) -> Any:
        async with house.api.http.post(
            f"{house.url}/api/v1{path}", json=body, headers=house.api.headers
        ) as answer:
            assert answer.status in (200, 201, 202, 409, 422), (path, break_, await answer.text())
            return await answer.json() if answer.status < 300 else {}

    place = await post("/places", {"name": evil, "kind": "commune", "parent": province})
    ids["place"] = place.get("id", province)
    await post("/enrolments", {"place": province, "name": evil, "approved": True})
    await post("/accounts", {"name": evil[:60], "full_name": evil, "roles": []})
    await post("/tokens", {"name": evil[:60], "acts": ["see"], "places": [province], "days": 1})
    await post("/roles", {"name": evil[:60], "acts": ["see"]})
    alarm = {"source": {"kind": "tone"}, "targets": [ids["place"]], "severity": "minor", "title": evil}
    await post("/emergencies", alarm)
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("title", evil)
    form.add_field("file", wav_of(speech), filename="a.wav")
    async with house.api.http.post(
        house.url + "/api/v1/programs", data=form, headers=house.api.headers
    ) as answer:
        assert answer.status in (202, 422), await answer.text()
        if answer.status == 202:
            ids["program"] = (await answer.json())["id"]
    if ids["program"]:

        async def ready() -> bool:
            return bool((await house.api("GET", f"/programs/{ids['program']}"))["state"] == "ready")

        await until(ready)
    lists = ["places", "enrolments", "accounts", "tokens", "roles", "broadcasts", "programs", "audit"]
    mounts = [f"/listen/{ids['place']}.{kind}" for kind in ("mp3", "opus", "aac", "m3u", "pls")]
    return [
        *mounts,
        *(f"/api/v1/{name}" for name in lists),
        *([f"/api/v1/programs/{ids['program']}/audio.mp3"] if ids["program"] else []),
    ]


async def test_no_name_of_anything_is_ever_a_header(house: House, speech: dict[str, Sound]) -> None:
    line = Line(house)
    for break_ in BREAKS:
        last = ["/api/v1/audit/export"] if break_ == BREAKS[-1] else []
        for path in [*await made(house, break_, speech), *last]:
            status, head, body = await line.ask(path, more="Icy-MetaData: 1\r\n")
            assert status == 200, (break_, path, head)
            names = {one.partition(":")[0].lower() for one in head.split("\r\n")[1:]}
            assert not names & {"x-injected", "set-cookie"}, (break_, path, head)
            assert not CONTROLS.search(head), (break_, path, head)
            if path.endswith((".m3u", ".pls")):
                assert len(body.decode().splitlines()) == (3 if path.endswith(".m3u") else 6), body


async def test_no_host_that_is_none_gets_into_a_code_for_a_loudspeaker(house: House) -> None:
    for host in HOSTS:
        status, head, _ = await Line(house).ask("/api/v1/enrolments", host=host)
        assert status == 400, host
        assert "x-injected" not in head.lower()
