"""What strangers write to our port: one request is never read as two; nobody keeps a place for nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loa.config import load
from loa.errors import BusyError, ConfigError
from loa.listening import Tls, bound, entrance, listening
from loa.web.certificate import ensure_certificate
from loa.web.dispatch import MAX_BODY_BYTES
from loa.web.entrance import enter
from loa.web.guard import harden, supervise

from .raw import AFTER, AMBIGUOUS, exchange, statuses

IDLE_S = 2.0
"""After which a connection that stays open is closed, and the test has read all that there is."""


@dataclass
class Front:
    """What the handlers were given."""

    port: int = 0
    seen: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        self.seen.append(f"{request.method} {request.raw_path}")
        if request.path == "/busy":
            raise BusyError("too many log-ins are being looked at; expected fewer at once", 7)
        return web.Response(text="done", headers={"X-Told": request.query.get("told", "")})


@asynccontextmanager
async def fronted() -> AsyncIterator[Front]:
    """The ports, the limits and the middlewares of a node."""
    told = load(host="127.0.0.1", http_port=0, https_port=0)
    front = Front()
    with bound(told) as ports:
        ways_in = entrance(told, ports, None)
        app = web.Application(middlewares=[harden, supervise, enter(ways_in)], client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", front.handle)
        async with listening(app, ports, None, request_within_s=IDLE_S):
            front.port = ports.http
            yield front


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with fronted() as served:
        yield served


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_one_request_is_never_read_as_two(front: Front, name: str) -> None:
    answer = await exchange(front.port, AMBIGUOUS[name])
    assert not [request for request in front.seen if "smuggled" in request], (front.seen, answer)
    assert statuses(answer) in ([], [400], [431], [413]), answer
    assert front.seen == []


async def test_two_requests_are_two(front: Front) -> None:
    """So that the test above could fail."""
    await exchange(front.port, b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n" + AFTER)
    assert front.seen == ["GET /first", "GET /smuggled"]


async def test_any_bytes_at_all_are_no_fault_of_ours() -> None:
    async with fronted() as front:
        loop = asyncio.get_running_loop()

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            st.binary(max_size=300).map(lambda dirt: dirt + b"\r\n\r\n\0"),
            st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n"]),
        )
        def throw(dirt: bytes, head: bytes) -> None:
            sent = head + dirt
            answer = asyncio.run_coroutine_threadsafe(exchange(front.port, sent), loop).result(30)
            assert not [status for status in statuses(answer) if status >= 500], (sent, answer)

        await asyncio.to_thread(throw)
        await exchange(front.port, AFTER)
        assert front.seen[-1] == "GET /smuggled", "it still serves"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
async def test_an_odd_method_finds_the_same_walls(front: Front, method: str) -> None:
    answer = await exchange(front.port, f"{method} /x HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
    assert statuses(answer) in ([403], [400], []), answer
    assert front.seen == []


@pytest.mark.parametrize("break_", ["%0d%0aSet-Cookie:%20a=b", "%0aX-Injected:%201", "%0dX: 1", "a%00b"])
async def test_a_line_break_never_becomes_a_header(front: Front, break_: str) -> None:
    """aiohttp refuses to build such a head; it must end as an error, and as no header."""
    answer = await exchange(
        front.port, f"GET /x?told={break_.replace(' ', '')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"\nset-cookie" not in head
    assert b"\nx-injected" not in head
    assert b"\nx:" not in head


async def test_busy_is_told_with_the_time_to_come_again(front: Front) -> None:
    answer = await exchange(front.port, b"GET /busy HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert statuses(answer) == [503]
    assert b"Retry-After: 7" in answer
    assert b"too many log-ins" in answer


async def test_a_half_request_does_not_keep_its_place(tmp_path: Path) -> None:
    """Slow or silent, and half a head or none: closed when the time for a request is over."""
    told = load(host="127.0.0.1", http_port=0, https_port=0)
    with bound(told) as ports:
        async with listening(web.Application(), ports, None, request_within_s=0.2), asyncio.timeout(20):
            for begun in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "):
                reader, writer = await asyncio.open_connection("127.0.0.1", ports.http)
                writer.write(begun)
                assert await reader.read() == b""
                writer.close()


async def test_a_slow_drip_of_a_head_does_not_keep_its_place_either() -> None:
    told = load(host="127.0.0.1", http_port=0, https_port=0)
    with bound(told) as ports:
        async with listening(web.Application(), ports, None, request_within_s=0.3), asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", ports.http)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")

            async def drip() -> None:
                while not writer.is_closing():
                    writer.write(b"X: 1\r\n")
                    await asyncio.sleep(0.05)

            dripping = asyncio.create_task(drip())
            try:
                assert await reader.read() == b""
            finally:
                dripping.cancel()
                writer.close()


def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path / "a", ["localhost"], datetime.now(UTC))
    told = load(certificate=first.certificate, certificate_key=first.key)
    tls = Tls(told, tmp_path)
    before = tls.certificate
    second = ensure_certificate(tmp_path / "b", ["localhost"], datetime.now(UTC))
    first.certificate.write_bytes(second.certificate.read_bytes())
    tls.refresh()
    assert tls.certificate == before, "its key is not there yet"
    first.key.write_bytes(second.key.read_bytes())
    tls.refresh()
    assert tls.certificate.fingerprint == second.fingerprint


def test_half_a_pair_of_settings_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one without the other"):
        Tls(load(certificate=tmp_path / "x.pem"), tmp_path)


def test_a_port_that_is_taken_is_told() -> None:
    with bound(load(host="127.0.0.1", http_port=0, https_port=0)) as ports:
        taken = load(host="127.0.0.1", http_port=ports.http, https_port=0)
        with pytest.raises(ConfigError, match="expected one that is free"), bound(taken):
            pass
