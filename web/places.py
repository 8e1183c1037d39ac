"""The tree of places: reading it, editing it, and whom an order to some of it would reach."""

from collections.abc import Iterator

from ..station.place import UNCHANGED, NewPlace, PlaceChange
from .call import Call
from .order_rules import read_targets
from .route import Listing
from .territory_models import PlaceIn, PlaceOrderIn, PlaceOut, PlacePatch, ReachOut, ReachQuery


async def list_places(call: Call) -> Listing[PlaceOut]:
    """In depth-first order: parents before their children."""
    call.require()
    return Listing(_places(call))


def _places(call: Call) -> Iterator[PlaceOut]:
    for place in list(call.desk.directory.places.values()):
        yield call.desk.view.place(place)


async def add_place(call: Call, body: PlaceIn) -> PlaceOut:
    call.require([body.parent] if body.parent else [])
    new = NewPlace(name=body.name, kind=body.kind, parent=body.parent, slug=body.slug)
    place = await call.desk.station.places.add(new, now_us=call.desk.clock.now_us())
    await call.desk.places_changed()
    return call.desk.view.place(call.desk.directory.place(place.id))


async def change_place(call: Call, body: PlacePatch) -> PlaceOut:
    call.desk.directory.place(call.id)
    call.require([call.id, body.parent] if body.parent else [call.id])
    given = body.model_fields_set
    change = PlaceChange(
        name=body.name,
        parent=body.parent,
        slug=body.slug,
        position=body.position,
        latency_ms=body.latency_ms if "latency_ms" in given else UNCHANGED,
        profile=body.profile if "profile" in given else UNCHANGED,
    )
    await call.desk.station.places.change(call.id, change, now_us=call.desk.clock.now_us())
    await call.desk.places_changed()
    return call.desk.view.place(call.desk.directory.place(call.id))


async def reorder_place(call: Call, body: PlaceOrderIn) -> None:
    """On a clash within the priority class the commune decides (Circular 39/2020)."""
    call.desk.directory.place(call.id)
    call.require([call.id])
    call.desk.air.reorder(call.id, body.broadcasts)


async def preview_reach(call: Call, query: ReachQuery) -> ReachOut:
    """What an order to these places would reach: the words on the button."""
    targets = read_targets(query.targets.split(","), call.desk.air.territory)
    call.require(targets)
    return call.desk.view.reach_preview(targets)
