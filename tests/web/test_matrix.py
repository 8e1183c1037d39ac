"""Every route, by every role, at every place: what is allowed is what the roles and the tree say, and nothing
else happens.

The routes come from the OpenAPI document, so a new one fails here until it has a recipe. The oracle knows
only what a role allows and how two places lie to each other. After every refusal the state is what it was;
what a caller may not know of is told in the words of what does not exist; no answer names what is elsewhere.
"""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import DummyCookieJar, FormData
from aiohttp.test_utils import TestClient

from loa.clock import VirtualClock
from loa.station.act import Act
from loa.station.role import ACTS, Builtin
from loa.web.authority import NOT_BY_TOKEN
from loa.web.desk import Desk
from loa.web.openapi import document
from loa.web.session_book import Origin, SignedIn

from .conftest import App
from .matrix_recipes import RECIPES, Ask, Need, Recipe
from .matrix_world import GUESS, World

ID = re.compile(r"\b[0-9a-f]{16}\b")
YEAR_US = 365 * 24 * 3600 * 1_000_000


@dataclass(frozen=True)
class Caller:
    """Who has a role at a place. `token`: comes with an API token for the hamlet instead of a session."""

    role: Builtin | None
    place: str = "north"
    token: bool = False
    nobody: bool = False

    @property
    def acts(self) -> frozenset[Act]:
        acts: frozenset[Act] = ACTS[self.role] if self.role else frozenset()
        return acts - NOT_BY_TOKEN if self.token else acts

    @property
    def top(self) -> str:
        return "hamlet" if self.token else self.place

    def __str__(self) -> str:
        if self.nobody:
            return "nobody"
        return f"{self.role or 'no role'} at {self.place}{' by token' if self.token else ''}"


CALLERS = [
    Caller(None, nobody=True),
    Caller(None),
    *(Caller(role) for role in Builtin),
    *(Caller(role, token=True) for role in Builtin),
    Caller(Builtin.ADMINISTRATOR, "province"),
]


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    act: Act | None


def operations() -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for methods in document()["paths"].values():
        for method, told in methods.items():
            act = Act(told["x-loa-act"]) if "x-loa-act" in told else None
            found[told["operationId"]] = Operation(told["operationId"], method.upper(), act)
    return found


def test_every_route_has_its_recipe() -> None:
    assert set(operations()) == set(RECIPES)


def test_every_act_that_the_document_names_is_tried() -> None:
    """Also the acts that a route asks for instead."""
    for methods in document()["paths"].values():
        for told in methods.values():
            tried = {recipe.act.value for recipe in RECIPES[told["operationId"]] if recipe.act}
            assert tried == set(told.get("x-loa-act-instead", ()))


@dataclass
class Answer:
    status: int
    text: str


@dataclass
class Matrix:
    """One caller in a house with one of everything everywhere."""

    world: World
    client: App
    caller: Caller
    who: SignedIn | None
    bearer: str = ""
    asked: set[str] = field(default_factory=set)
    """Ids that the caller has named: they stand in the caller's own lines of the audit log."""

    def above(self, place: str) -> set[str]:
        """The place and what is above it."""
        return set(self.world.desk.air.territory.ancestry(place)) if place != GUESS else set()

    @property
    def top(self) -> str:
        name: str = getattr(self.world.land, self.caller.top).id
        return name

    def covers(self, place: str) -> bool:
        return bool(self.caller.acts) and self.top in self.above(place)

    def knows(self, place: str) -> bool:
        return self.covers(place) or (bool(self.caller.acts) and place in self.above(self.top))

    def may(self, operation: Operation, recipe: Recipe, place: str) -> bool:
        """The oracle."""
        if recipe.need is Need.PUBLIC:
            return True
        if recipe.need is Need.OWN:
            return not self.caller.nobody and not self.caller.token
        act = recipe.act or operation.act
        if act is None or not ({act} | recipe.also) <= self.caller.acts:
            return False
        if recipe.need is Need.COVERS:
            return self.covers(place)
        if recipe.need is Need.KNOWS:
            return self.knows(place)
        return recipe.need is Need.ANYWHERE or self.top == self.world.land.province.id

    async def send(self, operation: Operation, ask: Ask) -> Answer:
        self.world.clock.advance(1_000_000)
        self.asked |= set(ID.findall(f"{ask.path} {ask.body} {ask.form}"))
        async with self.client.request(
            operation.method, ask.path, headers=await self._headers(), **self._content(ask)
        ) as answer:
            endless = operation.name == "live_events" and answer.status == 200
            text = "" if endless else await answer.text("latin-1")
            assert answer.status < 500 or answer.status == 503, f"{operation.name} {ask}: {text}"
            return Answer(answer.status, text)

    async def _headers(self) -> Mapping[str, str]:
        if self.bearer:
            return {"Authorization": f"Bearer {self.bearer}"}
        if self.who is None:
            return {}
        if self.world.desk.sessions.known(self.who.token) is None:
            self.who = await self.world.desk.sessions.open(self.who.account, Origin())
        return {"Cookie": f"loa_session={self.who.token}", "X-CSRF-Token": self.who.csrf}

    def _content(self, ask: Ask) -> dict[str, Any]:
        if ask.form is None:
            return {} if ask.body is None else {"json": ask.body}
        form = FormData(default_to_multipart=True)
        for name, value in ask.form.items():
            form.add_field(name, value, filename="x.mp3" if name == "file" else None)
        return {"data": form}

    def elsewhere(self) -> set[str]:
        """Ids of the things at places that the caller does not know of, and of those places."""
        places = [place for place in self.world.desk.directory.places if not self.knows(place)]
        return {*places, *(name for name, place in self.world.made.items() if place in places)}

    def plain(self, answer: Answer) -> tuple[int, str]:
        """Without what the asker has said, which the words repeat."""
        return answer.status, ID.sub("?", answer.text)


@pytest.fixture(params=CALLERS, ids=str)
async def matrix(
    request: Any, app: App, desk: Desk, land: Any, clock: VirtualClock, password: str
) -> AsyncIterator[Matrix]:
    caller: Caller = request.param
    world = World(desk, clock, land, made={name.id: name.place for name in land.speakers})
    who = None if caller.nobody else await world.person(caller.role, getattr(land, caller.place).id)
    bearer = ""
    if caller.token and who is not None:
        now_us = clock.now_us()
        made = await desk.station.api_tokens.add(
            who.id, "X", acts=Act, places=[land.hamlet.id], expires_us=now_us + YEAR_US, now_us=now_us
        )
        bearer = made.token
    client: App
    async with TestClient(app.server, cookie_jar=DummyCookieJar()) as client:
        yield Matrix(world, client, caller, who, bearer)


def places_of(recipe: Recipe, land: Any) -> dict[str, str]:
    """Where to ask for it: below, at, above and beside where the roles are, and where nothing is."""
    if recipe.need not in (Need.COVERS, Need.KNOWS):
        return {"anywhere": land.north.id}
    places = {name: getattr(land, name).id for name in ("hamlet", "north", "province", "south")}
    return places | {"guess": GUESS}


async def test_what_is_allowed_is_what_roles_and_places_say(matrix: Matrix) -> None:
    tried = {True: 0, False: 0}
    for operation in operations().values():
        for recipe in RECIPES[operation.name]:
            places = places_of(recipe, matrix.world.land)
            asks = {name: await recipe.ask(matrix.world, place) for name, place in places.items()}
            may = {name: matrix.may(operation, recipe, place) for name, place in places.items()}
            refused = {name: ask for name, ask in asks.items() if not may[name]}
            if refused:
                await refuses(matrix, operation, recipe, refused, places)
            for name, allowed in may.items():
                tried[allowed] += 1
                if allowed:
                    await allows(matrix, operation, recipe, await recipe.ask(matrix.world, places[name]))
    if matrix.caller.role is not None:
        assert min(tried.values()) > 20


async def refuses(
    matrix: Matrix, operation: Operation, recipe: Recipe, asks: Mapping[str, Ask], places: Mapping[str, str]
) -> None:
    before = await matrix.world.state()
    answers = {name: await matrix.send(operation, ask) for name, ask in asks.items()}
    after = await matrix.world.state()
    changed = {name for name in before if before[name] != after[name]}
    assert not changed, f"{operation.name}: a refusal has changed {changed}"
    secret = matrix.elsewhere()
    for name, answer in answers.items():
        told = f"{operation.name} at {name}: {answer}"
        if matrix.caller.nobody:
            assert answer.status == 401, told
            continue
        if recipe.need is Need.COVERS and matrix.covers(places[name]):
            assert answer.status == 403, f"known, and not allowed: {told}"
        assert answer.status in (403, 404, 422), told
        asked = set(ID.findall(f"{asks[name].path} {asks[name].body} {asks[name].form}"))
        assert not secret.intersection(ID.findall(answer.text)) - asked, f"it names what is elsewhere: {told}"
    if "south" in answers and "guess" in answers and not matrix.knows(places["south"]):
        assert matrix.plain(answers["south"]) == matrix.plain(answers["guess"]), operation.name


async def allows(matrix: Matrix, operation: Operation, recipe: Recipe, ask: Ask) -> None:
    answer = await matrix.send(operation, ask)
    assert answer.status in recipe.fits, f"{operation.name} {ask}: {answer}"
    if not matrix.caller.nobody and recipe.need is not Need.PUBLIC:
        named = set(ID.findall(answer.text)) & matrix.elsewhere()
        assert not named - matrix.asked, f"{operation.name} {ask} names what is elsewhere"
    if operation.method != "GET":
        matrix.world.forget()
