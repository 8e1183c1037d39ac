"""What must never sound: forged, foreign, stale, replayed. Zero samples each, and a counter that says why."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_US
from loa.speaker.intake import MAX_KNOWN
from loa.trust.grants import Role
from loa.trust.keys import SigningKey
from loa.wire.control import Chain, Placed, Want
from loa.wire.datagram import AudioPart, StartFlags
from loa.wire.rank import BroadcastClass
from loa.wire.report import Transport

SECOND_US = 1_000_000
ELSEWHERE = (99).to_bytes(8, "big").hex()
COMMUNE = (3).to_bytes(8, "big").hex()
EMERGENCY = {"cls": BroadcastClass.EMERGENCY, "detail": 4}

Forge = Callable[[Any, Any], Any]


def impostor(world: Any, rig: Any) -> Any:
    """A stranger's key, under a grant that is somebody else's."""
    sender = world.program(at_us=rig.now_us)
    sender.session = replace(sender.session, key=SigningKey.generate())
    return sender


def of_other_root(world: Any, rig: Any) -> Any:
    other = replace(world, root=SigningKey.generate(), authority=SigningKey.generate())
    other.node = SigningKey.generate()
    return other.program(at_us=rig.now_us)


def of_itself(world: Any, rig: Any) -> Any:
    """A session that a session made."""
    above = world.session()
    return world.program(world.session(issuer=above.key), at_us=rig.now_us)


FORGERIES: dict[str, tuple[str, Forge]] = {
    "signed by another": ("signature", impostor),
    "of another root": ("issuer", of_other_root),
    "of a session's making": ("issuer", of_itself),
    "elsewhere": ("territory", lambda w, r: w.program(at_us=r.now_us, targets=(ELSEWHERE,))),
    "granted elsewhere": (
        "territory",
        lambda w, r: w.program(w.session(places=(ELSEWHERE,)), at_us=r.now_us),
    ),
    "above its class": (
        "class",
        lambda w, r: w.program(w.session(max_class=2), at_us=r.now_us, **EMERGENCY),
    ),
    "above its level": (
        "level",
        lambda w, r: w.program(w.session(level=3), at_us=r.now_us, level=14, **EMERGENCY),
    ),
    "without the right": (
        "right",
        lambda w, r: w.program(w.session(rights=frozenset({"drill"})), at_us=r.now_us),
    ),
    "with an expired grant": (
        "expired",
        lambda w, r: w.program(w.session(expires_us=r.now_us - SECOND_US), at_us=r.now_us),
    ),
    "with a grant for later": (
        "early",
        lambda w, r: w.program(
            w.session(not_before_us=r.now_us + 120 * SECOND_US, expires_us=r.now_us + 900 * SECOND_US),
            at_us=r.now_us,
        ),
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_silent_and_counted(rig: Any, world: Any, name: str) -> None:
    reason, forge = FORGERIES[name]
    sender = forge(world, rig)
    rig.play([sender], rig.now_us + SECOND_US)
    rig.run(3)
    assert rig.tape.frames == []
    if reason == "issuer":
        assert isinstance(rig.said[-1], Want)
    else:
        assert rig.count(f"refused_{reason}") > 0


def test_an_upper_link_that_is_lacking_is_asked_for_and_then_it_sounds(rig: Any, world: Any) -> None:
    neighbour = SigningKey.generate()
    sender = world.program(world.session(issuer=neighbour), at_us=rig.now_us)
    rig.hear(sender.start_datagram())
    assert rig.said[-1] == Want("chain", bytes.fromhex(neighbour.public.key_id))
    rig.order(Chain((world.grant(world.authority, neighbour.public, Role.NODE),)))
    rig.run(1)
    assert rig.core.timeline.tally.frames_played == 3


def test_every_link_must_cover_the_place(make_rig: Any, world: Any) -> None:
    rig = make_rig(world, memory=world.memory(chain=world.chain(places=(ELSEWHERE,))))
    rig.world.places = (ELSEWHERE,)
    sender = world.program(world.session(places=(COMMUNE,)), at_us=rig.now_us)
    rig.play([sender], rig.now_us + SECOND_US)
    assert rig.tape.frames == []


@pytest.mark.parametrize("at", [0, 3, 12, 40, 90, 200, -65, -1])
def test_a_changed_byte_is_silence(rig: Any, world: Any, at: int) -> None:
    music = world.program(at_us=rig.now_us)
    for _ in range(6):
        data = bytearray(music.start_datagram())
        data[at] ^= 0x01
        rig.hear(bytes(data))
    rig.run(2)
    assert rig.tape.frames == []
    assert sum(count for name, count in rig.core.counters.snapshot().items() if "refused" in name) >= 1


def test_tampered_audio_of_a_program_that_plays_is_left_out(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    tampered = bytearray(music.audio_datagram())
    tampered[40] ^= 0xFF
    rig.hear(bytes(tampered))
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.count("refused_signature") == 1
    assert rig.count("lost") == 3


def test_audio_of_another_session_does_not_enter_a_program(rig: Any, world: Any) -> None:
    music, other = (world.program(at_us=rig.now_us) for _ in range(2))
    rig.hear(music.start_datagram())
    rig.hear(other.start_datagram())
    other.program = music.program
    rig.hear(other.audio_datagram())
    assert rig.count("refused_signature") == 1


def test_an_end_by_another_session_ends_nothing(rig: Any, world: Any) -> None:
    music, other = (world.program(at_us=rig.now_us) for _ in range(2))
    rig.hear(music.start_datagram())
    rig.hear(other.start_datagram())
    other.broadcast = music.broadcast
    rig.hear(other.end_datagram(at_us=rig.now_us))
    assert rig.count("refused_signature") == 1
    rig.run(1)
    assert rig.tape.loud_us()


def test_media_from_the_future_is_refused(rig: Any, world: Any) -> None:
    rig.hear(world.program(at_us=rig.now_us + 60 * SECOND_US).start_datagram())
    assert rig.count("refused_future") == 1


def test_an_emergency_cannot_claim_a_later_start_than_it_has(rig: Any, world: Any) -> None:
    siren = world.program(at_us=rig.now_us, **EMERGENCY)
    siren.start = replace(siren.start, started_us=rig.now_us + 300 * SECOND_US)
    rig.play([siren], rig.now_us + SECOND_US)
    assert rig.tape.frames == []
    assert rig.count("refused_future") > 0


def test_a_start_that_changes_its_rank_is_refused(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.hear(music.start_datagram())
    rig.hear(music.start_datagram(cls=BroadcastClass.EMERGENCY, detail=4))
    assert rig.count("refused_changed") == 1


def test_a_test_does_not_become_real(rig: Any, world: Any) -> None:
    probe = world.program(at_us=rig.now_us, flags=StartFlags.TEST)
    rig.hear(probe.start_datagram())
    rig.hear(probe.start_datagram(flags=StartFlags.NONE))
    assert rig.count("refused_changed") == 1
    rig.run(1)
    assert rig.tape.frames == []


# --- replays


def record(rig: Any, world: Any, seconds: float = 1.0) -> tuple[Any, list[bytes]]:
    """Play something to its end, with somebody listening in."""
    music, tapped = world.program(at_us=rig.now_us), list[bytes]()

    def transit(data: bytes) -> tuple[int]:
        tapped.append(data)
        return (20_000,)

    rig.play([music], rig.now_us + int(seconds * SECOND_US), transit=transit)
    end = music.end_datagram()
    rig.hear(end)
    rig.run(0.5)
    return music, tapped


@pytest.mark.parametrize("later_s", [0, 1, 4, 60])
def test_a_replay_is_heard_zero_more_times(rig: Any, world: Any, later_s: int) -> None:
    _, tapped = record(rig, world)
    before = len(rig.tape.loud_us())
    rig.run(later_s)
    for data in tapped * 2:
        rig.hear(data)
        rig.run(0.01)
    rig.run(3)
    assert len(rig.tape.loud_us()) == before


def test_a_replay_while_it_plays_is_heard_zero_more_times(rig: Any, world: Any) -> None:
    music, tapped = world.program(at_us=rig.now_us), list[bytes]()

    def transit(data: bytes) -> tuple[int, ...]:
        tapped.append(data)
        return (20_000, 60_000, 150_000, 400_000, 900_000)

    rig.play([music], rig.now_us + 2 * SECOND_US, transit=transit)
    tally = rig.core.timeline.tally
    assert tally.frames_played <= len(music.packets)
    assert rig.count("lost") == 0
    assert rig.core.delay.delay_us == 200_000


@pytest.mark.parametrize("down_s", [0.05, 0.5, 2.0, 10.0])
def test_a_replay_after_a_restart_is_heard_zero_more_times(
    make_rig: Any, rig: Any, world: Any, down_s: float
) -> None:
    _, tapped = record(rig, world)
    world.at_us = rig.now_us + int(down_s * SECOND_US)
    again = make_rig(world, memory=rig.core.memory()).fix()
    for data in tapped * 2:
        again.hear(data)
        again.run(0.01)
    again.run(3)
    assert again.tape.frames == []
    assert not again.core.busy


def test_a_replay_after_a_restart_with_the_clock_set_back_is_silent(
    make_rig: Any, rig: Any, world: Any
) -> None:
    begun_us = world.at_us
    _, tapped = record(rig, world, 3.0)
    world.at_us = begun_us
    again = make_rig(world, memory=rig.stored[-1]).fix()
    for data in tapped:
        again.hear(data)
        again.run(0.05)
    again.run(3)
    known = rig.stored[-1].floor_us
    assert all(at > known for at in again.tape.loud_us())


def test_a_broadcast_that_goes_on_is_back_after_a_restart(make_rig: Any, rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    world.at_us = rig.now_us
    again = make_rig(world, memory=rig.core.memory()).fix()
    music.sequence = 0
    again.play([music], again.now_us + SECOND_US)
    assert len(again.tape.loud_us()) > 20


def test_an_end_before_its_start_leaves_a_tombstone(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    first = music.start_datagram()
    rig.hear(music.end_datagram(at_us=rig.now_us))
    rig.hear(first)
    rig.hear(music.start_datagram())
    rig.run(1)
    assert rig.count("refused_ended") >= 1
    assert len(rig.tape.loud_us()) <= 1


# --- moving


def test_a_speaker_that_moves_away_falls_silent(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    nation, province, _, _ = rig.core.mandate.ancestry
    rig.order(Placed(world.placement(version=2, ancestry=(nation, province, ELSEWHERE))))
    moved_us = rig.now_us
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.tape.loud_us()[-1] <= moved_us + 2 * FRAME_US


def test_an_older_placement_is_ignored(rig: Any, world: Any) -> None:
    rig.order(Placed(world.placement(version=0, ancestry=(ELSEWHERE,))))
    assert len(rig.core.mandate.ancestry) == 4


# --- floods and noise


def test_no_more_broadcasts_are_known_than_the_bound_but_emergencies_pass(rig: Any, world: Any) -> None:
    session = world.session()
    for _ in range(MAX_KNOWN + 5):
        rig.hear(world.program(session, at_us=rig.now_us).start_datagram())
    assert rig.count("refused_full") == 5
    rig.hear(world.program(at_us=rig.now_us, **EMERGENCY).start_datagram())
    assert rig.count("refused_full") == 5
    rig.run(0.3)
    winner = rig.core.intake.selector.at(rig.core.timeline.next_k)
    assert winner is None or winner.rank.cls is BroadcastClass.EMERGENCY


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=1400)
    | st.builds(
        lambda kind, rest: bytes((0xC1, 1, kind, 0)) + rest, st.integers(0, 25), st.binary(max_size=400)
    ),
    st.sampled_from(Transport),
)
def test_random_bytes_make_no_sound_and_no_error(rig: Any, data: bytes, via: Transport) -> None:
    rig.hear(data, via)
    rig.run(0.02)
    assert rig.tape.frames == []


def test_a_start_with_the_time_of_no_grid_is_malformed(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    data = bytearray(music.start_datagram(AudioPart(0, rig.now_us // FRAME_US * FRAME_US, (b"x" * 80,))))
    at = len(data) - 64 - 82 - 14 + 4 + 7
    data[at] ^= 0x01
    rig.hear(bytes(data))
    assert rig.count("refused_malformed") == 1


def test_garbage_that_is_signed_is_silence_not_an_error(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    part = AudioPart(0, music.k * FRAME_US, tuple(secrets.token_bytes(3) for _ in range(6)))
    rig.hear(music.start_datagram(part))
    rig.run(1)
    assert rig.count("garbage") > 0


def test_replays_alone_are_duplicates_and_do_not_stretch_the_delay(rig: Any, world: Any) -> None:
    music, tapped = world.program(at_us=rig.now_us), list[bytes]()

    def transit(data: bytes) -> tuple[int]:
        tapped.append(data)
        return (20_000,)

    rig.play([music], rig.now_us + 2 * SECOND_US, transit=transit)
    heard = rig.core.timeline.tally.frames_played
    rig.run(0.3)
    waited = rig.core.timeline.tally.frames_played - heard
    for data in tapped[-13:-1]:
        rig.hear(data)
        rig.run(0.06)
    assert rig.count("duplicate") == 12
    assert rig.core.delay.delay_us == 200_000
    assert rig.core.timeline.tally.frames_played == heard + waited


def test_a_greeting_alone_raises_the_floor_before_anything_sounds(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.hear(music.greeting(), Transport.WS)
    assert rig.stored[-1].floor_us >= music.first_k * FRAME_US


def test_a_test_does_not_sound_even_if_it_is_armed(rig: Any, world: Any) -> None:
    probe = world.program(at_us=rig.now_us, flags=StartFlags.TEST)
    rig.hear(probe.start_datagram())
    rig.core.intake.arm(probe.broadcast)
    assert not rig.core.busy
