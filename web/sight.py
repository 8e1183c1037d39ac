"""What a caller may know of: places, speakers, programs, broadcasts, found by id.

Law: what exists and may not be known is told in the very words of what does not exist, so that guessing an
id teaches nothing. Known is what may be seen, or what the call's own act is allowed for; of places, what is
above those too. Whether the act is allowed is asked after this, by `Call.require`.
"""

from collections.abc import Iterable

from ..errors import NotFoundError
from ..station.act import Act
from ..station.place import Place
from ..station.programs import Program
from ..station.pushes import Push
from ..station.radios import Radio
from ..station.speaker import Speaker
from ..streamer.broadcast import OnAir
from .call import Call
from .scope import Scope


def scopes(call: Call) -> tuple[Scope, ...]:
    """What the caller may see, and where the call's act is allowed."""
    authority = call.desk.authority
    seen = authority.scope(call.person, Act.SEE)
    if call.act is None or call.act is Act.SEE:
        return (seen,)
    return seen, authority.scope(call.person, call.act)


def knows(call: Call, place: str) -> bool:
    return any(scope.knows(place) for scope in scopes(call))


def sees(call: Call, targets: Iterable[str]) -> bool:
    """Whether anything at or below these places is within the caller's sight."""
    wanted = tuple(targets)
    return any(scope.touches(wanted) for scope in scopes(call))


def find_place(call: Call, place_id: str) -> Place:
    found = call.desk.directory.places.get(place_id)
    if found is None or not _shown(call, knows(call, place_id)):
        raise _unknown("place", place_id)
    return found


def find_speaker(call: Call, speaker_id: str) -> Speaker:
    found = call.desk.directory.speakers.get(speaker_id)
    if found is None or not _shown(call, any(scope.covers(found.place) for scope in scopes(call))):
        raise _unknown("speaker", speaker_id)
    return found


def find_program(call: Call, program_id: str) -> Program:
    """Content from above flows down: whoever is at or below its place knows it, and who is above that."""
    found = call.desk.directory.programs.get(program_id)
    if found is None or not _shown(call, knows(call, found.place)):
        raise _unknown("program", program_id)
    return found


def find_radio(call: Call, radio_id: str) -> Radio:
    """As a program: whoever is at or below its place knows it, and who is above that."""
    found = call.desk.radios.get(radio_id)
    if found is None or not _shown(call, knows(call, found.place)):
        raise _unknown("radio", radio_id)
    return found


def find_push(call: Call, push_id: str) -> Push:
    """As a radio."""
    found = call.desk.pushes.get(push_id)
    if found is None or not _shown(call, knows(call, found.place)):
        raise _unknown("push", push_id)
    return found


def find_on_air(call: Call) -> OnAir:
    """The broadcast of the path, which has not ended."""
    found = on_air(call)
    if found is None:
        raise NotFoundError(f"broadcast {call.id!r} is not on air, expected the id of one that is")
    return found


def on_air(call: Call) -> OnAir | None:
    try:
        found = call.desk.air.get(call.id)
    except NotFoundError:
        return None
    return found if _shown(call, sees(call, found.order.targets)) else None


def _shown(call: Call, known: bool) -> bool:
    """For the audit log: that something was there and was kept from the caller."""
    call.refused = call.refused or not known
    return known


def _unknown(what: str, name: str) -> NotFoundError:
    return NotFoundError(f"{what} {name!r} does not exist, expected the id of one that does")
