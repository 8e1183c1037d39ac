"""What a person may do, and where: one question, asked once per act, answered from memory.

Laws: the answer is no unless a role says yes; an account that is not active may do nothing; a role that asks
for a second factor is nobody's whose log-in did not show one; an API token may do no more than its account,
of that only what it was made for, and never what could make more rights of it; a place that a person may not
know of is told as one that does not exist. The one who asks never looks at roles itself. An emergency waits
for no database here. Used on the loop only; the station's roles are the truth, and tell of each change.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import DeniedError, NotFoundError
from ..station.act import Act
from ..station.role import Assignment, Role
from ..station.roles import Assigned, RoleGone, RolePut, Roles, RolesEvent
from ..streamer.territory import Territory
from .scope import Scope, meet
from .session_book import TokenScope

NOT_BY_TOKEN = frozenset({Act.OWN, Act.EDIT_PEOPLE, Act.EDIT_ROLES, Act.REVOKE_KEYS})
"""What would let a stolen token outlive itself."""

GIVEN = tuple(act for act in Act if act is not Act.OWN)
"""What roles are about."""

MAX_SCOPES = 20_000
"""Answers kept: of a few hundred people at work all that they ask."""


class Known(Protocol):
    """Somebody with an account."""

    @property
    def id(self) -> str: ...


class Person(Protocol):
    """Who asks, by a session or an API token."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def second_factor(self) -> bool: ...
    @property
    def token_scope(self) -> TokenScope | None: ...


class Accounts(Protocol):
    """Who has an account that is not disabled."""

    def active(self, account_id: str) -> bool: ...


class Line(Protocol):
    """The territory as it stands now."""

    @property
    def territory(self) -> Territory: ...


@dataclass(frozen=True, slots=True)
class Held:
    """What a person may do at a place and below it, beyond what holds there from above."""

    place: str
    acts: frozenset[Act]


class RoleAuthority:
    """See the module. Knows nothing until `load`."""

    def __init__(self, roles: Roles, accounts: Accounts, line: Line) -> None:
        self._source, self._accounts, self._line = roles, accounts, line
        self._roles: dict[str, Role] = {}
        self._assigned: dict[str, tuple[Assignment, ...]] = {}
        self._scopes: dict[tuple[str, bool, TokenScope | None, Act], Scope] = {}
        self._scopes_of: Territory | None = None
        self._listeners: list[Callable[[], None]] = []

    async def load(self) -> Callable[[], None]:
        """Read what the station has, and follow it; returns what ends that."""
        stop = self._source.subscribe(self._on_roles)
        self._roles = {role.id: role for role in await self._source.list()}
        assigned: dict[str, tuple[Assignment, ...]] = {}
        for assignment in await self._source.assignments():
            assigned[assignment.account] = (*assigned.get(assignment.account, ()), assignment)
        self._assigned = assigned
        self._changed()
        return stop

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` when somebody's rights may have changed; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def account_changed(self) -> None:
        """Somebody was disabled, or let in again: the accounts say who is active now."""
        self._changed()

    def require(self, person: Person, act: Act, places: Sequence[str]) -> None:
        """May `person` do `act` at every one of `places`? Empty: anywhere at all.

        DeniedError if not; NotFoundError for a place that this person cannot know of, in the words of one
        that does not exist. Who may see nothing at all is told about no place.
        """
        scope = self.scope(person, act)
        refused = [place for place in places if not scope.covers(place)]
        if not refused and not scope.nothing:
            return
        seen = self.scope(person, Act.SEE)
        lost = seen.nothing and scope.nothing
        for place in refused:
            if not (lost or seen.knows(place) or scope.knows(place)):
                raise NotFoundError(f"place {place!r} does not exist, expected the id of one that does")
        where = "any place" if lost else ", ".join(refused[:5]) or "any place"
        raise DeniedError(f"{person.name!r} may not {act} at {where}, expected a role that allows it there")

    def scope(self, person: Person, act: Act) -> Scope:
        """Where `person` may do `act`."""
        territory = self._line.territory
        if self._scopes_of is not territory or len(self._scopes) >= MAX_SCOPES:
            self._scopes.clear()
            self._scopes_of = territory
        key = person.id, person.second_factor, person.token_scope, act
        known = self._scopes.get(key)
        if known is None:
            known = self._scopes[key] = self._scope(person, act, territory)
        return known

    def held(self, person: Person) -> tuple[Held, ...]:
        """Everything, place by place, in the order of the line."""
        territory = self._line.territory
        found: dict[str, frozenset[Act]] = {}
        for act in GIVEN:
            for place in self.scope(person, act).tops():
                found[place] = found.get(place, frozenset()) | {act}
        return tuple(Held(place, found[place]) for place in sorted(found, key=territory.index))

    def acts(self, person: Person) -> frozenset[Act]:
        """Everything that `person` may do anywhere."""
        return frozenset(act for act in GIVEN if not self.scope(person, act).nothing)

    def needs_second_factor(self, person: Known) -> bool:
        """Whether a role of theirs asks for one."""
        return any(role.second_factor for role, _ in self._of(person))

    @property
    def roles(self) -> Mapping[str, Role]:
        """By id."""
        return self._roles

    def assigned(self, account_id: str) -> tuple[Assignment, ...]:
        return self._assigned.get(account_id, ())

    def _scope(self, person: Person, act: Act, territory: Territory) -> Scope:
        token = person.token_scope
        if not self._accounts.active(person.id) or (
            token is not None and (act not in token.acts or act in NOT_BY_TOKEN)
        ):
            return Scope(territory, ())
        if act is Act.OWN:
            return Scope(territory, ((0, len(territory)),))
        slices = tuple(territory.covering(self._places(person, act)))
        if token is not None:
            slices = meet(slices, tuple(territory.covering(token.places)))
        return Scope(territory, slices)

    def _places(self, person: Person, act: Act) -> Iterable[str]:
        for role, assignment in self._of(person):
            if act in role.acts and (person.second_factor or not role.second_factor):
                yield assignment.place

    def _of(self, person: Known) -> Iterable[tuple[Role, Assignment]]:
        for assignment in self._assigned.get(person.id, ()):
            role = self._roles.get(assignment.role)
            if role is not None:
                yield role, assignment

    def _on_roles(self, event: RolesEvent) -> None:
        match event:
            case RolePut(role):
                self._roles[role.id] = role
            case RoleGone(name):
                self._roles.pop(name, None)
            case Assigned(account, assignments):
                self._assigned[account] = assignments
        self._changed()

    def _changed(self) -> None:
        self._scopes.clear()
        for listener in list(self._listeners):
            listener()
