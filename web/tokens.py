"""API tokens of one's own account: keys for programs, narrower than their owner and with an end."""

from ..errors import OperatorError
from ..station.api_tokens import ApiToken
from .authority import NOT_BY_TOKEN
from .call import Call
from .model import moment
from .people_models import NewTokenOut, TokenIn, TokenOut
from .route import Listing

DAY_US = 86_400 * 1_000_000


async def list_tokens(call: Call) -> Listing[TokenOut]:
    """Those of this account, latest first."""
    call.require()
    found = await call.desk.station.api_tokens.of_account(call.person.id)
    return Listing(_told(token) for token in found)


async def make_token(call: Call, body: TokenIn) -> NewTokenOut:
    """A token that may do no more than its owner, and of that only `acts` at `places` and below them."""
    call.require()
    who, desk = call.person, call.desk
    forbidden = sorted(NOT_BY_TOKEN.intersection(body.acts))
    if forbidden:
        raise OperatorError(f"acts: a token cannot {', '.join(forbidden)}; expected acts that need no person")
    for place in body.places:
        desk.directory.place(place)
    for act in body.acts:
        desk.authority.require(who, act, body.places)
    now_us = desk.clock.now_us()
    made = await desk.station.api_tokens.add(
        who.id,
        body.name,
        acts=body.acts,
        places=body.places,
        expires_us=now_us + body.days * DAY_US,
        now_us=now_us,
    )
    return NewTokenOut(token=made.token, **dict(_told(made.about)))


async def end_token(call: Call) -> None:
    """At once."""
    call.require()
    await call.desk.sessions.end_token(call.person.id, call.id)


def _told(token: ApiToken) -> TokenOut:
    return TokenOut(
        id=token.id,
        name=token.name,
        acts=list(token.acts),
        places=list(token.places),
        created=moment(token.created_us),
        expires=moment(token.expires_us),
        last_used=None if token.last_used_us is None else moment(token.last_used_us),
    )
