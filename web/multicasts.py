"""The multicast groups that devices of a LAN hear a place by. No such device verifies what it plays."""

from ..errors import NotFoundError
from ..station.act import Act
from ..streamer.outputs.group import Group, LanCodec
from ..wire.rank import BroadcastClass
from .call import Call
from .model import ClassName
from .multicast_models import MulticastIn, MulticastOut, MulticastQuery
from .route import Listing, Route
from .sight import find_place, knows


def multicast_routes(api: str) -> tuple[Route, ...]:
    path, tag, edit = f"{api}/multicasts", "territory", Act.EDIT_PLACES
    return (
        Route("GET", path, list_multicasts, "Multicast groups on LANs", tag, act=Act.SEE, errors=(404,)),
        Route("POST", path, add_multicast, "Add one", tag, act=edit, status=201, errors=(404, 409)),
        Route(
            "DELETE",
            f"{path}/{{id}}",
            remove_multicast,
            "Remove one",
            tag,
            act=edit,
            status=204,
            errors=(404,),
        ),
    )


async def list_multicasts(call: Call, query: MulticastQuery) -> Listing[MulticastOut]:
    """By address and port, and whether something is sent there now."""
    call.require([query.place] if query.place else [])
    desk = call.desk
    scope = desk.authority.scope(call.person, Act.SEE)
    below = {query.place} if query.place else set()
    territory = desk.air.territory
    groups = [
        group
        for group in await desk.station.multicasts.list()
        if scope.covers(group.place) and (not below or below.intersection(territory.ancestry(group.place)))
    ]
    return Listing(_out(call, group) for group in groups)


async def add_multicast(call: Call, body: MulticastIn) -> MulticastOut:
    """Nothing is sent before the operator has turned multicast on in the settings."""
    place = find_place(call, body.place)
    call.require([place.id])
    group = await call.desk.station.multicasts.add(
        place=place.id,
        group=body.group,
        port=body.port,
        codec=LanCodec(body.codec),
        classes=[BroadcastClass[cls.name] for cls in body.classes],
        ttl=body.ttl,
        interface=body.interface,
        created_by=call.person.id,
        now_us=call.desk.clock.now_us(),
    )
    call.about(group.id, [place.id], name=f"{group.group} {group.port}", kind=body.codec)
    await _use(call)
    return _out(call, group)


async def remove_multicast(call: Call) -> None:
    found = next((one for one in await call.desk.station.multicasts.list() if one.id == call.id), None)
    if found is None or not knows(call, found.place):
        raise NotFoundError(f"multicast {call.id!r} does not exist, expected the id of one that does")
    call.require([found.place])
    call.about(found.id, name=f"{found.group} {found.port}")
    await call.desk.station.multicasts.delete(found.id)
    await _use(call)


async def _use(call: Call) -> None:
    call.desk.services.multicast.use(await call.desk.station.multicasts.list())


def _out(call: Call, group: Group) -> MulticastOut:
    state, fault = call.desk.services.multicast.state(group.id)
    return MulticastOut(
        id=group.id,
        place=group.place,
        group=group.group,
        port=group.port,
        codec=group.codec.value,
        classes=[ClassName(cls.name.lower()) for cls in sorted(group.classes)],
        ttl=group.ttl,
        interface=group.interface,
        verified=False,
        state=state.value,
        fault=fault,
        sdp=group.sdp(),
    )
