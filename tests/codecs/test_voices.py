"""The seam of voices: which there are, which one speaks a language, and that each says something."""

import numpy as np
import pytest

from loa.codecs.frame import SAMPLE_RATE, Pcm
from loa.codecs.speech import VOICES, Espeak
from loa.codecs.vi_numbers import NORTHERN, SOUTHERN
from loa.codecs.voices import FASTEST, SLOWEST, Voice, VoiceEngine, Voices
from loa.errors import NotFoundError


class Better:
    """An engine with one Vietnamese voice."""

    by_clause = False

    def voices(self) -> tuple[Voice, ...]:
        return (Voice("better:vi", "vi", "Better", "better"),)

    def speak(self, text: str, voice: Voice, speed: float) -> Pcm:
        return np.ones(100, dtype=np.int16)


@pytest.fixture
def voices() -> Voices:
    return Voices([Espeak()])


def test_vietnamese_comes_first_and_has_three_regions(voices: Voices) -> None:
    first = voices.all[:3]
    assert tuple(voice.id for voice in first) == VOICES
    assert [voice.dialect for voice in first] == [NORTHERN, SOUTHERN, SOUTHERN]
    assert all(voice.language == "vi" and voice.engine == "espeak-ng" for voice in first)


def test_ids_are_told_apart_and_invented_languages_are_left_out(voices: Voices) -> None:
    ids = [voice.id for voice in voices.all]
    assert len(ids) == len(set(ids)) > 100
    assert not {"eo", "piqd", "jbo", "fo"} & set(ids), "invented, or without a dictionary"


@pytest.mark.parametrize(
    ("language", "name", "found"),
    [
        ("vi", None, "vi"),
        ("vi", "vi-vn-x-south", "vi-vn-x-south"),
        ("vi-vn-x-central", None, "vi-vn-x-central"),
        ("en", None, "en"),
        ("en-us", None, "en-us"),
        ("en-au", None, "en"),
        ("EN-US", None, "en-us"),
        ("yue", None, "yue"),
    ],
)
def test_a_voice_is_found(voices: Voices, language: str, name: str | None, found: str) -> None:
    assert voices.find(language, name)[0].id == found


@pytest.mark.parametrize(
    ("language", "name", "says"),
    [
        ("xx", None, "no voice speaks 'xx'"),
        ("vi", "gone", "no voice 'gone'"),
        ("vi", "en", "text is 'vi'"),
    ],
)
def test_a_voice_that_is_not_there_is_told(
    voices: Voices, language: str, name: str | None, says: str
) -> None:
    with pytest.raises(NotFoundError, match=says):
        voices.find(language, name)


def test_the_better_engine_speaks_its_language_and_the_other_the_rest() -> None:
    better, built_in = Better(), Espeak()
    engines: list[VoiceEngine] = [better, built_in]
    both = Voices(engines)
    assert both.find("vi", None)[1] is better
    assert both.find("vi", "vi")[1] is built_in, "who asks for it by name gets it"
    assert both.find("fr", None)[1] is built_in


@pytest.mark.parametrize("language", ["vi", "en", "fr", "cmn", "yue", "th", "ko", "ja", "my"])
def test_languages_of_the_wheel_are_spoken(voices: Voices, language: str) -> None:
    voice, engine = voices.find(language, None)
    assert len(engine.speak("Xin chào 12, hello.", voice, 1.0)) > SAMPLE_RATE / 2


def test_speed_is_heard_and_nothing_to_say_is_nothing(voices: Voices) -> None:
    voice, engine = voices.find("vi", None)
    slow, plain, fast = (
        len(engine.speak("Đây là đài truyền thanh xã Mỹ Thọ.", voice, s)) for s in (SLOWEST, 1.0, FASTEST)
    )
    assert slow > 1.6 * plain
    assert plain > 1.6 * fast
    assert len(engine.speak("\u200b", voice, 1.0)) == 0
