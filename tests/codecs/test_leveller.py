"""Live levelling: voices come to the target, rooms stay as they are, nothing passes the ceiling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, Pcm, blocks, silence, to_float, to_pcm
from loa.codecs.leveller import LATENCY_SAMPLES, LiveLeveller
from loa.codecs.levels import CEILING_DBTP, TARGET_LUFS
from loa.codecs.survey import survey
from loa.errors import InternalError


def _levelled(pcm: Pcm) -> tuple[Pcm, LiveLeveller]:
    leveller = LiveLeveller()
    return np.concatenate([leveller.process(frame) for frame in blocks(pcm, FRAME_SAMPLES)]), leveller


def _scaled(pcm: Pcm, factor: float) -> Pcm:
    return to_pcm(to_float(pcm) * np.float32(factor))


def _room(seconds: float, level_dbfs: float) -> Pcm:
    noise = np.random.default_rng(7).standard_normal(round(seconds * 48_000))
    return to_pcm((10 ** (level_dbfs / 20) * noise).astype(np.float32))


@pytest.mark.parametrize("factor", [0.15, 0.4, 1.0, 3.0, 10.0])
def test_a_voice_comes_to_the_target_within_a_few_seconds(voice: Pcm, factor: float) -> None:
    spoken = _scaled(np.tile(voice, 2), factor)
    heard, _ = _levelled(spoken)
    assert survey(heard[len(heard) // 2 :]).lufs == pytest.approx(TARGET_LUFS, abs=2.5)
    assert survey(heard).true_peak_dbtp <= CEILING_DBTP


@pytest.mark.peer
@pytest.mark.parametrize("factor", [0.2, 1.0, 6.0])
def test_recorded_speech_comes_to_the_target(recorded: Pcm, factor: float) -> None:
    heard, _ = _levelled(_scaled(np.tile(recorded, 2), factor))
    assert survey(heard[len(heard) // 2 :]).lufs == pytest.approx(TARGET_LUFS, abs=2.5)
    assert survey(heard).true_peak_dbtp <= CEILING_DBTP


@pytest.mark.parametrize("level_dbfs", [-75, -60, -50, -40, -30])
def test_the_noise_of_a_room_is_never_lifted(level_dbfs: float) -> None:
    room = _room(30, level_dbfs)
    heard, _ = _levelled(room)
    assert survey(heard).lufs <= survey(room).lufs + 0.05


def test_a_steady_hum_is_never_lifted() -> None:
    hum = to_pcm((0.01 * np.sin(2 * np.pi * 100 * np.arange(960_000) / 48_000)).astype(np.float32))
    heard, leveller = _levelled(hum)
    assert np.abs(heard).max() <= np.abs(hum).max()
    assert leveller.gain_db == 0


def test_silence_stays_silence_after_a_quiet_voice(voice: Pcm) -> None:
    leveller = LiveLeveller()
    for frame in blocks(_scaled(voice, 0.2), FRAME_SAMPLES):
        leveller.process(frame)
    assert leveller.gain_db > 5
    pause = [leveller.process(silence(FRAME_SAMPLES)) for _ in range(60)]
    assert not np.concatenate(pause[2:]).any()
    assert leveller.gain_db == 0


def test_the_room_between_words_of_a_quiet_voice_comes_down_again(voice: Pcm) -> None:
    quiet, room = _scaled(voice, 0.1), _room(3, -62)
    spoken = np.concatenate((quiet, silence(len(room))))
    spoken[-len(room) :] = room
    heard, _ = _levelled(spoken)
    rest = slice(len(quiet) + 72_000, len(heard))
    assert np.std(heard[rest]) <= 1.05 * np.std(spoken[rest])


def test_moderate_sound_passes_unchanged_and_late_by_the_latency() -> None:
    room = _room(2, -35)
    heard, _ = _levelled(room)
    assert np.array_equal(heard[LATENCY_SAMPLES:], room[: len(heard) - LATENCY_SAMPLES])
    assert not heard[:LATENCY_SAMPLES].any()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), loud=st.floats(0.1, 20), hertz=st.integers(50, 18_000))
def test_no_true_peak_passes_the_ceiling_from_the_first_frame_on(seed: int, loud: float, hertz: int) -> None:
    chance = np.random.default_rng(seed)
    t = np.arange(24_000) / 48_000
    noise, tone = chance.standard_normal(24_000), np.sin(2 * np.pi * hertz * t)
    gate = np.repeat(chance.random(24) > 0.5, 1_000)
    hot = to_pcm((loud * gate * (0.3 * noise + tone)).astype(np.float32))
    assert survey(_levelled(hot)[0]).true_peak_dbtp <= CEILING_DBTP


def test_the_limiter_makes_no_edge(voice: Pcm) -> None:
    """A pure tone that jumps up by 20 dB stays smooth: its steps never pass those of a tone at the
    ceiling."""
    t = np.arange(96_000) / 48_000
    tone = 0.09 * np.sin(2 * np.pi * 300 * t)
    tone[48_000:] *= 10
    heard, _ = _levelled(to_pcm(tone.astype(np.float32)))
    most = 2 * np.pi * 300 / 48_000 * 10 ** (CEILING_DBTP / 20) * 32_768
    assert np.abs(np.diff(heard.astype(np.int32))).max() <= 1.1 * most


def test_a_frame_of_another_shape_is_our_own_bug() -> None:
    with pytest.raises(InternalError, match="expected int16"):
        LiveLeveller().process(silence(100))
