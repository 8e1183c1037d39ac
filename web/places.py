"""The tree of places: reading it, editing it, and whom an order to some of it would reach."""

from collections.abc import Iterator
from functools import partial

from ..station.act import Act
from ..station.place import UNCHANGED, NewPlace, PlaceChange
from .call import Call
from .order_rules import read_targets
from .route import Listing
from .sight import find_place, knows
from .territory_models import PlaceIn, PlaceOrderIn, PlaceOut, PlacePatch, ReachOut, ReachQuery


async def list_places(call: Call) -> Listing[PlaceOut]:
    """In depth-first order: parents before their children. Those above what one may see are named only."""
    call.require()
    return Listing(_places(call))


def _places(call: Call) -> Iterator[PlaceOut]:
    scope = call.desk.authority.scope(call.person, Act.SEE)
    above = set(scope.above())
    for place in list(call.desk.directory.places.values()):
        if scope.covers(place.id):
            yield call.desk.view.place(place)
        elif place.id in above:
            yield call.desk.view.place_above(place)


async def add_place(call: Call, body: PlaceIn) -> PlaceOut:
    call.require([body.parent] if body.parent else [])
    new = NewPlace(name=body.name, kind=body.kind, parent=body.parent, slug=body.slug)
    place = await call.desk.station.places.add(new, now_us=call.desk.clock.now_us())
    await call.desk.places_changed()
    return call.desk.view.place(call.desk.directory.place(place.id))


async def change_place(call: Call, body: PlacePatch) -> PlaceOut:
    place = find_place(call, call.id)
    moves = body.parent is not None and body.parent != place.parent
    call.require([p for p in (call.id, place.parent, body.parent) if p] if moves else [call.id])
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
    """On a clash within the priority class the commune decides, whoever ordered (Circular 39/2020)."""
    find_place(call, call.id)
    call.require([call.id])
    call.desk.air.reorder(call.id, body.broadcasts)


async def preview_reach(call: Call, query: ReachQuery) -> ReachOut:
    """What an order to these places would reach: the words on the button."""
    targets = read_targets(query.targets.split(","), call.desk.air.territory, partial(knows, call))
    call.require(targets)
    return call.desk.view.reach_preview(targets)
