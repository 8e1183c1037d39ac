"""Where somebody stands: what the log-in still lacks, and what the account may do. Pure but for the desk's
memory.
"""

from ..errors import DeniedError
from ..station.act import Act
from .call import Call
from .caller import address_of, browser_of
from .desk import Desk
from .model import moment
from .people_models import Account, Needs, ScopeOut, SessionOut
from .session_book import SignedIn


def needs(desk: Desk, who: SignedIn) -> Needs:
    """What must come before anything else."""
    if who.account.must_change:
        return Needs.PASSWORD
    if desk.authority.needs_second_factor(who) and not who.second_factor:
        return Needs.SECOND_FACTOR_SET_UP
    return Needs.NOTHING


def session_out(desk: Desk, who: SignedIn) -> SessionOut:
    """Who one is and what one may do."""
    return SessionOut(
        account=account_of(who),
        csrf=who.csrf,
        expires=moment(desk.sessions.ends_us(who)),
        needs=needs(desk, who),
        second=None,
        acts=_in_order(desk.authority.acts(who)),
        scope=[ScopeOut(place=held.place, acts=_in_order(held.acts)) for held in desk.authority.held(who)],
    )


def account_of(who: SignedIn) -> Account:
    account = who.account
    return Account(
        id=account.id, name=account.name, full_name=account.full_name, must_change=account.must_change
    )


async def prove(call: Call, password: str) -> None:
    """That the one who asks knows the account's password; tries are counted as those of a log-in."""
    who, desk = call.person, call.desk
    browser = browser_of(call, who.name)
    desk.log_ins.begin(who.name, address_of(call), browser)
    if not await desk.station.accounts.proves(who.id, password, known=browser is not None):
        raise DeniedError("password: it is not this account's; expected the one you logged in with")
    desk.log_ins.succeeded(who.name, browser)


def _in_order(acts: frozenset[Act]) -> list[Act]:
    return [act for act in Act if act in acts]
