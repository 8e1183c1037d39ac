"""Loudness and true peak against FFmpeg's own meter; and the levelling of recordings."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import Pcm, silence, to_float, to_pcm
from loa.codecs.levels import CEILING_DBTP, FLOOR_DB, TARGET_LUFS
from loa.codecs.loudness import integrated_loudness, level, plan, true_peak
from loa.codecs.survey import Survey, survey
from loa.codecs.tones import Chime, render
from loa.errors import MediaError


def _ebur128(pcm: Pcm) -> tuple[float, float]:
    """(LUFS, dBTP) by FFmpeg's filter, an implementation not ours."""
    graph = Graph()
    source = graph.add_abuffer(sample_rate=48_000, format="s16", layout="mono", time_base=Fraction(1, 48_000))
    meter = graph.add("ebur128", "metadata=1:peak=true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    found = {"I": FLOOR_DB, "P": 0.0}
    padded = np.concatenate((pcm, silence(9600)))
    for start in range(0, len(padded) - 4799, 4800):
        frame = av.AudioFrame.from_ndarray(padded[None, start : start + 4800], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        graph.push(frame)
        out = graph.pull()
        found["I"] = float(out.metadata["lavfi.r128.I"])
        found["P"] = float(out.metadata["lavfi.r128.true_peak"])
    return found["I"], 20 * float(np.log10(max(found["P"], 1e-6)))


def _sine(hertz: float, peak: float, seconds: float = 5, phase: float = 0) -> Pcm:
    t = np.arange(round(seconds * 48_000)) / 48_000
    return to_pcm((peak * np.sin(2 * np.pi * hertz * t + phase)).astype(np.float32))


def _louder(pcm: Pcm, factor: float) -> Pcm:
    return to_pcm(to_float(pcm) * np.float32(factor))


def _whisper(voice: Pcm) -> Pcm:
    """Noise with the envelope of a voice, as quiet as a whisper into a laptop's microphone."""
    envelope = np.convolve(np.abs(to_float(voice)), np.hanning(961) / 480, "same")
    noise = np.random.default_rng(4).standard_normal(len(voice)) * envelope
    return to_pcm((0.02 * noise).astype(np.float32))


@pytest.fixture
def sounds(voice: Pcm, music: Pcm) -> dict[str, Pcm]:
    return {
        "voice": voice,
        "music": music,
        "whisper": _whisper(voice),
        "shout": _louder(voice, 8),
        "noise": to_pcm((0.1 * np.random.default_rng(1).standard_normal(480_000)).astype(np.float32)),
        "signal": render(Chime.WARNING),
        "sine": _sine(997, 1.0),
        "between samples": _sine(12_000, 0.9, phase=np.pi / 4),
    }


KINDS = ["voice", "music", "whisper", "shout", "noise", "signal", "sine", "between samples"]


@pytest.mark.parametrize("kind", KINDS)
def test_our_meter_reads_what_ffmpegs_reads(kind: str, sounds: dict[str, Pcm]) -> None:
    lufs, dbtp = _ebur128(sounds[kind])
    assert integrated_loudness(sounds[kind]) == pytest.approx(lufs, abs=0.1)
    assert true_peak(sounds[kind]) == pytest.approx(dbtp, abs=0.6)


def test_a_full_scale_sine_at_1_khz_is_3_lufs_under_zero() -> None:
    assert integrated_loudness(_sine(997, 1.0)) == pytest.approx(-3.01, abs=0.05)


def test_a_peak_between_two_samples_is_seen() -> None:
    hidden = _sine(12_000, 1.0, phase=np.pi / 4)
    assert 20 * np.log10(np.abs(to_float(hidden)).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(hidden) == pytest.approx(0, abs=0.1)


def test_silence_reads_as_the_floor() -> None:
    assert integrated_loudness(silence(48_000)) == FLOOR_DB == true_peak(silence(48_000))
    assert integrated_loudness(silence(0)) == FLOOR_DB


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 30_000), max_size=20))
def test_the_measurement_does_not_depend_on_how_the_sound_was_cut(cuts: list[int]) -> None:
    pcm = to_pcm((0.2 * np.random.default_rng(2).standard_normal(100_000)).astype(np.float32))
    whole, pieces = survey(pcm), Survey()
    for part in np.split(pcm, sorted(cut for cut in cuts if cut < len(pcm))):
        pieces.feed(part)
    found = pieces.finish()
    assert np.array_equal(found.energies, whole.energies)
    assert np.array_equal(found.peaks, whole.peaks)


@pytest.mark.parametrize("kind", KINDS)
def test_levelled_it_is_at_the_target_and_under_the_ceiling(kind: str, sounds: dict[str, Pcm]) -> None:
    done = level(sounds[kind])
    lufs, dbtp = _ebur128(done.pcm)
    assert lufs == pytest.approx(TARGET_LUFS, abs=0.3)
    assert dbtp <= CEILING_DBTP
    assert done.loudness_lufs == pytest.approx(lufs, abs=0.15)
    assert len(done.pcm) == len(sounds[kind])


@pytest.mark.peer
def test_speech_of_a_high_crest_is_limited_and_still_at_the_target(recorded: Pcm) -> None:
    samples = to_float(recorded)
    expanded = to_pcm(samples * np.abs(samples + 1e-9) ** np.float32(0.4))
    assert true_peak(expanded) - integrated_loudness(expanded) > 17.5
    lufs, dbtp = _ebur128(level(expanded).pcm)
    assert lufs == pytest.approx(TARGET_LUFS, abs=0.5)
    assert dbtp <= CEILING_DBTP


@pytest.mark.peer
@pytest.mark.parametrize("factor", [0.03, 1, 6])
def test_recorded_speech_whispered_spoken_and_shouted(recorded: Pcm, factor: float) -> None:
    lufs, dbtp = _ebur128(level(_louder(recorded, factor)).pcm)
    assert lufs == pytest.approx(TARGET_LUFS, abs=0.3)
    assert dbtp <= CEILING_DBTP


def test_the_limiter_takes_a_crack_down_and_leaves_the_rest_alone(music: Pcm) -> None:
    quiet = _louder(music, 0.1)
    cracked = quiet.copy()
    cracked[200_000:200_020] = 32_767
    done = level(cracked).pcm.astype(np.float64)
    assert np.abs(done).max() <= 32_768 * 10 ** (CEILING_DBTP / 20)
    far = np.r_[20_000:190_000, 210_000:380_000]
    gain = np.dot(done[far], quiet[far]) / np.dot(quiet[far].astype(np.float64), quiet[far])
    assert np.abs(done[far] - gain * quiet[far]).max() <= 1


def test_the_limiter_never_jumps(voice: Pcm) -> None:
    """Each way down and up takes several bins of 4 ms."""
    gains = plan(survey(voice), target_lufs=-14).gains
    depth = float(gains.max() - gains.min())
    assert depth > 0.3 * gains.max()
    assert np.abs(np.diff(gains)).max() < 0.3 * depth


@pytest.mark.parametrize(
    "pcm", [silence(48_000), silence(0), _sine(997, 3e-4)], ids=["zeros", "nothing", "hum"]
)
def test_silence_is_not_lifted(pcm: Pcm) -> None:
    with pytest.raises(MediaError, match="silent"):
        level(pcm)


def test_gain_makes_up_for_what_the_limiter_takes(voice: Pcm) -> None:
    planned = plan(survey(voice), target_lufs=-14.5)
    assert planned.loudness_lufs == pytest.approx(-14.5, abs=0.05)
    assert planned.gains.max() > 1.02 * 10 ** ((-14.5 - integrated_loudness(voice)) / 20)


def test_what_is_all_peaks_is_not_flattened_to_reach_the_target() -> None:
    """A knock every half second over a quiet room."""
    room = 0.001 * np.random.default_rng(3).standard_normal(480_000)
    for start in range(5_000, 470_000, 24_000):
        room[start : start + 60] += 0.9 * np.hanning(60)
    knocks = to_pcm(room.astype(np.float32))
    done = level(knocks)
    between = slice(12_000, 28_000)
    lift_db = 20 * np.log10(np.std(done.pcm[between]) / np.std(knocks[between]))
    assert lift_db <= TARGET_LUFS - integrated_loudness(knocks) + 3.1
    assert true_peak(done.pcm) <= CEILING_DBTP


@pytest.mark.parametrize("samples", [1, 100, 191, 192, 193, 5_000, 19_200, 60_001])
def test_short_sounds_are_levelled_too(samples: int) -> None:
    done = level(_sine(997, 0.05)[100 : 100 + samples])
    assert len(done.pcm) == samples
    assert done.true_peak_dbtp <= CEILING_DBTP


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), loud=st.floats(0.05, 3), bursts=st.integers(0, 8))
def test_nothing_passes_the_ceiling(seed: int, loud: float, bursts: int) -> None:
    chance = np.random.default_rng(seed)
    samples = 0.02 * chance.standard_normal(96_000)
    for start in chance.integers(0, 90_000, bursts):
        samples[start : start + 4_000] += loud * chance.standard_normal(4_000)
    done = level(to_pcm(samples.astype(np.float32)))
    assert true_peak(done.pcm) <= CEILING_DBTP + 0.02


def test_the_gain_curve_is_the_same_in_any_pieces(voice: Pcm) -> None:
    planned = plan(survey(voice), target_lufs=-6)
    whole = np.broadcast_to(planned.gains_at(0, len(voice)), len(voice))
    pieces = [
        np.broadcast_to(planned.gains_at(start, min(1001, len(voice) - start)), min(1001, len(voice) - start))
        for start in range(0, len(voice), 1001)
    ]
    assert np.allclose(np.concatenate(pieces), whole, rtol=1e-6)
