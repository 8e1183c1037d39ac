"""What roles allow, where, to whom; and every act is asked for at every place that it touches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import DeniedError, InternalError, NotFoundError
from loa.station.act import Act
from loa.station.place import PlaceChange
from loa.station.role import ACTS, Builtin, NewRole, RoleChange
from loa.station.station import Station
from loa.streamer.territory import Place, Territory
from loa.web.authority import NOT_BY_TOKEN, Held, Person, RoleAuthority
from loa.web.desk import Desk
from loa.web.directory import as_line
from loa.web.dispatch import dispatcher
from loa.web.guard import SIGNED_IN
from loa.web.route import Access, Route
from loa.web.scope import Scope, meet, size
from loa.web.session_book import TokenScope


class Nobody(RoleAuthority):
    """Knows who may see what, allows nothing, and remembers what was asked."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.station.roles, desk.directory, desk.air)
        self.asked: list[tuple[Act, tuple[str, ...]]] = []

    def require(self, person: Person, act: Act, places: Sequence[str]) -> None:
        self.asked.append((act, tuple(places)))
        raise DeniedError(f"{person.name} may not {act}, expected somebody who may")


async def test_an_order_is_asked_about_at_every_place_it_touches(page: Any, land: Any, desk: Desk) -> None:
    nobody = Nobody(desk)
    await nobody.load()
    desk.authority = nobody
    alert = {"source": {"kind": "tone"}, "severity": "minor", "title": "X"}
    targets = [land.north.id, land.south.id]
    await page.post("/api/v1/emergencies", alert | {"targets": targets}, status=403)
    await page.call("PATCH", f"/api/v1/places/{land.hamlet.id}", {"parent": land.south.id}, status=403)
    speaker = land.at(land.south)[0]
    await page.call("PATCH", f"/api/v1/speakers/{speaker}", {"place": land.north.id}, status=403)
    assert nobody.asked == [
        (Act.ALERT, (land.province.id, *targets)),
        (Act.EDIT_PLACES, (land.hamlet.id, land.north.id, land.south.id)),
        (Act.EDIT_SPEAKERS, (land.south.id, land.north.id)),
    ]


async def test_an_answer_of_a_handler_that_never_asked_is_held_back(page: Any, desk: Desk) -> None:

    async def forgetful(call: Any) -> None: ...

    route = Route("GET", "/x", forgetful, "Forgets", "test", Access.ACCOUNT, Act.SEE)
    who = next(iter(desk.sessions._known.values())).who

    class Request(dict[Any, Any]):
        path, remote = "/x", "127.0.0.1"

    with pytest.raises(InternalError, match="never asked"):
        await dispatcher(route, desk)(Request({SIGNED_IN: who}))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Somebody:
    id: str
    name: str = "somebody"
    second_factor: bool = False
    token_scope: TokenScope | None = None


class People:
    """Who may log in: everyone but those named."""

    def __init__(self) -> None:
        self.disabled: set[str] = set()

    def active(self, account_id: str) -> bool:
        return account_id not in self.disabled


@dataclass
class Town:
    """The land of the tests, and somebody whose roles a test says."""

    station: Station
    land: Any
    authority: RoleAuthority
    people: People
    who: Somebody
    territory: Territory

    async def role(self, builtin: Builtin) -> str:
        return next(role.id for role in await self.station.roles.list() if role.builtin is builtin)

    async def give(self, *roles: tuple[Builtin, Any]) -> None:
        wanted = [(await self.role(builtin), place.id) for builtin, place in roles]
        await self.station.roles.set_assignments(self.who.id, wanted)


@pytest.fixture
async def town(station: Station, land: Any, clock: Any) -> Town:
    territory = as_line(await station.places.list())

    class Line:
        pass

    line = Line()
    line.territory = territory  # type: ignore[attr-defined]
    people = People()
    authority = RoleAuthority(station.roles, people, line)  # type: ignore[arg-type]
    await station.roles.ensure()
    await authority.load()
    made = await station.accounts.add("xã", now_us=clock.now_us())
    return Town(station, land, authority, people, Somebody(made.account.id), territory)


async def test_a_role_holds_at_its_place_and_below_it_and_nowhere_else(town: Town) -> None:
    land, authority = town.land, town.authority
    await town.give((Builtin.ANNOUNCER, land.north))
    authority.require(town.who, Act.AIR, [land.north.id, land.hamlet.id])
    authority.require(town.who, Act.AIR, [])
    with pytest.raises(DeniedError, match="may not air at"):
        authority.require(town.who, Act.AIR, [land.province.id])
    with pytest.raises(NotFoundError, match="does not exist"):
        authority.require(town.who, Act.AIR, [land.north.id, land.south.id])
    with pytest.raises(DeniedError, match="may not alert at any place"):
        authority.require(town.who, Act.ALERT, [])
    await town.give((Builtin.ANNOUNCER, land.hamlet))
    with pytest.raises(DeniedError):
        authority.require(town.who, Act.AIR, [land.north.id])


async def test_what_is_unknown_and_what_is_not_there_are_told_alike(town: Town) -> None:
    await town.give((Builtin.VIEWER, town.land.hamlet))
    told = []
    for place in (town.land.south.id, "f" * 16):
        with pytest.raises(NotFoundError) as caught:
            town.authority.require(town.who, Act.SEE, [place])
        told.append(str(caught.value).replace(place, "?"))
    assert told[0] == told[1]


async def test_roles_add_up_and_are_told_by_place(town: Town) -> None:
    land = town.land
    await town.give((Builtin.VIEWER, land.province), (Builtin.ANNOUNCER, land.north))
    announcer, viewer = ACTS[Builtin.ANNOUNCER], ACTS[Builtin.VIEWER]
    assert town.authority.acts(town.who) == announcer
    assert town.authority.held(town.who) == (
        Held(land.province.id, viewer),
        Held(land.north.id, announcer - viewer),
    )


async def test_an_account_that_is_disabled_may_do_nothing(town: Town) -> None:
    await town.give((Builtin.ADMINISTRATOR, town.land.province))
    town.authority.require(town.who, Act.OWN, [])
    town.people.disabled.add(town.who.id)
    town.authority._scopes.clear()
    for act in Act:
        with pytest.raises((DeniedError, NotFoundError)):
            town.authority.require(town.who, act, [])


async def test_an_api_token_does_what_it_is_for_and_never_more_than_its_account(town: Town) -> None:
    land, authority = town.land, town.authority
    await town.give((Builtin.ADMINISTRATOR, land.north))
    narrow = Somebody(town.who.id, token_scope=TokenScope(frozenset({Act.AIR}), (land.hamlet.id,)))
    authority.require(narrow, Act.AIR, [land.hamlet.id])
    for act, place in ((Act.AIR, land.north.id), (Act.SEE, land.hamlet.id), (Act.AIR, land.south.id)):
        with pytest.raises((DeniedError, NotFoundError)):
            authority.require(narrow, act, [place])
    wide = Somebody(town.who.id, token_scope=TokenScope(frozenset(Act), (land.province.id,)))
    assert authority.scope(wide, Act.AIR) == authority.scope(town.who, Act.AIR)
    assert all(authority.scope(wide, act).nothing for act in NOT_BY_TOKEN)


async def test_a_role_that_asks_for_a_second_factor_is_nobodys_without_one(town: Town) -> None:
    land, authority = town.land, town.authority
    await town.give((Builtin.APPROVER, land.north), (Builtin.VIEWER, land.north))
    assert not authority.needs_second_factor(town.who)
    await town.station.roles.change(await town.role(Builtin.APPROVER), RoleChange(second_factor=True))
    assert authority.needs_second_factor(town.who)
    authority.require(town.who, Act.SEE, [land.north.id])
    with pytest.raises(DeniedError):
        authority.require(town.who, Act.ALERT, [land.north.id])
    authority.require(Somebody(town.who.id, second_factor=True), Act.ALERT, [land.north.id])


async def test_a_change_of_roles_counts_at_once_and_is_told(town: Town) -> None:
    told: list[int] = []
    town.authority.subscribe(lambda: told.append(1))
    own = await town.station.roles.add(NewRole("Trực đêm", frozenset({Act.SEE})))
    await town.station.roles.set_assignments(town.who.id, [(own.id, town.land.north.id)])
    town.authority.require(town.who, Act.SEE, [town.land.north.id])
    await town.station.roles.change(own.id, RoleChange(acts=frozenset({Act.AIR})))
    town.authority.require(town.who, Act.AIR, [town.land.north.id])
    assert town.authority.scope(town.who, Act.SEE).nothing
    await town.station.roles.set_assignments(town.who.id, [])
    assert not town.authority.acts(town.who)
    assert len(told) == 4


async def test_a_place_that_moves_takes_its_rights_along(town: Town, station: Station, clock: Any) -> None:
    """The scope follows the tree: who had the new parent has what came below it."""
    await town.give((Builtin.VIEWER, town.land.south))
    assert not town.authority.scope(town.who, Act.SEE).covers(town.land.hamlet.id)
    move = PlaceChange(parent=town.land.south.id)
    await station.places.change(town.land.hamlet.id, move, now_us=clock.now_us())
    town.authority._line.territory = as_line(await station.places.list())  # type: ignore[misc]
    assert town.authority.scope(town.who, Act.SEE).covers(town.land.hamlet.id)


def some_territory(parents: list[int]) -> Territory:
    """Place 0 is the root; place n+1 hangs under place `parents[n]` modulo what is there."""
    return Territory(
        Place(f"{n:016x}", None if n == 0 else f"{parents[n - 1] % n:016x}", f"P{n}", f"p{n}", "zone")
        for n in range(len(parents) + 1)
    )


@given(st.lists(st.integers(0, 30), max_size=25), st.sets(st.integers(0, 25)), st.sets(st.integers(0, 25)))
def test_a_scope_is_what_a_walk_up_the_tree_says(parents: list[int], held: set[int], asked: set[int]) -> None:
    territory = some_territory(parents)
    tops = {f"{n:016x}" for n in held}
    targets = [f"{n:016x}" for n in asked]
    scope = Scope(territory, tuple(territory.covering(tops)))
    inside = {place for place in territory.ids if tops.intersection(territory.ancestry(place))}
    above = {up for place in inside for up in territory.ancestry(place)}
    assert {place for place in territory.ids if scope.covers(place)} == inside
    assert {place for place in territory.ids if scope.knows(place)} == above
    assert set(scope.above()) == above - inside
    assert scope.everything == (inside == set(territory.ids))
    assert scope.nothing == (not inside)
    wanted = {place for place in territory.ids if set(targets).intersection(territory.ancestry(place))}
    part = {territory.ids[i] for a, b in scope.part(targets) for i in range(a, b)}
    assert part == wanted & inside
    assert size(scope.part(targets)) == len(part)
    assert scope.contains(targets) == (wanted <= inside)
    assert set(territory.covering(scope.tops())) == set(scope.slices)
    assert (scope.top() is None) == scope.nothing
    other = tuple(territory.covering(targets))
    assert meet(scope.slices, other) == meet(other, scope.slices)
