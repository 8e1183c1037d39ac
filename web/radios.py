"""Radios that can be relayed: keeping them, and finding out what an address is."""

from collections.abc import Iterator

from ..errors import ConflictError, InternalError
from ..station.act import Act
from ..station.radios import Radio, clean_address
from ..streamer.broadcast import RadioSource
from .call import Call
from .radio_models import RadioChange, RadioIn, RadioOut, TriedOut, TryIn
from .route import Listing, Route
from .sight import find_place, find_radio, knows


def radio_routes(api: str) -> tuple[Route, ...]:
    path, tag, edit = f"{api}/radios", "sources", Act.EDIT_CONTENT
    one = f"{path}/{{id}}"
    return (
        Route("GET", path, list_radios, "Radios and how their addresses stand", tag, act=Act.SEE),
        Route("POST", path, add_radio, "Add a radio", tag, act=edit, status=201, errors=(404,)),
        Route("POST", f"{path}/try", try_address, "What is at an address", tag, act=edit, errors=(503,)),
        Route("GET", one, get_radio, "One radio", tag, act=Act.SEE, errors=(404,)),
        Route("PATCH", one, change_radio, "Change a radio", tag, act=edit, errors=(404,)),
        Route("DELETE", one, remove_radio, "Remove a radio", tag, act=edit, status=204, errors=(404, 409)),
    )


async def list_radios(call: Call) -> Listing[RadioOut]:
    """By name; `radio` events tell of every change."""
    call.require()
    return Listing(_radios(call))


def _radios(call: Call) -> Iterator[RadioOut]:
    for radio in call.desk.radios:
        if knows(call, radio.place):
            yield call.desk.radios.out(radio)


async def get_radio(call: Call) -> RadioOut:
    call.require()
    return call.desk.radios.out(find_radio(call, call.id))


async def add_radio(call: Call, body: RadioIn) -> RadioOut:
    """Nothing is fetched before it is on air; try its addresses first."""
    place = find_place(call, body.place).id if body.place else _own_place(call)
    call.require([place])
    radio = await call.desk.station.radios.add(
        place=place,
        name=body.name,
        addresses=body.addresses,
        created_by=call.person.id,
        now_us=call.desk.clock.now_us(),
    )
    call.about(radio.id, [place], name=radio.name)
    call.desk.radios.put(radio)
    return call.desk.radios.out(radio)


async def change_radio(call: Call, body: RadioChange) -> RadioOut:
    """What is on air goes on with the addresses that it began with."""
    radio = _mine(call)
    changed = await call.desk.station.radios.change(radio.id, name=body.name, addresses=body.addresses)
    call.about(name=changed.name)
    call.desk.radios.put(changed)
    return call.desk.radios.out(changed)


async def remove_radio(call: Call) -> None:
    radio = _mine(call)
    call.about(name=radio.name)
    sources = [on_air.order.source for on_air in call.desk.air.on_air()]
    if any(isinstance(source, RadioSource) and source.radio == radio.id for source in sources):
        raise ConflictError(f"radio {radio.name!r} is on air; expected one that no broadcast relays")
    await call.desk.station.radios.delete(radio.id)
    call.desk.radios.drop(radio.id)


async def try_address(call: Call, body: TryIn) -> TriedOut:
    """Listens for a moment. What is wrong with the address is told in `error`."""
    call.require()
    address = clean_address(body.address)
    found = await call.desk.services.relays.find_out(address)
    error = found.addresses[0].error if found.addresses else ""
    return TriedOut(
        ok=found.sounding,
        codec=found.codec,
        kind=found.kind,
        station=found.name,
        title=found.title,
        error=error or None,
    )


def _mine(call: Call) -> Radio:
    radio = find_radio(call, call.id)
    call.require([radio.place])
    return radio


def _own_place(call: Call) -> str:
    """The highest at which this person may keep content."""
    call.require()
    top = call.desk.authority.scope(call.person, Act.EDIT_CONTENT).top()
    if top is None:
        raise InternalError("radio: nowhere to keep it, expected the authority to have said so before")
    return top
