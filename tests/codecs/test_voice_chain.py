"""The chain of a microphone: shy and shouting voices arrive equally loud, rooms sink, nothing passes the
ceiling."""

import numpy as np
import pytest

from loa.codecs.filters import K_WEIGHTING, FrameFilter, high_pass
from loa.codecs.frame import FRAME_SAMPLES, Pcm, Samples, blocks, silence, to_float, to_pcm
from loa.codecs.leveller import BROADCAST, LiveLeveller
from loa.codecs.levels import CEILING_DBTP, TARGET_LUFS, from_db
from loa.codecs.speech import speak
from loa.codecs.survey import survey
from loa.codecs.voice_chain import DEPTH_DB, LATENCY_SAMPLES, Expander, VoiceChain
from loa.errors import InternalError

SETTLED = 5 * 48_000
"""The gain comes up by 25 dB a second at most, after half a second of voice."""


def through(pcm: Pcm, chain: VoiceChain | LiveLeveller) -> Pcm:
    return np.concatenate([chain.process(frame) for frame in blocks(pcm, FRAME_SAMPLES)])


def at(pcm: Pcm, gain_db: float) -> Pcm:
    return to_pcm(to_float(pcm) * np.float32(from_db(gain_db)))


def noise(samples: int, rms_dbfs: float) -> Samples:
    drawn = np.random.default_rng(11).standard_normal(samples)
    return np.asarray(from_db(rms_dbfs) * drawn, dtype=np.float32)


def tone(hertz: float, seconds: float) -> Pcm:
    return to_pcm((0.5 * np.sin(2 * np.pi * hertz * np.arange(seconds * 48_000) / 48_000)).astype(np.float32))


@pytest.mark.parametrize("gain_db", [-34, -20, -5, 10])
def test_whoever_speaks_arrives_at_the_target(voice: Pcm, gain_db: float) -> None:
    heard = survey(through(at(np.tile(voice, 2), gain_db), VoiceChain())[SETTLED:])
    assert heard.lufs == pytest.approx(TARGET_LUFS, abs=1.0)
    assert heard.true_peak_dbtp <= CEILING_DBTP


@pytest.mark.parametrize("gain_db", [-24, 0, 8])
def test_a_whisper_arrives_at_the_target(gain_db: float) -> None:
    whisper = speak("Nước sông lên nhanh. Đề nghị bà con đến nơi an toàn.", voice="vi+whisper")
    heard = survey(through(at(np.tile(whisper, 4), gain_db), VoiceChain())[SETTLED:])
    assert heard.lufs == pytest.approx(TARGET_LUFS, abs=1.0)
    assert heard.true_peak_dbtp <= CEILING_DBTP


@pytest.mark.peer
@pytest.mark.parametrize("gain_db", [-30, 0, 10])
def test_a_recorded_voice_in_a_room_arrives_at_the_target(recorded: Pcm, gain_db: float) -> None:
    spoken = to_float(at(np.tile(recorded, 2), gain_db))
    heard = survey(
        through(to_pcm(spoken + noise(len(spoken), -60 + min(gain_db, 0))), VoiceChain())[SETTLED:]
    )
    assert heard.lufs == pytest.approx(TARGET_LUFS, abs=1.0)
    assert heard.true_peak_dbtp <= CEILING_DBTP


def test_the_next_one_to_speak_is_as_loud(voice: Pcm) -> None:
    """A shout after a whisper is right within three seconds, and the reverse within six."""
    chain = VoiceChain()
    through(at(voice, -34), chain)
    shout = through(at(np.tile(voice, 2), 8), chain)
    assert survey(shout[3 * 48_000 :]).lufs == pytest.approx(TARGET_LUFS, abs=1.5)
    shy = through(at(np.tile(voice, 2), -30), chain)
    assert survey(shy[6 * 48_000 :]).lufs == pytest.approx(TARGET_LUFS, abs=1.5)


def test_music_that_was_made_to_be_broadcast_comes_to_the_target(music: Pcm) -> None:
    for gain_db in (-15, 0, 6):
        heard = survey(through(at(np.tile(music, 3), gain_db), LiveLeveller(BROADCAST))[SETTLED:])
        assert heard.lufs == pytest.approx(TARGET_LUFS, abs=1.0)
        assert heard.true_peak_dbtp <= CEILING_DBTP


def test_a_room_is_never_lifted_and_sinks_once_somebody_has_spoken(voice: Pcm) -> None:
    room = to_pcm(noise(96_000, -60))
    before = through(room, VoiceChain())
    assert np.std(before[48_000:]) <= 1.001 * np.std(room)
    chain = VoiceChain()
    through(to_pcm(to_float(voice) + noise(len(voice), -60)), chain)
    after = through(np.tile(room, 2), chain)[96_000:]
    assert np.std(after) == pytest.approx(from_db(-DEPTH_DB) * np.std(room), rel=0.15)


def test_a_word_opens_the_expander_in_its_own_frame() -> None:
    expander = Expander()
    for _ in range(30):
        shut_db = expander.step(-62, -64, -20)
    assert shut_db == -DEPTH_DB
    assert expander.step(-45, -64, -20) == 0, "far above the room, however soft beside the voice"
    assert expander.step(-30, -36, -20) == 0, "within 22 dB of the voice, however loud the room"


def test_a_pause_within_a_sentence_leaves_the_room_as_it_is() -> None:
    expander = Expander()
    assert [expander.step(-62, -64, -20) for _ in range(8)] == [0.0] * 8


@pytest.mark.parametrize(
    ("hertz", "least_db", "most_db"), [(20, -90, -40), (50, -20, -14), (80, -4, -2), (160, -0.5, 0.1)]
)
def test_rumble_is_taken_out(hertz: float, least_db: float, most_db: float) -> None:
    filtered = FrameFilter(high_pass(80))
    heard = np.concatenate(
        [filtered.process(to_float(frame)) for frame in blocks(tone(hertz, 2), FRAME_SAMPLES)]
    )
    gain_db = 20 * np.log10(np.std(heard[48_000:]) / np.std(to_float(tone(hertz, 1))))
    assert least_db <= gain_db <= most_db


def test_k_weighting_frame_by_frame_is_that_of_the_survey(voice: Pcm) -> None:
    weighting = FrameFilter(K_WEIGHTING)
    weighted = [weighting.process(to_float(frame)) for frame in blocks(voice, FRAME_SAMPLES)]
    energy = sum(float(np.dot(one, one)) for one in weighted)
    assert energy == pytest.approx(float(survey(voice).energies.sum()), rel=1e-3)


def test_a_filter_has_no_seams_between_frames() -> None:
    """A sine comes out as a sine: nothing but its own frequency."""
    filtered = FrameFilter(high_pass(80))
    heard = np.concatenate(
        [filtered.process(to_float(frame)) for frame in blocks(tone(1000, 2), FRAME_SAMPLES)]
    )
    spectrum = np.abs(np.fft.rfft(heard[-48_000:] * np.hanning(48_000)))
    beside = np.delete(spectrum, range(990, 1011))
    assert beside.max() < 1e-4 * spectrum.max()


def test_silence_comes_out_as_silence_and_late_by_the_latency(voice: Pcm) -> None:
    chain = VoiceChain()
    assert not chain.process(silence(FRAME_SAMPLES)).any()
    click = silence(FRAME_SAMPLES)
    click[100] = 20_000
    heard = chain.process(click)
    assert int(np.argmax(np.abs(heard))) == 100 + LATENCY_SAMPLES


def test_a_frame_of_another_shape_is_our_own_bug() -> None:
    with pytest.raises(InternalError, match="expected int16"):
        VoiceChain().process(silence(100))
