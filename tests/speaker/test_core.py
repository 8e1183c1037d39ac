"""The whole core on virtual time: what sounds, and when, under what a network does to datagrams."""

import hashlib
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_US, SAMPLE_RATE, Pcm
from loa.wire.control import Targets, Via, Want
from loa.wire.datagram import EndReason, StartFlags, targets_hash
from loa.wire.rank import BroadcastClass
from loa.wire.report import Transport

SECOND_US = 1_000_000
LATENCY_US = 200_000
PRE_SKIP_US = 6_500
MUSIC_HZ, ALERT_HZ = 440.0, 2000.0


def power(frame: Pcm, hertz: float) -> float:
    """How much of a tone is in a frame, 0..1 of its energy."""
    at = np.arange(len(frame)) / SAMPLE_RATE
    windowed = frame * np.hanning(len(frame))
    energy = float(np.sum(windowed**2.0)) or 1.0
    tone = abs(np.sum(windowed * np.exp(-2j * np.pi * hertz * at))) ** 2
    return float(3 * tone / (len(frame) * energy))


def alert(world: Any, now_us: int, **changes: Any) -> Any:
    given = {"cls": BroadcastClass.EMERGENCY, "detail": 4, "level": 14, "targets": (world.places[0],)}
    return world.program(at_us=now_us, hertz=ALERT_HZ, **(given | changes))


def test_what_is_verified_sounds_at_its_media_time_plus_latency(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + 2 * SECOND_US)
    loud = rig.tape.loud_us()
    assert loud[0] == music.first_k * FRAME_US + LATENCY_US - PRE_SKIP_US
    assert set(np.diff(loud)) == {FRAME_US}
    assert rig.count("lost") == 0
    assert rig.tape.latest_us <= 5_000


def test_a_speaker_that_nobody_woke_for_a_minute_plays_at_once(rig: Any, world: Any) -> None:
    rig.now_us += 60 * SECOND_US
    music = world.program(at_us=rig.now_us)
    rig.hear(music.start_datagram())
    assert rig.count("verified") == 1
    rig.run(0.5)
    assert rig.core.timeline.tally.frames_played == 3


def test_idle_is_silent_and_costs_no_frames(rig: Any) -> None:
    rig.run(5)
    assert rig.tape.frames == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.integers(0, 160_000))
def test_jitter_reordering_and_duplicates_are_not_heard(
    make_rig: Any, world: Any, seed: int, jitter_us: int
) -> None:
    rig, dice = make_rig(world).fix(), random.Random(seed)
    music = world.program(at_us=rig.now_us, packing=1)

    def transit(_: bytes) -> list[int]:
        return [
            dice.randint(0, jitter_us - 25_000 if jitter_us > 25_000 else 0)
            for _ in range(dice.randint(1, 3))
        ]

    rig.play([music], rig.now_us + SECOND_US, transit=transit)
    assert rig.count("lost") == 0
    assert set(np.diff(rig.tape.loud_us())) == {FRAME_US}
    tally = rig.core.timeline.tally
    first_k = rig.core.intake.selector.get(music.broadcast).from_k
    packets = [music.packets[k] for k in range(first_k, first_k + tally.frames_played)]
    hashes = b"".join(hashlib.sha256(packet).digest() for packet in packets)
    assert tally.heard().digest == hashlib.sha256(hashes).digest()


def test_lost_datagrams_are_concealed_and_counted(rig: Any, world: Any) -> None:
    music, dice = world.program(at_us=rig.now_us), random.Random(3)
    rig.play([music], rig.now_us + 6 * SECOND_US, transit=lambda _: (20_000,) if dice.random() > 0.05 else ())
    assert 0 < rig.count("concealed") <= rig.count("lost")
    assert set(np.diff([at for at, _ in rig.tape.frames])) == {FRAME_US}
    assert len(rig.tape.loud_us()) > len(rig.tape.frames) - rig.count("lost")


def test_a_long_gap_fades_to_silence_and_the_sound_comes_back(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    gap_us = rig.now_us
    rig.play([music], gap_us + SECOND_US, transit=lambda _: ())
    rig.play([music], gap_us + 2 * SECOND_US)
    loud = rig.tape.loud_us()
    gaps = np.diff(loud)
    assert SECOND_US - 150_000 < gaps.max() < SECOND_US
    assert rig.count("concealed") == 5


def test_after_a_stall_of_200_ms_it_is_back_at_its_target_within_a_second(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    stall_us = rig.now_us
    rig.play([music], stall_us + 200_000, transit=lambda _: (200_000,))
    rig.play([music], stall_us + 2 * SECOND_US)
    late = {at - LATENCY_US + PRE_SKIP_US for at in rig.tape.loud_us() if at > stall_us + SECOND_US}
    assert late
    assert all(at % FRAME_US == 0 for at in late)
    assert rig.core.delay.delay_us == LATENCY_US


def test_a_machine_that_slept_goes_on_at_the_present(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    before, slept_us = len(rig.tape.frames), rig.now_us
    rig.now_us += 4 * SECOND_US
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.count("stalled") == 1
    assert all(at > slept_us + 3 * SECOND_US for at, _ in rig.tape.frames[before:])
    assert len(rig.tape.loud_us()) > before + 20


def test_a_network_slower_than_the_target_is_heard_late(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + 3 * SECOND_US, transit=lambda _: (600_000,))
    assert rig.core.delay.delay_us > 600_000
    assert len(rig.tape.loud_us()) > 50
    rig.play([music], rig.now_us + 2 * SECOND_US)
    assert rig.core.delay.delay_us == LATENCY_US


# --- rank


def test_an_emergency_cuts_through_within_100_ms_and_is_never_mixed(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us, hertz=MUSIC_HZ)
    rig.play([music], rig.now_us + SECOND_US)
    siren = alert(world, rig.now_us)
    rig.play([music, siren], rig.now_us + SECOND_US)
    heard = [
        (at, power(frame, MUSIC_HZ), power(frame, ALERT_HZ))
        for at, frame in rig.tape.frames
        if np.abs(frame).max() > 300
    ]
    last_music = max(at for at, low, high in heard if low > high)
    first_alert = min(at for at, low, high in heard if high > low)
    assert first_alert > last_music
    assert first_alert - last_music < 100_000
    assert first_alert == siren.first_k * FRAME_US + LATENCY_US - PRE_SKIP_US
    settled = [(low, high) for at, low, high in heard if at >= first_alert + 2 * FRAME_US]
    assert all(low < 0.02 and high > 0.9 for low, high in settled)


def test_what_is_beneath_is_back_in_the_very_next_slot(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us, hertz=MUSIC_HZ)
    rig.play([music], rig.now_us + SECOND_US)
    siren = alert(world, rig.now_us)
    rig.play([music, siren], rig.now_us + SECOND_US)
    end_k = siren.k
    rig.hear(siren.end_datagram())
    rig.play([music], rig.now_us + SECOND_US)
    back_us = end_k * FRAME_US + LATENCY_US - PRE_SKIP_US
    frames = dict(rig.tape.frames)
    assert power(frames[back_us - FRAME_US], ALERT_HZ) > 0.5
    assert np.abs(frames[back_us]).max() > 300
    assert power(frames[back_us + FRAME_US], MUSIC_HZ) > 0.9
    assert rig.count("lost") == 0


def test_a_lower_rank_changes_nothing(rig: Any, world: Any) -> None:
    siren = alert(world, rig.now_us)
    rig.play([siren], rig.now_us + SECOND_US)
    music = world.program(at_us=rig.now_us, hertz=MUSIC_HZ)
    rig.play([siren, music], rig.now_us + SECOND_US)
    assert all(power(frame, MUSIC_HZ) < 0.02 for _, frame in rig.tape.frames[3:])


def test_when_nothing_is_beneath_it_falls_silent_at_the_end(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    rig.hear(music.end_datagram(reason=EndReason.FINISHED))
    rig.run(2)
    assert rig.tape.loud_us()[-1] == (music.k - 1) * FRAME_US + LATENCY_US - PRE_SKIP_US
    assert not rig.core.busy


def test_an_end_that_says_before_now_is_obeyed_at_once(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    rig.hear(music.end_datagram(at_us=rig.now_us - 2 * SECOND_US))
    stopped_us = rig.now_us
    rig.run(1)
    assert rig.tape.loud_us()[-1] < stopped_us + 2 * FRAME_US
    last = rig.tape.frames[-1][1]
    assert np.abs(last[240:]).max() == 0


def test_it_expires_by_network_time(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us, lasts_us=SECOND_US)
    rig.play([music], rig.now_us + 3 * SECOND_US)
    rig.hear(music.start_datagram())
    last = rig.tape.loud_us()[-1] - LATENCY_US + PRE_SKIP_US
    assert music.start.expires_us - FRAME_US <= last < music.start.expires_us
    assert rig.count("refused_expired") > 0


def test_losing_the_link_changes_nothing(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    rig.core.unlinked()
    rig.play([music], rig.now_us + 3 * SECOND_US)
    assert set(np.diff(rig.tape.loud_us())) == {FRAME_US}


# --- before it may sound


def test_nothing_sounds_before_it_is_stored(make_rig: Any, world: Any) -> None:
    rig = make_rig(world).fix()
    rig.slow_disk = True
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.tape.frames == []
    assert rig.stored[-1].floor_us >= music.first_k * FRAME_US
    rig.sync_disk()
    rig.play([music], rig.now_us + SECOND_US)
    assert len(rig.tape.loud_us()) > 40


def test_nothing_sounds_without_network_time(make_rig: Any, world: Any) -> None:
    rig = make_rig(world)
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.tape.frames == []
    assert rig.count("refused_clock") > 0


def test_what_came_just_before_the_time_was_known_is_judged_then(make_rig: Any, world: Any) -> None:
    rig = make_rig(world)
    music = world.program(at_us=rig.now_us)
    rig.hear(music.greeting(), Transport.WS)
    rig.fix()
    rig.play([music], rig.now_us + SECOND_US)
    assert len(rig.tape.loud_us()) > 20


def test_audio_that_overtook_its_start_sounds(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    first = music.start_datagram()
    second = music.audio_datagram()
    rig.hear(second)
    assert rig.count("refused_unknown") == 0
    rig.run(0.02)
    rig.hear(first)
    rig.run(0.5)
    assert len(rig.tape.loud_us()) >= 6


def test_a_lost_first_start_costs_only_what_it_carried(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    music.start_datagram()
    rig.hear(music.audio_datagram())
    rig.hear(music.start_datagram())
    rig.run(1)
    assert rig.tape.loud_us()[0] == (music.first_k + 3) * FRAME_US + LATENCY_US - PRE_SKIP_US


def test_the_pen_is_small_and_what_falls_out_is_counted(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    for _ in range(20):
        rig.hear(music.audio_datagram())
    assert rig.count("refused_unknown") == 12
    for _ in range(40):
        rig.hear(world.program(at_us=rig.now_us).audio_datagram())
    assert rig.count("refused_unknown") == 12 + 8 + 24


def test_a_start_without_audio_uses_no_sequence_number(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.hear(music.greeting(), Transport.WS)
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.count("duplicate") == 0
    assert rig.count("lost") == 0


def test_a_list_of_targets_that_is_lacking_is_asked_for(rig: Any, world: Any) -> None:
    places = ("02" * 8, world.places[0])
    music = world.program(at_us=rig.now_us, targets=targets_hash(places))
    rig.hear(music.start_datagram())
    rig.hear(music.start_datagram())
    assert [message for message in rig.said if isinstance(message, Want)] == [
        Want("targets", targets_hash(places))
    ]
    rig.order(Targets(places))
    rig.run(1)
    assert rig.core.timeline.tally.frames_played == 6


def test_a_list_that_does_not_name_us_is_nobody(rig: Any, world: Any) -> None:
    places = ("02" * 8,)
    rig.order(Targets(places))
    rig.play([world.program(at_us=rig.now_us, targets=targets_hash(places))], rig.now_us + SECOND_US)
    assert rig.tape.frames == []
    assert rig.count("refused_territory") > 0


def test_a_test_is_verified_and_told_but_never_sounds(rig: Any, world: Any) -> None:
    probe = alert(world, rig.now_us, flags=StartFlags.TEST)
    rig.play([probe], rig.now_us + SECOND_US)
    assert rig.tape.frames == []
    report = rig.core.report(rig.local_us, rig_gauge())
    assert [heard.broadcast for heard in report.heard] == [probe.broadcast]


def rig_gauge() -> Any:
    from loa.speaker.core import Gauge

    return Gauge()


# --- UDP and the link


def attach(rig: Any, world: Any) -> None:
    from loa.wire.control import Welcome
    from loa.wire.datagram import Attached, Cookie, build_attach

    welcome = Welcome(1, world.placement(), world.chain(), (("192.0.2.1", 7000),), b"t" * 16, "cc" * 8, 5)
    rig.order(welcome)
    rig.hear(build_attach(Cookie(b"c" * 16)))
    rig.hear(build_attach(Attached(b"c" * 16)))


def turns(rig: Any) -> list[Transport]:
    return [message.transport for message in rig.said if isinstance(message, Via)]


def test_a_program_known_by_the_link_that_brings_nothing_by_udp_turns_to_the_link(
    rig: Any, world: Any
) -> None:
    attach(rig, world)
    assert turns(rig)[-1] is Transport.UDP
    music = world.program(at_us=rig.now_us)
    rig.hear(music.greeting(), Transport.WS)
    begun_us = rig.now_us
    while turns(rig)[-1] is Transport.UDP and rig.now_us < begun_us + SECOND_US:
        rig.run(0.005)
        rig.carry_out(rig.core.tick(rig.local_us))
    assert turns(rig)[-1] is Transport.WS
    assert 300_000 <= rig.now_us - begun_us <= 320_000


def test_what_comes_by_the_link_is_no_proof_that_udp_works(rig: Any, world: Any) -> None:
    attach(rig, world)
    music = world.program(at_us=rig.now_us)
    for _ in range(12):
        rig.hear(music.next_datagram(), Transport.WS)
        rig.run(0.06)
        rig.carry_out(rig.core.tick(rig.local_us))
    assert turns(rig)[-1] is Transport.WS


def test_the_same_datagrams_by_both_ways_sound_once(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    for _ in range(10):
        data = music.next_datagram()
        rig.hear(data, Transport.UDP)
        rig.hear(data, Transport.WS)
    rig.run(2)
    assert rig.count("duplicate") == 10
    assert rig.core.timeline.tally.frames_played == 30


@pytest.mark.parametrize("via", list(Transport))
def test_cookies_are_taken_from_udp_alone(rig: Any, via: Transport) -> None:
    from loa.wire.datagram import Cookie, build_attach

    rig.hear(build_attach(Cookie(b"c" * 16)), via)
    assert rig.count("refused_kind") == (1 if via is Transport.WS else 0)


def test_what_comes_after_the_end_is_late_or_again_not_unknown(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    straggler, end = music.audio_datagram(), music.end_datagram()
    rig.hear(end)
    rig.run(1)
    rig.hear(end)
    rig.hear(straggler)
    rig.run(5)
    rig.hear(world.program(at_us=rig.now_us).audio_datagram())
    assert rig.count("duplicate") == 1
    assert rig.count("late") == 1
    assert rig.count("refused_unknown") == 0
