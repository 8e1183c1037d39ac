"""Volume orders: the latest stands, and no warning is mute."""

import math

import pytest

from loa.errors import OperatorError
from loa.station.place import Place
from loa.station.speaker import NewSpeaker
from loa.station.station import Station
from loa.station.volumes import Loudness, StoredVolume


def an_order(target: str, version: int, db: float) -> StoredVolume:
    return StoredVolume(target, version, Loudness(db, -3.0, muted=False), b"signed", "0" * 16)


async def test_the_latest_order_for_a_target_stands(station: Station, commune: Place) -> None:
    other = an_order("f" * 16, 1, -1.0)
    await station.volumes.put(other)
    for version, db in ((5, -10.0), (7, -12.0), (7, -13.0), (6, -14.0)):
        await station.volumes.put(an_order(commune.id, version, db))
    stored = {order.target: order for order in await station.volumes.list()}
    assert stored == {commune.id: an_order(commune.id, 7, -12.0), other.target: other}


async def test_an_order_goes_with_its_speaker(station: Station, commune: Place, now_us: int) -> None:
    speaker = await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", "ab" * 32), now_us=now_us)
    kept = an_order(commune.id, 1, -1.0)
    for order in (kept, an_order(speaker.id, 1, -1.0)):
        await station.volumes.put(order)
    await station.speakers.delete(speaker.id, now_us=now_us)
    assert await station.volumes.list() == (kept,)


@pytest.mark.parametrize(
    ("volume_db", "floor_db", "says"),
    [
        (0.1, 0.0, "^volume"),
        (-60.1, 0.0, "^volume"),
        (math.nan, 0.0, "^volume"),
        (0.0, -20.1, "^emergency floor"),
        (0.0, 0.1, "^emergency floor"),
        (0.0, math.nan, "^emergency floor"),
    ],
)
def test_what_cannot_be_ordered(volume_db: float, floor_db: float, says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        Loudness(volume_db, floor_db, muted=True)
