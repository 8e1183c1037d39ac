"""Other people's accounts: making, changing, disabling them, and handing out one-time passwords.

Laws: nobody gives what they do not have themselves at that place, and whoever could log in as somebody must
have all of their rights (a reset password is a way in); an account that has a role outside of one's own scope
is told as one that does not exist; the last administrator of the root place stays. One edit after the other.
"""

from collections.abc import Iterable

from ..errors import ConflictError, DeniedError, NotFoundError
from ..station.accounts import Account, AccountState
from ..station.act import Act
from ..station.role import Builtin
from .account_models import (
    AccountIn,
    AccountOut,
    AccountPatch,
    NewAccountOut,
    OneTimePasswordOut,
    RoleHeld,
)
from .call import Call
from .desk import Desk
from .model import moment
from .route import Listing

Pairs = frozenset[tuple[str, str]]
"""(role, place)."""


async def list_accounts(call: Call) -> Listing[AccountOut]:
    """Those whose roles all lie within one's own scope, by name."""
    call.require()
    with_factor = await call.desk.station.factors.accounts()
    accounts = await call.desk.station.accounts.list()
    seen = [account for account in accounts if _in_scope(call, account.id)]
    return Listing(_told(call.desk, account, with_factor) for account in seen)


async def add_account(call: Call, body: AccountIn) -> NewAccountOut:
    """A new account with a one-time password, to be handed to its owner."""
    desk, wanted = call.desk, frozenset((role.role, role.place) for role in body.roles)
    call.require([place for _, place in wanted])
    _check_gives(call, wanted)
    if not wanted and not _everywhere(call):
        raise DeniedError("roles: none is given, expected at least one at a place of yours")
    async with desk.people:
        made = await desk.station.accounts.add(
            body.name, full_name=body.full_name, now_us=desk.clock.now_us()
        )
        desk.directory.put_account(made.account)
        await desk.station.roles.set_assignments(made.account.id, wanted)
    return NewAccountOut(account=_told(desk, made.account, frozenset()), password=made.password)


async def change_account(call: Call, body: AccountPatch) -> AccountOut:
    """A disabled account cannot log in, and its sessions and API tokens end at once."""
    desk, name = call.desk, call.id
    async with desk.people:
        account = await _touched(call, name)
        wanted = _pairs(desk, name)
        if body.roles is not None:
            wanted = frozenset((role.role, role.place) for role in body.roles)
            call.require([place for _, place in wanted])
            _check_gives(call, wanted - _pairs(desk, name))
        _check_not_last(desk, name, wanted, disabled=body.state is AccountState.DISABLED)
        if body.roles is not None:
            await desk.station.roles.set_assignments(name, wanted)
        if body.full_name is not None:
            account = await desk.station.accounts.rename(name, body.full_name)
            desk.sessions.put_account(account)
        if body.state is not None:
            account = await desk.sessions.set_state(name, body.state)
        desk.directory.put_account(account)
        if body.state is not None:
            desk.authority.account_changed()
    return _told(desk, account, await desk.station.factors.accounts())


async def reset_password(call: Call) -> OneTimePasswordOut:
    """A new one-time password, for who lost theirs; the account's sessions end."""
    async with call.desk.people:
        await _touched(call, call.id)
        reset = await call.desk.sessions.reset_password(call.id)
    call.desk.directory.put_account(reset.account)
    call.desk.challenges.close_all(call.id)
    return OneTimePasswordOut(password=reset.password)


async def remove_factors(call: Call) -> None:
    """All second factors and recovery codes, for who lost their phone; the account's sessions end."""
    async with call.desk.people:
        await _touched(call, call.id)
        await call.desk.station.factors.remove_all(call.id)
        await call.desk.sessions.end_all(call.id)
        call.desk.sessions.factors_changed(call.id)
    call.desk.challenges.close_all(call.id)


async def end_account_sessions(call: Call) -> None:
    """Wherever the account is logged in."""
    await _touched(call, call.id)
    await call.desk.sessions.end_all(call.id)


async def _touched(call: Call, account_id: str) -> Account:
    """The account, if the one who asks may edit it."""
    call.require()
    unknown = f"account {account_id!r} does not exist; expected the id of an account"
    if not _in_scope(call, account_id):
        raise NotFoundError(unknown)
    account = await call.desk.station.accounts.get(account_id)
    _check_gives(call, _pairs(call.desk, account_id))
    return account


def _in_scope(call: Call, account_id: str) -> bool:
    """Whether all of its roles lie where one may edit people; without any: whether one may everywhere."""
    scope = call.desk.authority.scope(call.person, Act.EDIT_PEOPLE)
    places = [place for _, place in _pairs(call.desk, account_id)]
    return scope.everything or (bool(places) and all(scope.covers(place) for place in places))


def _everywhere(call: Call) -> bool:
    return call.desk.authority.scope(call.person, Act.EDIT_PEOPLE).everything


def _check_gives(call: Call, pairs: Iterable[tuple[str, str]]) -> None:
    """Has the one who asks all that these roles allow, there?"""
    roles = call.desk.authority.roles
    for name, place in pairs:
        role = roles.get(name)
        if role is None:
            raise NotFoundError(f"role {name!r} does not exist, expected the id of one that does")
        for act in role.acts - {Act.OWN}:
            if not call.desk.authority.scope(call.person, act).covers(place):
                raise DeniedError(
                    f"role {role.name!r} allows to {act} at {place}, expected no more than you may do there"
                )


def _check_not_last(desk: Desk, account_id: str, wanted: Pairs, *, disabled: bool) -> None:
    """An administrator of the root place that can log in must be left."""
    role = next(role.id for role in desk.authority.roles.values() if role.builtin is Builtin.ADMINISTRATOR)
    seat = role, next(iter(desk.directory.places))
    if seat not in _pairs(desk, account_id) or (seat in wanted and not disabled):
        return
    others = (other for other in desk.directory.accounts if other != account_id)
    if not any(desk.directory.active(other) and seat in _pairs(desk, other) for other in others):
        raise ConflictError(
            "the last administrator of the whole territory, expected another one to be made first"
        )


def _pairs(desk: Desk, account_id: str) -> Pairs:
    return frozenset((held.role, held.place) for held in desk.authority.assigned(account_id))


def _told(desk: Desk, account: Account, with_factor: frozenset[str]) -> AccountOut:
    last_us = account.last_login_us
    return AccountOut(
        id=account.id,
        name=account.name,
        full_name=account.full_name,
        state=account.state,
        must_change=account.must_change,
        last_login=None if last_us is None else moment(last_us),
        second_factor=account.id in with_factor,
        roles=[RoleHeld(role=role, place=place) for role, place in sorted(_pairs(desk, account.id))],
    )
