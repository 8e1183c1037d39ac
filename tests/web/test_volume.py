"""How loud: the nearest order rules, and no emergency is mute."""

from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.loudness import VolumeBook
from loa.station.station import Station
from loa.trust.keys import SigningKey
from loa.trust.statements import VolumeOrder, open_statement, parse_statement, sign_statement

from .conftest import REGISTRAR

QUIET = {"volume_db": -12.5, "emergency_floor_db": -6.0, "muted": False}
MUTE = {"volume_db": 0.0, "emergency_floor_db": -20.0, "muted": True}
FULL = {"volume_db": 0.0, "emergency_floor_db": 0.0, "muted": False}


def at(place: Any) -> str:
    return f"/api/v1/places/{place.id}/volume"


async def test_the_nearest_order_rules(page: Any, land: Any) -> None:
    name = land.at(land.hamlet)[0]
    of_speaker = f"/api/v1/speakers/{name}/volume"
    nothing = {"own": None, "effective": FULL, "source": "default", "source_id": None}
    assert await page.get(of_speaker) == await page.get(at(land.province)) == nothing
    told = await page.call("PUT", at(land.north), QUIET)
    assert told == {"own": QUIET, "effective": QUIET, "source": "place", "source_id": land.north.id}
    inherited = {"own": None, "effective": QUIET, "source": "place", "source_id": land.north.id}
    assert await page.get(of_speaker) == await page.get(at(land.hamlet)) == inherited
    assert await page.get(at(land.south)) == nothing
    told = await page.call("PUT", of_speaker, MUTE)
    assert told == {"own": MUTE, "effective": MUTE, "source": "speaker", "source_id": name}
    assert await page.get(at(land.hamlet)) == inherited


async def test_an_order_is_signed_stored_and_outlives_the_node(
    page: Any, land: Any, station: Station, clock: VirtualClock, air: Any
) -> None:
    for body in (MUTE, QUIET):
        await page.call("PUT", at(land.north), body)
    (stored,) = await station.volumes.list()
    signed = open_statement(parse_statement(stored.statement), REGISTRAR.public)
    assert signed == VolumeOrder(land.north.id, stored.version, -12.5, -6.0, muted=False)
    assert stored.version == clock.now_us() + 1, "two in one instant: the later is the higher"

    def sign(order: VolumeOrder) -> Any:
        return sign_statement(order, REGISTRAR)

    book = VolumeBook(station.volumes, sign, clock, lambda: air.territory)
    await book.load()
    assert book.of(land.north.id) == stored.loudness
    (name, _) = land.at(land.hamlet)
    assert len(book.messages(name, land.hamlet.id)) == 1
    assert stored.statement[-64:] in book.messages(name, land.hamlet.id)[0]
    assert book.messages(land.at(land.south)[0], land.south.id) == []


async def test_when_another_key_signs_for_volume_every_order_is_signed_anew(
    page: Any, land: Any, station: Station, clock: VirtualClock, air: Any
) -> None:
    for place in (land.north, land.south):
        await page.call("PUT", at(place), QUIET)
    before = {one.target: one for one in await station.volumes.list()}
    fresh = SigningKey.generate()
    book = VolumeBook(
        station.volumes, lambda order: sign_statement(order, fresh), clock, lambda: air.territory
    )
    await book.load()
    for _ in range(2):
        await book.sign_anew(fresh.public.key_id)
        after = {one.target: one for one in await station.volumes.list()}
        assert after.keys() == before.keys()
        for target, one in after.items():
            signed = open_statement(parse_statement(one.statement), fresh.public)
            assert isinstance(signed, VolumeOrder)
            assert one.version == before[target].version + 1, "once, and newer than what speakers have"
            assert (one.loudness, one.ordered_by) == (before[target].loudness, before[target].ordered_by)


@pytest.mark.parametrize(
    "wrong",
    [
        {"emergency_floor_db": -20.5},
        {"emergency_floor_db": 1},
        {"volume_db": -61},
        {"volume_db": 0.5},
        {"volume_db": None},
        {"muted": "quiet"},
        {"version": 7},
    ],
)
async def test_what_cannot_be_ordered_orders_nothing(
    page: Any, land: Any, station: Station, wrong: dict[str, object]
) -> None:
    for path in (at(land.north), f"/api/v1/speakers/{land.at(land.north)[0]}/volume"):
        await page.call("PUT", path, QUIET | wrong, status=422)
    assert await station.volumes.list() == ()


async def test_nobody_orders_where_there_is_nothing(page: Any) -> None:
    for kind in ("places", "speakers"):
        path = f"/api/v1/{kind}/0123456789abcdef/volume"
        await page.call("PUT", path, QUIET, status=404)
        await page.get(path, status=404)
