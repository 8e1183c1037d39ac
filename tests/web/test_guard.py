"""What every answer has, and what becomes of a request that is wrong, too large, or makes us stumble."""

import json
from typing import Any

import pytest
from aiohttp import web

from loa.errors import (
    ConfigError,
    ConflictError,
    DeniedError,
    InternalError,
    LoaError,
    MediaError,
    NotFoundError,
    OperatorError,
    ProtocolError,
    RefusedError,
)
from loa.web.dispatch import MAX_BODY_BYTES
from loa.web.problem import in_words, told
from loa.web.services import Services


async def stumble(_request: web.Request) -> web.StreamResponse:
    raise ValueError("the password is hunter2")


@pytest.fixture
def services(services: Services) -> Services:
    """With a handler of our own that is broken, and one that takes WHIP's kind of POST."""

    async def taken(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=201)

    object.__setattr__(services, "mounted", [web.get("/stumble", stumble), web.post("/whip/x", taken)])
    return services


async def test_every_answer_carries_the_security_headers(app: Any) -> None:
    for path in ("/", "/healthz", "/api/v1/session", "/nothing-here", "/stumble"):
        headers = (await app.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "microphone=(self)" in headers["Permissions-Policy"]
    assert (await app.get("/api/v1/session")).headers["Cache-Control"] == "no-store"


async def test_an_error_of_ours_is_told_by_its_number_only(
    app: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await app.get("/stumble")
    assert answer.status == 500
    problem = await answer.json()
    assert "hunter2" not in json.dumps(problem)
    number = problem["where"].split()[-1]
    logged = capsys.readouterr().out
    assert number in logged
    assert "hunter2" in logged


async def test_whip_needs_no_csrf_token_even_with_our_cookie(page: Any) -> None:
    assert (await page.client.post("/whip/x")).status == 201


@pytest.mark.parametrize(
    ("method", "path", "status", "what"),
    [
        ("GET", "/api/v1/nothing", 404, "no such path"),
        ("PUT", "/api/v1/places", 405, "a method that this path does not have"),
        ("GET", "/assets/../../etc/passwd", 404, "no such path"),
        ("GET", "/assets/%2e%2e/%2e%2e/etc/passwd", 404, "no such path"),
    ],
)
async def test_paths_that_do_not_exist(page: Any, method: str, path: str, status: int, what: str) -> None:
    assert (await page.call(method, path, status=status))["what"] == what


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 200_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 422),
        (b'{"name": "X", "kind": "commune", "admin": true}', "application/json", 422),
        (b'{"name": "' + b"x" * MAX_BODY_BYTES + b'", "kind": "commune"}', "application/json", 413),
        (b'{"name": 7, "kind": "commune"}', "application/json", 422),
        (b'{"name": "  ", "kind": "commune"}', "application/json", 422),
    ],
)
async def test_a_body_that_does_not_fit_is_told_what_would(
    page: Any, body: bytes, kind: str, status: int
) -> None:
    headers = {"X-CSRF-Token": page.csrf, "Content-Type": kind}
    answer = await page.client.post("/api/v1/places", data=body, headers=headers)
    assert answer.status == status
    problem = await answer.json()
    assert set(problem) == {"what", "where", "expected"}
    assert all(problem.values())
    assert len(json.dumps(problem)) < 2_000


async def test_a_body_of_unknown_length_is_cut_off_too(page: Any) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 65_536

    headers = {"X-CSRF-Token": page.csrf, "Content-Type": "application/json"}
    answer = await page.client.post("/api/v1/places", data=endless(), headers=headers)
    assert answer.status == 413


@pytest.mark.parametrize("query", ["?place=zz", "?plaec=1", "?place=0000000000000001&place=0000000000000002"])
async def test_a_query_that_does_not_fit(page: Any, query: str) -> None:
    problem = await page.get(f"/api/v1/speakers{query}", status=422)
    assert "query" in problem["where"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("x"), 422),
        (OperatorError("x"), 422),
        (DeniedError("x"), 403),
        (NotFoundError("x"), 404),
        (ConflictError("x"), 409),
        (ProtocolError("x"), 400),
        (RefusedError("signature", "x"), 403),
        (MediaError("x"), 422),
        (InternalError("x"), None),
        (LoaError("x"), None),
    ],
)
def test_every_error_of_the_house_has_a_status(error: LoaError, status: int | None) -> None:
    found = told(error, "here")
    assert (found[0] if found else None) == status


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: empty; expected 1 to 9 letters", ("name: empty", "1 to 9 letters")),
        ("it expected x, expected y", ("it expected x", "y")),
        ("no more than this", ("no more than this", "")),
        ("expected y", ("expected y", "")),
    ],
)
def test_an_errors_words_are_what_is_wrong_and_what_was_expected(text: str, words: tuple[str, str]) -> None:
    assert in_words(OperatorError(text)) == words
