"""Speakers: kept, moved, let in, shut out, taken over."""

import pytest

from loa.errors import ConflictError, NotFoundError, OperatorError
from loa.station.place import Place
from loa.station.speaker import NewSpeaker, Nowhere, SpeakerChange, SpeakerState, SpeakerStep, after
from loa.station.station import Station

KEY, OTHER_KEY = "ab" * 32, "cd" * 32


async def test_a_speaker_is_kept_changed_and_deleted(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    new = NewSpeaker(commune.id, " Cụm  1 ", KEY, serial="SN", lat=10.46, lon=105.63)
    speaker = await station.speakers.add(new, now_us=now_us)
    assert speaker == await station.speakers.get(speaker.id) == await station.speakers.by_key(KEY)
    assert (speaker.name, speaker.state, speaker.last_seen_us) == ("Cụm 1", SpeakerState.ACTIVE, None)
    changed = await station.speakers.change(
        speaker.id,
        SpeakerChange(name="Cụm 2", place=province.id, position=Nowhere.NOWHERE, notes="x"),
    )
    assert (changed.name, changed.place, changed.lat, changed.lon) == ("Cụm 2", province.id, None, None)
    assert (changed.state, changed.notes, changed.serial) == (SpeakerState.ACTIVE, "x", "SN")
    await station.speakers.delete(speaker.id, now_us=now_us)
    with pytest.raises(NotFoundError, match=speaker.id):
        await station.speakers.get(speaker.id)
    with pytest.raises(ConflictError, match="void"):
        await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", KEY), now_us=now_us)


async def test_they_are_listed_and_counted_by_place(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    made = await station.speakers.add_many(
        [NewSpeaker(commune.id, f"Cụm {n:04}", f"a{n:063x}") for n in range(1200)], now_us=now_us
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
    later = [NewSpeaker(commune.id, f"{n}", f"a{n:063x}") for n in range(600)]
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
        ({"public_key": "00" * 32}, "small order"),
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


A, P, B = SpeakerState.ACTIVE, SpeakerState.PENDING, SpeakerState.BLOCKED
STEPS = {
    (P, SpeakerStep.APPROVE): A,
    (P, SpeakerStep.BLOCK): B,
    (P, SpeakerStep.UNBLOCK): None,
    (A, SpeakerStep.APPROVE): A,
    (A, SpeakerStep.BLOCK): B,
    (A, SpeakerStep.UNBLOCK): A,
    (B, SpeakerStep.APPROVE): None,
    (B, SpeakerStep.BLOCK): B,
    (B, SpeakerStep.UNBLOCK): A,
}


@pytest.mark.parametrize("state", SpeakerState)
@pytest.mark.parametrize("step", SpeakerStep)
def test_what_a_person_may_decide_about_a_speaker(state: SpeakerState, step: SpeakerStep) -> None:
    then = STEPS[state, step]
    if then is None:
        with pytest.raises(ConflictError, match=f"it is {state}, so it cannot be told to {step}"):
            after(state, step)
    else:
        assert after(state, step) is then


async def test_a_decision_is_kept(station: Station, commune: Place, now_us: int) -> None:
    new = NewSpeaker(commune.id, "Cụm 1", KEY, state=SpeakerState.PENDING)
    speaker = await station.speakers.add(new, now_us=now_us)
    assert speaker.state is SpeakerState.PENDING
    for step, state in ((SpeakerStep.APPROVE, A), (SpeakerStep.BLOCK, B), (SpeakerStep.UNBLOCK, A)):
        assert (await station.speakers.step(speaker.id, step)).state is state
        assert (await station.speakers.get(speaker.id)).state is state
    with pytest.raises(NotFoundError, match="ffffffffffffffff"):
        await station.speakers.step("f" * 16, SpeakerStep.BLOCK)
