"""What may come in clear, what is sent to TLS, what is refused; and whom a proxy speaks for."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from loa.web.certificate import Certificate, ensure_certificate, server_context
from loa.web.entrance import HSTS, Entrance, enter, insist
from loa.web.guard import harden, supervise

LOOPBACK = (ip_network("127.0.0.0/8"),)
STRANGER = "203.0.113.9"
ELSEWHERE = {"Host": "loa.example:8080"}
"""Not a name of this machine's own: as from a browser far away (or one that a page sent to 127.0.0.1)."""

Served = Callable[..., AbstractAsyncContextManager[TestClient[Any, Any]]]


async def seen(request: web.Request) -> web.Response:
    body = {"remote": request.remote, "secure": request.secure, "host": request.host}
    return web.json_response(body | {"body": await request.text()})


@pytest.fixture
def served() -> Served:
    @asynccontextmanager
    async def serve(
        entrance: Entrance, tls: Certificate | None = None
    ) -> AsyncIterator[TestClient[Any, Any]]:
        app = web.Application(middlewares=[harden, supervise, enter(entrance)])
        app.on_response_prepare.append(insist(entrance))
        app.router.add_route("*", "/{path:.*}", seen)
        server = TestServer(app, scheme="https" if tls else "http")
        await server.start_server(ssl=server_context(tls) if tls else None)
        async with TestClient(server) as client:
            yield client

    return serve


def certificate(*, ours: bool, vouched: bool) -> Certificate:
    return Certificate(Path("c"), Path("k"), datetime.now(UTC), ("loa.example",), "00", ours, vouched)


@pytest.mark.parametrize("path", ["/listen/0011223344556677.mp3", "/speaker/link", "/healthz", "/readyz"])
async def test_sound_links_and_probes_may_come_in_clear(served: Served, path: str) -> None:
    async with served(Entrance(https_port=8443)) as client:
        assert (await client.get(path, headers=ELSEWHERE)).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/session"),
        ("GET", "/api/v1/session"),
        ("GET", "/api/v1/events"),
        ("POST", "/enrol"),
        ("POST", "/whip/0011223344556677"),
        ("POST", "/"),
        ("OPTIONS", "/"),
        ("GET", "/speaker/link/../../api/v1/session"),
        ("GET", "/%61pi/v1/session"),
    ],
)
async def test_secrets_may_not(served: Served, method: str, path: str) -> None:
    async with served(Entrance(https_port=8443)) as client:
        answer = await client.request(method, path, headers=ELSEWHERE, allow_redirects=False)
        assert answer.status == 403
        problem = await answer.json()
        assert problem["what"] == "this came over the network in clear"
        assert problem["expected"].startswith("https://loa.example:8443/")


@pytest.mark.parametrize(
    ("path", "port", "host", "names", "location"),
    [
        ("/", 8443, "loa.example:8080", (), "https://loa.example:8443/"),
        ("/", 443, "loa.example", (), "https://loa.example/"),
        ("/assets/a.js?x=1%202", 8443, "10.1.2.3:8080", (), "https://10.1.2.3:8443/assets/a.js?x=1%202"),
        ("/", 8443, "[2001:db8::1]:8080", (), "https://[2001:db8::1]:8443/"),
        ("//evil.example/", 8443, "loa.example", (), "https://loa.example:8443//evil.example/"),
        ("/", 8443, "evil.example", ("loa.example", "10.1.2.3"), "https://loa.example:8443/"),
        ("/", 8443, "evil.example", ("2001:db8::1",), "https://[2001:db8::1]:8443/"),
        ("/", 8443, "LOA.example", ("x.example", "loa.example"), "https://LOA.example:8443/"),
        ("/", 8443, "10.9.9.9", ("loa.example",), "https://10.9.9.9:8443/"),
    ],
)
async def test_a_page_is_sent_to_tls(
    served: Served, path: str, port: int, host: str, names: tuple[str, ...], location: str
) -> None:
    async with served(Entrance(https_port=port, names=names)) as client:
        url = f"http://127.0.0.1:{client.port}{path}"
        answer = await client.session.get(url, headers={"Host": host}, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (308, location)
        assert answer.headers["Cache-Control"] == "no-store"


async def test_without_tls_a_page_is_refused_in_words(served: Served) -> None:
    async with served(Entrance()) as client:
        answer = await client.get("/", headers=ELSEWHERE)
        assert answer.status == 403
        assert "https_port" in (await answer.json())["expected"]


async def test_this_machine_and_who_is_allowed_to_come_in_clear(served: Served) -> None:
    async with served(Entrance(https_port=8443)) as client:
        assert (await client.post("/api/v1/session")).status == 200
    async with served(Entrance(https_port=8443, allow_plain=True)) as client:
        assert (await client.post("/api/v1/session", headers=ELSEWHERE)).status == 200


async def test_a_proxy_that_is_not_trusted_is_told_so(served: Served) -> None:
    """Else everybody who comes through it would be this machine itself."""
    async with served(Entrance()) as client:
        answer = await client.post("/api/v1/session", headers={"X-Forwarded-For": STRANGER})
        assert answer.status == 403
        assert "trusted_proxies" in (await answer.json())["expected"]


async def test_a_trusted_proxy_speaks_for_others(served: Served) -> None:
    said = {"X-Forwarded-For": STRANGER, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "loa.example"}
    async with served(Entrance(trusted=LOOPBACK)) as client:
        answer = await client.post("/api/v1/session", headers=said, data=b"body")
        found = {"remote": STRANGER, "secure": True, "host": "loa.example", "body": "body"}
        assert await answer.json() == found
        answer = await client.get(
            "/x?y=1", headers=said | {"X-Forwarded-Proto": "http"}, allow_redirects=False
        )
        assert (answer.status, answer.headers["Location"]) == (308, "https://loa.example/x?y=1")


async def test_a_host_that_is_none_is_turned_away(served: Served) -> None:
    async with served(Entrance()) as client:
        assert (await client.get("/healthz", headers={"Host": "a@b"})).status == 400


@pytest.mark.parametrize(
    ("vouched", "tls", "promised"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_browsers_insist_on_tls_once_somebody_vouches_for_it(
    served: Served, tmp_path: Path, vouched: bool, tls: bool, promised: bool
) -> None:
    """Never by what a proxy says of itself: that is the proxy's to promise."""
    made = ensure_certificate(tmp_path, ["localhost", "127.0.0.1"], datetime.now(UTC))
    found = certificate(ours=not vouched, vouched=vouched)
    async with served(Entrance(trusted=LOOPBACK, certificate=lambda: found), made if tls else None) as client:
        headers = {"X-Forwarded-For": STRANGER, "X-Forwarded-Proto": "https"}
        answer = await client.get("/healthz", headers=headers, ssl=False)
        assert answer.headers.get("Strict-Transport-Security") == (HSTS if promised else None)


async def test_no_certificate_promises_nothing() -> None:
    assert not Entrance().vouched()
    assert not Entrance().own_certificate()
    assert Entrance(certificate=lambda: certificate(ours=True, vouched=False)).own_certificate()
