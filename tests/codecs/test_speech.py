"""Text to speech: every Vietnamese voice speaks, from any thread, and says what it cannot."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from loa.codecs.frame import SAMPLE_RATE
from loa.codecs.resample import resample
from loa.codecs.speech import MAX_TEXT_CHARS, VOICES, speak
from loa.codecs.survey import survey
from loa.errors import MediaError, NotFoundError

TEXT = "Kính thưa bà con, đây là đài truyền thanh xã."


@pytest.mark.parametrize("voice", VOICES)
def test_each_voice_speaks_at_a_human_pace_and_does_not_clip(voice: str) -> None:
    pcm = speak(TEXT, voice=voice)
    assert 2 < len(pcm) / SAMPLE_RATE < 6
    assert pcm.dtype == np.int16
    assert -30 < survey(pcm).lufs < -8
    assert np.abs(pcm.astype(np.int32)).max() < 32_767


def test_the_rate_is_heard() -> None:
    assert len(speak(TEXT, rate_wpm=100)) > 1.3 * len(speak(TEXT, rate_wpm=200))


def test_voices_differ() -> None:
    lengths = {len(speak(TEXT, voice=voice)) // 1000 for voice in VOICES}
    assert len(lengths) > 1


def test_threads_take_turns() -> None:
    with ThreadPoolExecutor(4) as pool:
        spoken = list(pool.map(speak, [TEXT] * 8))
    longest, shortest = max(map(len, spoken)), min(map(len, spoken))
    assert longest - shortest < SAMPLE_RATE / 4


@pytest.mark.parametrize(
    "text", ["", " \n\0", "x" * (MAX_TEXT_CHARS + 1)], ids=["empty", "blank", "too long"]
)
def test_no_text_and_too_much_text_are_refused(text: str) -> None:
    with pytest.raises(MediaError, match=f"expected 1 to {MAX_TEXT_CHARS}"):
        speak(text)


def test_an_unknown_voice_is_named_together_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match=r"'klingon-9'.*vi-vn-x-south"):
        speak(TEXT, voice="klingon-9")


@pytest.mark.parametrize("text", ["<speak>&\"'", "😀🚨 mưa", "a\ud800b", "مرحبا", "mưa\0to"])
def test_odd_text_is_spoken(text: str) -> None:
    assert len(speak(text)) > SAMPLE_RATE / 4


@pytest.mark.parametrize("text", ["...", "–", "\u200b", "\x07"])
def test_what_has_no_sound_is_refused(text: str) -> None:
    with pytest.raises(MediaError, match="nothing in the text can be spoken"):
        speak(text)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_length_and_pitch(rate_hz: int) -> None:
    tone = np.asarray(8_000 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz), dtype=np.int16)
    out = resample(tone, rate_hz)
    assert abs(len(out) - SAMPLE_RATE) <= 100
    assert int(np.argmax(np.abs(np.fft.rfft(out[:48_000], 48_000)))) == pytest.approx(1000, abs=1)
