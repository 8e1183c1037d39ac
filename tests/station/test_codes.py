"""One-time codes: who joins with one, who does not, and who takes another's place."""

import pytest

from loa.errors import ConflictError, DeniedError, NotFoundError, OperatorError
from loa.station.codes import CODE_TTL_US, MAX_TTL_US, Device, NewCode
from loa.station.place import NewPlace, Place
from loa.station.speaker import NewSpeaker, SpeakerChange, SpeakerState, SpeakerStep
from loa.station.station import Station
from loa.trust.enrol import hash_secret

KEY, OTHER_KEY, THIRD_KEY = "ab" * 32, "cd" * 32, "ef" * 32
DEVICE, OTHER = Device(KEY, "SN-1", "loa 0.1"), Device(OTHER_KEY, "SN-2", "loa 0.2")
HASH, SECOND = hash_secret(b"0123456789"), hash_secret(b"second....")


async def test_a_code_enrols_one_device_at_its_place_once(
    station: Station, commune: Place, now_us: int
) -> None:
    code = await station.codes.add(NewCode(HASH, commune.id, " Cụm  1"), now_us=now_us)
    assert await station.codes.open((commune.id,), now_us) == (code,)
    assert await station.codes.get(code.id, now_us) == code
    speaker = await station.codes.redeem(HASH, DEVICE, now_us=now_us + 1)
    assert (speaker.place, speaker.name, speaker.public_key) == (commune.id, "Cụm 1", KEY)
    assert (speaker.serial, speaker.software, speaker.enrolled_at_us) == ("SN-1", "loa 0.1", now_us + 1)
    assert speaker.state is SpeakerState.PENDING
    assert await station.codes.open((commune.id,), now_us) == ()
    with pytest.raises(NotFoundError, match=code.id):
        await station.codes.get(code.id, now_us)
    assert await station.codes.redeem(HASH, DEVICE, now_us=now_us + 2) == speaker, "the answer was lost"
    with pytest.raises(DeniedError, match="not valid"):
        await station.codes.redeem(HASH, OTHER, now_us=now_us + 3)
    assert await station.speakers.list() == (speaker,)


async def test_a_code_that_was_approved_beforehand_lets_its_device_in(
    station: Station, commune: Place, now_us: int
) -> None:
    await station.codes.add(NewCode(HASH, commune.id, "Cụm 1", approved=True), now_us=now_us)
    assert (await station.codes.redeem(HASH, DEVICE, now_us=now_us)).state is SpeakerState.ACTIVE


async def test_open_codes_are_those_of_the_places_asked_for(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    there = await station.codes.add(NewCode(HASH, commune.id, "Cụm 1"), now_us=now_us)
    await station.codes.add(NewCode(SECOND, province.id, "Cụm 2"), now_us=now_us)
    assert await station.codes.open((commune.id,), now_us) == (there,)
    assert await station.codes.open((commune.id,), now_us + CODE_TTL_US) == ()


async def test_unknown_expired_and_cancelled_codes_are_refused_in_the_same_words(
    station: Station, commune: Place, now_us: int
) -> None:
    words = set()
    code = await station.codes.add(NewCode(HASH, commune.id, "Cụm 1"), now_us=now_us)
    for hash, at_us in ((hash_secret(b"x" * 10), now_us), (HASH, now_us + CODE_TTL_US)):
        with pytest.raises(DeniedError) as refusal:
            await station.codes.redeem(hash, DEVICE, now_us=at_us)
        words.add(str(refusal.value))
    await station.codes.cancel(code.id)
    await station.codes.cancel(code.id)
    with pytest.raises(DeniedError) as refusal:
        await station.codes.redeem(HASH, DEVICE, now_us=now_us)
    assert words == {str(refusal.value)}
    assert await station.speakers.list() == ()


@pytest.mark.parametrize("hash", [HASH, SECOND, hash_secret(b"never made")])
async def test_a_device_enrols_once_and_learns_nothing_of_other_codes(
    station: Station, province: Place, commune: Place, now_us: int, hash: str
) -> None:
    """Open, used by another, never made: the same words."""
    speaker = await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", KEY), now_us=now_us)
    await station.codes.add(NewCode(HASH, province.id, "Cụm tỉnh", approved=True), now_us=now_us)
    await station.codes.add(NewCode(SECOND, province.id, "Cụm khác"), now_us=now_us)
    await station.codes.redeem(SECOND, OTHER, now_us=now_us)
    with pytest.raises(ConflictError, match=r"^this device is enrolled already; expected"):
        await station.codes.redeem(hash, DEVICE, now_us=now_us)
    assert await station.speakers.get(speaker.id) == speaker


@pytest.mark.parametrize("how", ["blocked", "removed", "replaced"])
async def test_a_device_that_was_shut_out_is_let_in_by_no_code_old_or_new(
    station: Station, commune: Place, now_us: int, how: str
) -> None:
    codes, third = station.codes, hash_secret(b"third.....")
    await codes.add(NewCode(HASH, commune.id, "Cụm 1", approved=True), now_us=now_us)
    speaker = await codes.redeem(HASH, DEVICE, now_us=now_us)
    if how == "blocked":
        await station.speakers.step(speaker.id, SpeakerStep.BLOCK)
    elif how == "removed":
        await station.speakers.delete(speaker.id, now_us=now_us)
    else:
        await codes.add(NewCode(third, commune.id, "Cụm 1", replaces=speaker.id), now_us=now_us)
        await codes.redeem(third, OTHER, now_us=now_us)
    await codes.add(NewCode(SECOND, commune.id, "Cụm 1", approved=True), now_us=now_us)
    before = await station.speakers.list()
    for hash in (HASH, SECOND, hash_secret(b"never made")):
        with pytest.raises(DeniedError, match=r"^this device is let in no more"):
            await codes.redeem(hash, DEVICE, now_us=now_us)
    assert await station.speakers.list() == before
    assert len(await codes.open((commune.id,), now_us)) == 1


async def test_a_new_device_takes_over_all_but_the_key(station: Station, commune: Place, now_us: int) -> None:
    new = NewSpeaker(commune.id, "Cụm 1", KEY, serial="SN-1", notes="trên cột", lat=10.0, lon=105.0)
    old = await station.speakers.add(new, now_us=now_us)
    await station.speakers.seen({old.id: now_us + 5})
    await station.speakers.step(old.id, SpeakerStep.BLOCK)
    for hash in (HASH, SECOND):
        await station.codes.add(NewCode(hash, commune.id, old.name, replaces=old.id), now_us=now_us)
    assert (await station.speakers.get(old.id)).public_key == KEY, "the old one goes on until then"
    speaker = await station.codes.redeem(HASH, OTHER, now_us=now_us + 9)
    assert (speaker.id, speaker.place, speaker.name) == (old.id, old.place, old.name)
    assert (speaker.notes, speaker.lat, speaker.last_seen_us) == ("trên cột", 10.0, now_us + 5)
    assert (speaker.public_key, speaker.serial, speaker.software) == (OTHER_KEY, "SN-2", "loa 0.2")
    assert speaker.state is SpeakerState.PENDING
    assert await station.speakers.list() == (speaker,)
    assert await station.codes.redeem(HASH, OTHER, now_us=now_us + 10) == speaker, "the answer was lost"
    with pytest.raises(DeniedError, match="not valid"):
        await station.codes.redeem(SECOND, Device(THIRD_KEY, "", ""), now_us=now_us + 10)


async def test_a_code_of_another_place_takes_nobody_over(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    """The speaker moved out of the hands of who made the code."""
    speaker = await station.speakers.add(NewSpeaker(commune.id, "Cụm 1", KEY), now_us=now_us)
    with pytest.raises(ConflictError, match="moved"):
        await station.codes.add(NewCode(HASH, province.id, "Cụm 1", replaces=speaker.id), now_us=now_us)
    await station.codes.add(NewCode(HASH, commune.id, "Cụm 1", replaces=speaker.id), now_us=now_us)
    moved = await station.speakers.change(speaker.id, SpeakerChange(place=province.id))
    with pytest.raises(DeniedError, match="not valid"):
        await station.codes.redeem(HASH, OTHER, now_us=now_us)
    assert await station.speakers.list() == (moved,)


async def test_codes_go_with_their_place_and_expired_ones_are_forgotten(
    station: Station, province: Place, now_us: int
) -> None:
    hamlet = await station.places.add(NewPlace("Ấp 1", "hamlet", parent=province.id), now_us=now_us)
    await station.codes.add(NewCode(HASH, hamlet.id, "Cụm 1"), now_us=now_us)
    await station.places.delete(hamlet.id)
    assert await station.codes.open((hamlet.id,), now_us) == ()
    await station.codes.add(NewCode(HASH, province.id, "Cụm 1"), now_us=now_us)
    with pytest.raises(ConflictError, match="fresh"):
        await station.codes.add(NewCode(HASH, province.id, "Cụm 1"), now_us=now_us + CODE_TTL_US - 1)
    again = await station.codes.add(NewCode(HASH, province.id, "Cụm 1"), now_us=now_us + CODE_TTL_US)
    assert await station.codes.open((province.id,), now_us + CODE_TTL_US) == (again,)
    with pytest.raises(NotFoundError, match=hamlet.id):
        await station.codes.add(NewCode(SECOND, hamlet.id, "Cụm 1"), now_us=now_us)
    with pytest.raises(NotFoundError, match="f" * 16):
        await station.codes.add(NewCode(SECOND, province.id, "Cụm 1", replaces="f" * 16), now_us=now_us)


@pytest.mark.parametrize("ttl_us", [0, -1, MAX_TTL_US + 1])
def test_a_code_holds_for_a_while_and_not_for_ever(ttl_us: int) -> None:
    with pytest.raises(OperatorError, match="336 hours"):
        NewCode(HASH, "0" * 16, "Cụm 1", ttl_us=ttl_us)
