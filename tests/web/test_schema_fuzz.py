"""The whole API as its document describes it, and as it does not, by every role: no error of ours, no secret.

The cases are made by schemathesis from the document, the same ones each time; ids in them become those of
things that there are, or nobody's. A thing that a case has changed or removed is made anew now and then.
"""

import re
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
import sqlalchemy as sa
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, FormData
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok

from loa.clock import VirtualClock
from loa.station.role import Builtin
from loa.web.desk import Desk
from loa.web.openapi import document
from loa.web.session_book import Origin, SignedIn

from .conftest import App
from .matrix_world import GUESS, World

EXAMPLES = 5
"""Of each operation, right and wrong ones each: 700 requests by each of eight callers take half a minute."""

RENEW_EVERY = 100
ID = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True)
class Case:
    """A request that schemathesis made up. `right`: as the document says, so its answer must be in it too."""

    operation: str
    method: str
    path: str
    query: Mapping[str, Any]
    body: Any
    media: str | None
    right: bool
    described: frozenset[str]


@pytest.fixture(scope="module")
def cases() -> tuple[Case, ...]:
    schema = schemathesis.openapi.from_dict(document())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(map(len, document()["paths"].values()))
    return tuple(case for operation in operations for case in _of(operation))


def _of(operation: Any) -> Iterator[Case]:
    told = operation.definition.raw
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        for case in _made_up(operation, mode):
            yield Case(
                operation=told["operationId"],
                method=case.method,
                path=case.formatted_path,
                query=dict(case.query or {}),
                body=None if case.body is NOT_SET else case.body,
                media=case.media_type,
                right=mode is GenerationMode.POSITIVE,
                described=frozenset(told["responses"]),
            )


def _made_up(operation: Any, mode: GenerationMode) -> list[Any]:
    made: list[Any] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        made.append(case)

    try:
        collect()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, f"{operation.label} cannot be asked for"
    return made


CALLERS = (None, *Builtin)


@dataclass
class Fuzz:
    world: World
    app: App
    http: ClientSession
    who: SignedIn | None
    ids: tuple[str, ...] = ()

    async def renew(self) -> None:
        """One of everything, at the caller's place, above it and beside it."""
        self.world.forget()
        land = self.world.land
        self.ids = (GUESS, land.province.id, land.north.id, land.hamlet.id, land.south.id)
        for place in (land.province.id, land.north.id, land.south.id):
            for kind in ("speaker", "program", "broadcast", "code", "account"):
                self.ids += (await getattr(self.world, kind)(place),)

    def real(self, text: str) -> str:
        """With ids of things that there are, the same for the same."""
        return ID.sub(lambda found: self.ids[zlib.crc32(found[0].encode()) % len(self.ids)], text)

    async def send(self, case: Case) -> tuple[int, str]:
        self.world.clock.advance(2_000_000)
        url = f"http://localhost:{self.app.port}{self.real(case.path)}"
        query = {str(name): self.real(str(value)) for name, value in case.query.items()}
        async with self.http.request(
            case.method, url, params=query, headers=await self._headers(), **self._content(case)
        ) as answer:
            endless = case.operation == "live_events" and answer.status == 200
            return answer.status, "" if endless else await answer.text("latin-1")

    async def _headers(self) -> dict[str, str]:
        if self.who is None:
            return {}
        sessions = self.world.desk.sessions
        if sessions.known(self.who.token) is None:
            self.who = await sessions.open(self.who.account, Origin())
        return {"Cookie": f"loa_session={self.who.token}", "X-CSRF-Token": self.who.csrf}

    def _content(self, case: Case) -> dict[str, Any]:
        if case.body is None:
            return {}
        if isinstance(case.body, bytes):
            return {"data": case.body}
        if case.media == "multipart/form-data" and isinstance(case.body, dict):
            form = FormData(default_to_multipart=True)
            for name, value in case.body.items():
                if value is None:
                    continue
                text = self.real(value.decode("latin-1") if isinstance(value, bytes) else str(value))
                form.add_field(quote(name) or "x", text, filename="x.mp3" if name == "file" else None)
            return {"data": form}
        return {"json": self._filled(case.body)}

    def _filled(self, body: Any) -> Any:
        match body:
            case dict():
                return {name: self._filled(value) for name, value in body.items()}
            case list():
                return [self._filled(value) for value in body]
            case str():
                return self.real(body)
        return body


@pytest.fixture(params=CALLERS, ids=lambda role: role or "nobody")
async def fuzz(
    request: Any, app: App, desk: Desk, land: Any, clock: VirtualClock, password: str
) -> AsyncIterator[Fuzz]:
    world = World(desk, clock, land)
    place = land.province.id if request.param is Builtin.ADMINISTRATOR else land.north.id
    who = await world.person(request.param, place) if request.param else None
    async with ClientSession(cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=20)) as http:
        yield Fuzz(world, app, http, who)


async def secrets_of(desk: Desk, but: SignedIn | None) -> set[str]:
    """Everything in the database that proves who somebody is, and the sessions of others."""
    columns = (
        ("account", "password"),
        ("session", "hash"),
        ("api_token", "hash"),
        ("recovery_code", "hash"),
        ("enrolment_code", "hash"),
    )
    found: set[str] = set()
    async with desk.station.database.read() as session:
        for table, column in columns:
            found |= set(await session.scalars(sa.text(f"SELECT {column} FROM {table}")))
    kept = [kept.who for kept in desk.sessions._known.values()]
    return found | {who.token for who in kept} | {who.csrf for who in kept if but is None or who.id != but.id}


async def test_no_error_of_ours_and_no_secret(fuzz: Fuzz, cases: tuple[Case, ...], capsys: Any) -> None:
    secret = await secrets_of(fuzz.world.desk, fuzz.who)
    assert secret
    answered: set[int] = set()
    for number, case in enumerate(cases):
        if number % RENEW_EVERY == 0:
            await fuzz.renew()
            secret |= await secrets_of(fuzz.world.desk, fuzz.who)
        status, text = await fuzz.send(case)
        answered.add(status)
        assert status < 500 or status == 503, f"{status} {text}: {case}"
        if case.right:
            assert str(status) in case.described, f"{status} is not in the document: {text}: {case}"
        assert not any(word in text for word in secret), f"a secret: {text}: {case}"
        assert "$argon2" not in text
        assert "Traceback" not in text
    assert len(cases) > 400
    assert {200, 422} <= answered or fuzz.who is None
