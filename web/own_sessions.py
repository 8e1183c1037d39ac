"""One's own open sessions: where one is logged in, and how to end that."""

from ..station.sessions import Session
from .call import Call
from .model import moment
from .people_models import OpenSession
from .route import Listing


async def list_sessions(call: Call) -> Listing[OpenSession]:
    """Where this account is logged in, latest first."""
    call.require()
    who, desk = call.person, call.desk
    await desk.sessions.write_seen()
    found = await desk.station.sessions.of_account(who.id, now_us=desk.clock.now_us())
    return Listing([_told(session, current=session.id == who.session) for session in found])


async def end_other_sessions(call: Call) -> None:
    """Every one but that which asks."""
    call.require()
    await call.desk.sessions.end_all(call.person.id, but=call.person)


async def end_session(call: Call) -> None:
    """One of them, at once."""
    call.require()
    await call.desk.sessions.end(call.person.id, call.id)


def _told(session: Session, *, current: bool) -> OpenSession:
    return OpenSession(
        id=session.id,
        created=moment(session.created_us),
        expires=moment(session.ends_us),
        seen=moment(session.seen_us),
        address=session.address,
        agent=session.agent,
        second_factor=session.second_factor,
        current=current,
    )
