"""Encoders that may push, and their passwords."""

import pytest

from loa.errors import ConflictError, NotFoundError, OperatorError
from loa.station.place import NewPlace
from loa.station.pushes import make_password
from loa.station.station import Station

NOW_US = 1_800_000_000_000_000


async def place(station: Station) -> str:
    return (await station.places.add(NewPlace("Xã", "commune"), now_us=NOW_US)).id


async def test_a_password_opens_its_own_push_only_and_is_kept_as_a_hash(station: Station) -> None:
    where = await place(station)
    one = await station.pushes.add(place=where, name="may-1", title="Máy 1", created_by=None, now_us=NOW_US)
    two = await station.pushes.add(place=where, name="may-2", title="Máy 2", created_by=None, now_us=NOW_US)
    assert one.about.opens(one.password)
    assert one.about.opens(f" {one.password}\n")
    assert not one.about.opens(two.password)
    assert not one.about.opens("")
    assert one.password not in repr(one) + repr(one.about) + one.about.password_hash
    assert [push.name for push in await station.pushes.list()] == ["may-1", "may-2"]


async def test_another_password_voids_the_old_one(station: Station) -> None:
    old = await station.pushes.add(
        place=await place(station), name="may", title="Máy", created_by=None, now_us=NOW_US
    )
    new = await station.pushes.rotate(old.about.id)
    (kept,) = await station.pushes.list()
    assert kept.opens(new.password)
    assert not kept.opens(old.password)


async def test_a_name_is_a_slug_and_no_two_are_equal(station: Station) -> None:
    where = await place(station)
    made = await station.pushes.add(place=where, name=" May ", title="a", created_by=None, now_us=NOW_US)
    other = await station.pushes.add(place=where, name="kia", title="b", created_by=None, now_us=NOW_US)
    assert made.about.name == "may"
    with pytest.raises(ConflictError, match="may"):
        await station.pushes.add(place=where, name="may", title="c", created_by=None, now_us=NOW_US)
    with pytest.raises(ConflictError):
        await station.pushes.change(other.about.id, name="may")
    for wrong in ("", "máy", "a/b", "../a", "a b", "a" * 64):
        with pytest.raises(OperatorError):
            await station.pushes.change(other.about.id, name=wrong)


async def test_what_is_not_there_is_told(station: Station) -> None:
    for act in (station.pushes.rotate, station.pushes.delete, station.pushes.change):
        with pytest.raises(NotFoundError):
            await act("f" * 16)


def test_passwords_have_a_hundred_bits_and_no_letters_to_confuse() -> None:
    made = {make_password() for _ in range(200)}
    assert len(made) == 200
    letters = set("".join(made)) - {"-"}
    assert letters <= set("abcdefghijkmnpqrstuvwxyz23456789")
    assert len(letters) == 32
    assert all(len(one.replace("-", "")) == 20 for one in made)
