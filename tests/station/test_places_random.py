"""Places under random orders, held against a naive model that remembers every path ever given."""

import random
from dataclasses import dataclass, field

import pytest

from loa.errors import ConflictError
from loa.station.place import NewPlace, PlaceChange
from loa.station.station import Station

NAMES = ["Ấp 1", "Ấp 2", "Cao Lãnh", "Sa Đéc", "Mỹ Ngãi"]


@dataclass
class Model:
    """What the station should hold: parents as a plain map, and to whom each path was ever given."""

    root: str
    parents: dict[str, str | None] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)

    def inside(self, place: str) -> set[str]:
        return {other for other in self.parents if place in self.line(other)}

    def line(self, place: str) -> list[str]:
        line = [place]
        while (parent := self.parents[line[-1]]) is not None:
            line.append(parent)
        return line

    async def agrees(self, station: Station) -> None:
        places = {place.id: place for place in await station.places.list()}
        assert {place.id: place.parent for place in places.values()} == self.parents
        for place in places.values():
            names = [places[above].slug for above in reversed(self.line(place.id))]
            assert place.path == "/".join(names), "the path follows from the slugs of the ancestors"
            assert self.given.setdefault(place.path, place.id) == place.id, (
                "a path was given to another place"
            )
        assert len({place.path for place in places.values()}) == len(places)
        assert await station.places.paths() == self.given


@pytest.mark.parametrize("seed", range(6))
async def test_random_adding_renaming_moving_and_deleting_keeps_the_laws(
    station: Station, now_us: int, seed: int
) -> None:
    chance = random.Random(seed)
    root = await station.places.add(NewPlace("Đồng Tháp", "province"), now_us=now_us)
    model = Model(root.id, {root.id: None})
    await model.agrees(station)
    for step in range(1, 61):
        place, other = chance.choice(list(model.parents)), chance.choice(list(model.parents))
        match chance.randrange(5):
            case 0 | 1:
                new = NewPlace(chance.choice(NAMES), "zone", parent=place)
                model.parents[(await station.places.add(new, now_us=now_us + step)).id] = place
            case 2:
                renamed = PlaceChange(name=chance.choice(NAMES))
                await station.places.change(place, renamed, now_us=now_us + step)
            case 3:
                await move(station, model, place, other, now_us + step)
            case 4:
                await delete(station, model, place)
        await model.agrees(station)


async def move(station: Station, model: Model, place: str, under: str, now_us: int) -> None:
    change = station.places.change(place, PlaceChange(parent=under), now_us=now_us)
    if place == model.root or under in model.inside(place):
        with pytest.raises(ConflictError):
            await change
    else:
        await change
        model.parents[place] = under


async def delete(station: Station, model: Model, place: str) -> None:
    if place == model.root or model.inside(place) != {place}:
        with pytest.raises(ConflictError):
            await station.places.delete(place)
    else:
        await station.places.delete(place)
        del model.parents[place]
        model.given = {path: owner for path, owner in model.given.items() if owner != place}
