"""The roles, and who has which of them where.

Laws:
- the built-in roles are always there; of those only `second_factor` can be changed, and their acts are the
  code's, whatever the database says;
- a role that somebody has is not removed;
- what is done is told to the listeners, in the order in which it was done, once it is on the disk.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, NotFoundError
from .act import Act
from .database import Database
from .ids import new_id
from .people_schema import AccountRow, AssignmentRow, RoleRow
from .role import ACTS, NAMES, Assignment, Builtin, NewRole, Role, RoleChange
from .schema import PlaceRow
from .settings import read_setting, write_setting

FIRST_ASSIGNED = "roles_first_assigned"
"""Set when the accounts from before there were roles (or the first one of all) have become administrators."""


@dataclass(frozen=True, slots=True)
class RolePut:
    """It was made or changed."""

    role: Role


@dataclass(frozen=True, slots=True)
class RoleGone:
    id: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """All that the account has now."""

    account: str
    assignments: tuple[Assignment, ...]


RolesEvent = RolePut | RoleGone | Assigned
Listener = Callable[[RolesEvent], None]


class Roles:
    """Owns the tables `role` and `assignment`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._telling = asyncio.Lock()
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` after each change, on the loop; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def ensure(self) -> None:
        """The built-in roles are there; and whoever has an account when there are none assigned for the first
        time is administrator everywhere: the first account, or those of a database from before roles.
        """
        async with self._telling:
            async with self._database.write() as session:
                known = set(await session.scalars(sa.select(RoleRow.builtin)))
                for builtin in Builtin:
                    if builtin.value not in known:
                        session.add(await _builtin_row(session, builtin))
                await session.flush()
                new = await _assign_first(session)
            for assignment in new:
                self._tell(Assigned(assignment.account, (assignment,)))

    async def list(self) -> tuple[Role, ...]:
        """The built-in ones first, as in `Builtin`; then by name."""
        async with self._database.read() as session:
            found = [_role(row) for row in await session.scalars(sa.select(RoleRow).order_by(RoleRow.key))]
        order = list(Builtin)
        return tuple(
            sorted(found, key=lambda role: order.index(role.builtin) if role.builtin else len(order))
        )

    async def get(self, role_id: str) -> Role:
        async with self._database.read() as session:
            return _role(await _get(session, role_id))

    async def add(self, new: NewRole) -> Role:
        async with self._telling:
            async with self._database.write() as session:
                await _check_free(session, new.name)
                row = RoleRow(
                    id=new_id(),
                    name=new.name,
                    key=new.name.casefold(),
                    builtin=None,
                    acts=sorted(new.acts),
                    second_factor=new.second_factor,
                )
                session.add(row)
            return self._put(row)

    async def change(self, role_id: str, change: RoleChange) -> Role:
        async with self._telling:
            async with self._database.write() as session:
                row = await _get(session, role_id)
                if row.builtin is not None and (change.name is not None or change.acts is not None):
                    raise ConflictError(
                        f"role {row.name!r} is built in, expected a change of its second factor only"
                    )
                if change.name is not None and change.name.casefold() != row.key:
                    await _check_free(session, change.name)
                if change.name is not None:
                    row.name, row.key = change.name, change.name.casefold()
                if change.acts is not None:
                    row.acts = sorted(change.acts)
                if change.second_factor is not None:
                    row.second_factor = change.second_factor
            return self._put(row)

    async def delete(self, role_id: str) -> None:
        """ConflictError for a built-in one, and while somebody has it."""
        async with self._telling:
            async with self._database.write() as session:
                row = await _get(session, role_id)
                if row.builtin is not None:
                    raise ConflictError(f"role {row.name!r} is built in, expected a role of your own")
                had = sa.select(sa.func.count(sa.distinct(AssignmentRow.account)))
                people = await session.scalar(had.where(AssignmentRow.role == role_id))
                if people:
                    raise ConflictError(f"role {row.name!r}: {people} accounts have it, expected none")
                await session.delete(row)
            self._tell(RoleGone(role_id))

    async def assignments(self) -> tuple[Assignment, ...]:
        """Everybody's."""
        async with self._database.read() as session:
            return tuple(_assignment(row) for row in await session.scalars(sa.select(AssignmentRow)))

    async def of_account(self, account_id: str) -> tuple[Assignment, ...]:
        async with self._database.read() as session:
            return await _of_account(session, account_id)

    async def set_assignments(
        self, account_id: str, wanted: Iterable[tuple[str, str]]
    ) -> tuple[Assignment, ...]:
        """The account has exactly these (role, place) from now on. All or nothing."""
        pairs = list(dict.fromkeys(wanted))
        async with self._telling:
            async with self._database.write() as session:
                now = await _reassign(session, account_id, pairs)
            self._tell(Assigned(account_id, now))
            return now

    def _put(self, row: RoleRow) -> Role:
        role = _role(row)
        self._tell(RolePut(role))
        return role

    def _tell(self, event: RolesEvent) -> None:
        for listener in list(self._listeners):
            listener(event)


async def _builtin_row(session: AsyncSession, builtin: Builtin) -> RoleRow:
    """Under its own name, unless somebody has called a role of theirs so."""
    name = NAMES[builtin]
    if await _named(session, name) is not None:
        name = f"{name} ({builtin.value})"
    acts = sorted(ACTS[builtin])
    return RoleRow(
        id=new_id(), name=name, key=name.casefold(), builtin=builtin.value, acts=acts, second_factor=False
    )


async def _assign_first(session: AsyncSession) -> Sequence[Assignment]:
    """Once, and not before there is a root place and an account."""
    if await read_setting(session, FIRST_ASSIGNED) is not None:
        return ()
    root = await session.scalar(sa.select(PlaceRow.id).where(PlaceRow.parent.is_(None)))
    had = sa.exists().where(AssignmentRow.account == AccountRow.id)
    accounts = list(await session.scalars(sa.select(AccountRow.id).where(~had)))
    if root is None or not accounts:
        return ()
    wanted = sa.select(RoleRow.id).where(RoleRow.builtin == Builtin.ADMINISTRATOR.value)
    role = (await session.scalars(wanted)).one()
    rows = [AssignmentRow(id=new_id(), account=account, role=role, place=root) for account in accounts]
    session.add_all(rows)
    await write_setting(session, FIRST_ASSIGNED, "1")
    return [_assignment(row) for row in rows]


async def _reassign(
    session: AsyncSession, account_id: str, pairs: Sequence[tuple[str, str]]
) -> tuple[Assignment, ...]:
    if await session.get(AccountRow, account_id) is None:
        raise NotFoundError(f"account {account_id!r} does not exist, expected the id of an account")
    for role, place in pairs:
        await _get(session, role)
        if await session.get(PlaceRow, place) is None:
            raise NotFoundError(f"place {place!r} does not exist, expected the id of one that does")
    kept: set[tuple[str, str]] = set()
    for row in await session.scalars(sa.select(AssignmentRow).where(AssignmentRow.account == account_id)):
        if (row.role, row.place) in pairs:
            kept.add((row.role, row.place))
        else:
            await session.delete(row)
    for role, place in pairs:
        if (role, place) not in kept:
            session.add(AssignmentRow(id=new_id(), account=account_id, role=role, place=place))
    await session.flush()
    return await _of_account(session, account_id)


async def _of_account(session: AsyncSession, account_id: str) -> tuple[Assignment, ...]:
    found = sa.select(AssignmentRow).where(AssignmentRow.account == account_id).order_by(AssignmentRow.id)
    return tuple(_assignment(row) for row in await session.scalars(found))


async def _named(session: AsyncSession, name: str) -> RoleRow | None:
    return await session.scalar(sa.select(RoleRow).where(RoleRow.key == name.casefold()))


async def _check_free(session: AsyncSession, name: str) -> None:
    if await _named(session, name) is not None:
        raise ConflictError(f"role {name!r} exists, expected another name")


async def _get(session: AsyncSession, role_id: str) -> RoleRow:
    row = await session.get(RoleRow, role_id)
    if row is None:
        raise NotFoundError(f"role {role_id!r} does not exist, expected the id of one that does")
    return row


def _role(row: RoleRow) -> Role:
    builtin = Builtin(row.builtin) if row.builtin is not None else None
    acts = ACTS[builtin] if builtin is not None else frozenset(Act(act) for act in row.acts)
    return Role(row.id, row.name, builtin, acts, row.second_factor)


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(row.id, row.account, row.role, row.place)
