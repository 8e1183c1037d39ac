"""What is told of a microphone, and what is not."""

import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, Samples, blocks, silence, to_float, to_pcm
from loa.codecs.levels import from_db
from loa.codecs.meter import LevelMeter
from loa.codecs.music import music_bed
from loa.codecs.opus import OpusDecoder, OpusEncoder
from loa.codecs.speech import speak
from loa.codecs.voice_chain import VoiceChain
from loa.codecs.voice_watch import TOLD_FRAMES, Remark, VoiceWatch
from loa.errors import InternalError


def told(pcm: Pcm, watch: VoiceWatch | None = None) -> set[Remark]:
    """Everything that was said while `pcm` was heard."""
    watch, meter = watch or VoiceWatch(), LevelMeter()
    said: set[Remark] = set()
    for frame in blocks(pcm, FRAME_SAMPLES):
        watch.hear(frame, meter.measure(frame))
        said.update(watch.remarks)
    return said


def as_sent(pcm: Pcm) -> Pcm:
    """As it arrives: browsers send Opus."""
    encoder, decoder = OpusEncoder(), OpusDecoder()
    return np.concatenate([decoder.decode(encoder.encode(frame)) for frame in blocks(pcm, FRAME_SAMPLES)])


def at_peak(pcm: Pcm, peak: float) -> Pcm:
    """Louder than full scale is clipped."""
    samples = to_float(pcm)
    return to_pcm(samples * np.float32(peak / np.abs(samples).max()))


def noise(samples: int, rms_dbfs: float) -> Samples:
    drawn = np.random.default_rng(5).standard_normal(samples)
    return np.asarray(from_db(rms_dbfs) * drawn, dtype=np.float32)


def hum(samples: int, hertz: float, dbfs: float) -> Samples:
    turn = 2 * np.pi * hertz / SAMPLE_RATE
    return np.asarray(from_db(dbfs) * np.sin(turn * np.arange(samples)), dtype=np.float32)


@pytest.mark.parametrize("peak", [0.05, 0.3, 0.99])
def test_a_good_voice_is_left_alone(voice: Pcm, peak: float) -> None:
    assert told(as_sent(at_peak(np.tile(voice, 2), peak))) == set()


@pytest.mark.peer
@pytest.mark.parametrize("peak", [0.05, 0.3, 0.99])
def test_a_good_recorded_voice_is_left_alone(recorded: Pcm, peak: float) -> None:
    room = noise(2 * len(recorded), -62)
    assert told(as_sent(to_pcm(to_float(at_peak(np.tile(recorded, 2), peak)) + room))) == set()


@pytest.mark.parametrize("name", ["en", "vi+whisper"])
def test_a_deep_voice_and_a_whisper_are_left_alone(name: str) -> None:
    text = "Nước sông lên nhanh. Đề nghị bà con đến nơi an toàn."
    assert told(as_sent(np.tile(speak(text, voice=name), 4))) == set()


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_music_and_rain_are_left_alone(seed: int) -> None:
    assert told(music_bed(25, seed=seed)) == set()
    assert told(to_pcm(noise(480_000, -10 * seed))) == set()


def test_a_muted_microphone_is_told_after_five_seconds_and_a_pause_is_not(voice: Pcm) -> None:
    watch = VoiceWatch()
    assert told(np.concatenate((voice, silence(4 * SAMPLE_RATE))), watch) == set()
    assert told(silence(2 * SAMPLE_RATE), watch) == {Remark.MUTE}
    told(voice[: 2 * TOLD_FRAMES * FRAME_SAMPLES], watch)
    assert watch.remarks == (), "it speaks again"


def test_a_voice_that_is_too_quiet_is_told(voice: Pcm) -> None:
    quiet = to_pcm(to_float(at_peak(np.tile(voice, 2), 0.01)) + noise(2 * len(voice), -78))
    assert told(as_sent(quiet)) == {Remark.QUIET}


@pytest.mark.parametrize("peak", [2.0, 4.0])
def test_clipping_is_told_though_opus_has_rounded_the_flat_tops(voice: Pcm, peak: float) -> None:
    assert told(at_peak(voice, peak)) == {Remark.CLIPPING}
    assert told(as_sent(at_peak(voice, peak))) == {Remark.CLIPPING}


def test_a_knock_on_the_table_is_no_clipping(voice: Pcm) -> None:
    knocked = voice.copy()
    knocked[96_000:97_000] = 32_767
    assert told(knocked) == set()


@pytest.mark.parametrize(("hertz", "dbfs"), [(49.8, -50), (50, -50), (50.3, -30), (99.7, -30)])
def test_hum_is_told_while_somebody_speaks(voice: Pcm, hertz: float, dbfs: float) -> None:
    spoken = to_float(np.tile(voice, 2))
    assert told(as_sent(to_pcm(spoken * np.float32(0.5) + hum(len(spoken), hertz, dbfs)))) == {Remark.HUM}


@pytest.mark.parametrize("dbfs", [-50, -40])
def test_hum_at_the_pitch_of_a_deep_voice_is_told_when_it_pauses(voice: Pcm, dbfs: float) -> None:
    watch, line = VoiceWatch(), hum(2 * len(voice), 100, dbfs)
    told(to_pcm(to_float(voice) * np.float32(0.5) + line[: len(voice)]), watch)
    assert told(to_pcm(line[len(voice) :] + noise(len(voice), -70)), watch) == {Remark.HUM}


def test_hum_that_nobody_hears_is_not_told(voice: Pcm) -> None:
    spoken = to_float(np.tile(voice, 2))
    assert told(to_pcm(spoken * np.float32(0.5) + hum(len(spoken), 50, -62))) == set()


def closed_loop(voice: Pcm, gain_db: float, seconds: int, delay_s: float = 0.03) -> list[tuple[Remark, ...]]:
    """The chain, a loudspeaker, a room of random echoes (30 ms), and the microphone that hears them."""
    chance, length = np.random.default_rng(0), 7_200
    echoes = chance.standard_normal(length) * np.exp(-np.arange(length) / 1_440)
    hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    spectrum = np.fft.rfft(echoes) * ((hertz > 300) & (hertz < 8_000))
    room = np.fft.irfft(spectrum * from_db(gain_db) / np.abs(spectrum).max(), length)
    delay = int(delay_s * SAMPLE_RATE)
    spoken = to_float(np.resize(voice, seconds * SAMPLE_RATE))
    back = np.zeros(len(spoken) + delay + length + FRAME_SAMPLES)
    chain, watch, meter, said = VoiceChain(), VoiceWatch(), LevelMeter(), []
    for start in range(0, len(spoken), FRAME_SAMPLES):
        here = slice(start, start + FRAME_SAMPLES)
        frame = to_pcm((spoken[here] + back[here]).astype(np.float32))
        watch.hear(frame, meter.measure(frame))
        echo = np.convolve(to_float(chain.process(frame)), room)
        back[start + delay : start + delay + len(echo)] += echo
        said.append(watch.remarks)
    return said


def test_a_loudspeaker_in_the_microphone_is_told(voice: Pcm) -> None:
    said = closed_loop(voice, gain_db=15, seconds=5)
    assert any(Remark.FEEDBACK in remarks for remarks in said)


def test_a_loudspeaker_far_away_is_not_told(voice: Pcm) -> None:
    assert not any(closed_loop(voice, gain_db=-20, seconds=8))


def test_a_howl_is_told_while_it_grows_and_a_held_note_is_not() -> None:
    t = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    wave = np.sin(2 * np.pi * 2_310 * t) * 10 ** ((-60 + 12 * t) / 20)
    assert told(to_pcm((wave + noise(len(t), -60)).astype(np.float32))) == {Remark.FEEDBACK}
    sung = 0.05 * (np.sin(2 * np.pi * 440 * t) + 0.5 * np.sin(2 * np.pi * 880 * t))
    assert told(to_pcm((sung + noise(len(t), -60)).astype(np.float32))) == set()


def test_a_frame_of_another_shape_is_our_own_bug() -> None:
    with pytest.raises(InternalError, match="expected int16"):
        VoiceWatch().hear(silence(100), LevelMeter().measure(silence(100)))
