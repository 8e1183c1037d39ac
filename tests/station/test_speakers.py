"""Speakers and the codes with which they join."""

import pytest

from loa.errors import ConflictError, DeniedError, NotFoundError, OperatorError
from loa.station.codes import CODE_TTL_US, Device
from loa.station.place import NewPlace, Place
from loa.station.speaker import NewSpeaker, Nowhere, SpeakerChange, SpeakerState
from loa.station.station import Station
from loa.trust.enrol import hash_secret

KEY, OTHER_KEY = "ab" * 32, "cd" * 32
DEVICE = Device(KEY, "SN-1", "loa 0.1")
HASH = hash_secret(b"0123456789")


async def test_a_speaker_is_kept_changed_and_deleted(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    new = NewSpeaker(commune.id, " Cụm  1 ", KEY, serial="SN", lat=10.46, lon=105.63)
    speaker = await station.speakers.add(new, now_us=now_us)
    assert speaker == await station.speakers.get(speaker.id) == await station.speakers.by_key(KEY)
    assert (speaker.name, speaker.state, speaker.last_seen_us) == ("Cụm 1", SpeakerState.ACTIVE, None)
    changed = await station.speakers.change(
        speaker.id,
        SpeakerChange(
            name="Cụm 2", place=province.id, position=Nowhere.NOWHERE, state=SpeakerState.BLOCKED, notes="x"
        ),
    )
    assert (changed.name, changed.place, changed.lat, changed.lon) == ("Cụm 2", province.id, None, None)
    assert (changed.state, changed.notes, changed.serial) == (SpeakerState.BLOCKED, "x", "SN")
    await station.speakers.delete(speaker.id)
    with pytest.raises(NotFoundError, match=speaker.id):
        await station.speakers.get(speaker.id)


async def test_they_are_listed_and_counted_by_place(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    made = await station.speakers.add_many(
        [NewSpeaker(commune.id, f"Cụm {n:04}", f"{n:064x}") for n in range(1200)], now_us=now_us
    )
    above = await station.speakers.add(NewSpeaker(province.id, "Tỉnh", KEY), now_us=now_us)
    assert await station.speakers.list([commune.id]) == tuple(made)
    assert {speaker.id for speaker in await station.speakers.list()} == {above.id} | {s.id for s in made}
    assert await station.speakers.list([]) == ()
    assert await station.speakers.count() == {commune.id: 1200, province.id: 1}


async def test_the_same_key_twice_or_a_place_that_is_not_is_refused(
    station: Station, commune: Place, now_us: int
) -> None:
    speaker = await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", KEY), now_us=now_us)
    with pytest.raises(ConflictError, match="Cụm 1"):
        await station.speakers.add(NewSpeaker(commune.id, "Cụm 2", KEY), now_us=now_us)
    with pytest.raises(ConflictError, match="taken"):
        await station.speakers.add(NewSpeaker(commune.id, "Cụm 2", OTHER_KEY, id=speaker.id), now_us=now_us)
    with pytest.raises(NotFoundError, match="ffffffffffffffff"):
        await station.speakers.add(NewSpeaker("f" * 16, "Cụm 2", OTHER_KEY), now_us=now_us)
    with pytest.raises(NotFoundError, match="ffffffffffffffff"):
        await station.speakers.change(speaker.id, SpeakerChange(place="f" * 16))
    twins = [NewSpeaker(commune.id, name, OTHER_KEY) for name in ("Cụm 2", "Cụm 3")]
    with pytest.raises(ConflictError, match="same key"):
        await station.speakers.add_many(twins, now_us=now_us)
    later = [NewSpeaker(commune.id, f"{n}", f"{n:064x}") for n in range(600)]
    with pytest.raises(ConflictError, match="Cụm 1"):
        await station.speakers.add_many([*later, NewSpeaker(commune.id, "x", KEY)], now_us=now_us)
    assert len(await station.speakers.list()) == 1, "all or none"


async def test_last_seen_goes_forward_only_and_strangers_are_ignored(
    station: Station, commune: Place, now_us: int
) -> None:
    speaker = await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", KEY), now_us=now_us)
    for at_us, seen_us in ((now_us, now_us), (now_us - 5, now_us), (now_us + 5, now_us + 5)):
        await station.speakers.seen({speaker.id: at_us, "f" * 16: at_us})
        assert (await station.speakers.get(speaker.id)).last_seen_us == seen_us
    await station.speakers.seen({})


async def test_moving_a_speaker_steps_the_version_of_the_territory(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    speaker = await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", KEY), now_us=now_us)
    version = await station.places.version()
    await station.speakers.change(speaker.id, SpeakerChange(name="Cụm 2"))
    assert await station.places.version() == version
    await station.speakers.change(speaker.id, SpeakerChange(place=province.id))
    assert await station.places.version() == version + 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"public_key": "AB" * 32}, "64 lower-case hex"),
        ({"name": ""}, "name of the speaker"),
        ({"serial": "x" * 65}, "serial number"),
        ({"software": "a\nb"}, "software"),
        ({"lat": 1.0}, "both"),
        ({"lat": 91.0, "lon": 0.0}, "degrees"),
        ({"lat": float("nan"), "lon": 0.0}, "both"),
        ({"notes": "x" * 2001}, "notes"),
        ({"place": "x"}, "16 lower-case hex"),
    ],
)
def test_a_speaker_that_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        NewSpeaker(**({"place": "0" * 16, "name": "Cụm", "public_key": KEY} | wrong))  # type: ignore[arg-type]


async def test_a_code_enrols_one_device_at_its_place_once(
    station: Station, commune: Place, now_us: int
) -> None:
    code = await station.codes.add(HASH, place=commune.id, name="Cụm 1", now_us=now_us)
    assert await station.codes.open(now_us) == (code,)
    speaker = await station.codes.redeem(HASH, DEVICE, now_us=now_us + 1)
    assert (speaker.place, speaker.name, speaker.public_key) == (commune.id, "Cụm 1", KEY)
    assert (speaker.serial, speaker.software, speaker.enrolled_at_us) == ("SN-1", "loa 0.1", now_us + 1)
    assert await station.codes.open(now_us) == ()
    assert await station.codes.redeem(HASH, DEVICE, now_us=now_us + 2) == speaker, "the answer was lost"
    neighbour = await station.speakers.add(NewSpeaker(commune.id, "Cụm 2", OTHER_KEY), now_us=now_us)
    for key in (OTHER_KEY, "ef" * 32):
        with pytest.raises(DeniedError, match="not valid"):
            await station.codes.redeem(HASH, Device(key, "", ""), now_us=now_us + 3)
    assert await station.speakers.list() == (speaker, neighbour)


async def test_unknown_expired_and_cancelled_codes_are_refused_in_the_same_words(
    station: Station, commune: Place, now_us: int
) -> None:
    words = set()
    await station.codes.add(HASH, place=commune.id, name="Cụm 1", now_us=now_us)
    for hash, at_us in ((hash_secret(b"x" * 10), now_us), (HASH, now_us + CODE_TTL_US)):
        with pytest.raises(DeniedError) as refusal:
            await station.codes.redeem(hash, DEVICE, now_us=at_us)
        words.add(str(refusal.value))
    await station.codes.cancel(HASH)
    with pytest.raises(DeniedError) as refusal:
        await station.codes.redeem(HASH, DEVICE, now_us=now_us)
    assert words == {str(refusal.value)}
    assert await station.speakers.list() == ()


async def test_a_known_device_with_a_new_code_moves_and_stays_itself(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    speaker = await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", KEY), now_us=now_us)
    await station.codes.add(HASH, place=province.id, name="Cụm tỉnh", now_us=now_us)
    moved = await station.codes.redeem(HASH, DEVICE, now_us=now_us)
    assert (moved.id, moved.place, moved.name) == (speaker.id, province.id, "Cụm tỉnh")


async def test_a_blocked_device_is_not_let_in_by_a_code_old_or_new(
    station: Station, commune: Place, now_us: int
) -> None:
    await station.codes.add(HASH, place=commune.id, name="Cụm 1", now_us=now_us)
    speaker = await station.codes.redeem(HASH, DEVICE, now_us=now_us)
    await station.speakers.change(speaker.id, SpeakerChange(state=SpeakerState.BLOCKED))
    second = hash_secret(b"second....")
    await station.codes.add(second, place=commune.id, name="Cụm 1", now_us=now_us)
    for hash in (HASH, second):
        with pytest.raises(DeniedError, match="blocked"):
            await station.codes.redeem(hash, DEVICE, now_us=now_us)
    assert len(await station.codes.open(now_us)) == 1


async def test_codes_go_with_their_place_and_expired_ones_are_forgotten(
    station: Station, province: Place, now_us: int
) -> None:
    hamlet = await station.places.add(NewPlace("Ấp 1", "hamlet", parent=province.id), now_us=now_us)
    await station.codes.add(HASH, place=hamlet.id, name="Cụm 1", now_us=now_us)
    await station.places.delete(hamlet.id)
    assert await station.codes.open(now_us) == ()
    await station.codes.add(HASH, place=province.id, name="Cụm 1", now_us=now_us)
    with pytest.raises(ConflictError, match="fresh"):
        await station.codes.add(HASH, place=province.id, name="Cụm 1", now_us=now_us)
    assert [await station.codes.purge(at) for at in (now_us, now_us + CODE_TTL_US)] == [0, 1]
    with pytest.raises(NotFoundError, match=hamlet.id):
        await station.codes.add(HASH, place=hamlet.id, name="Cụm 1", now_us=now_us)
