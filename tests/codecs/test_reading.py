"""A bulletin read out: every voice equally loud, the chime ahead, music under the words, pauses as asked."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from loa.codecs.bulletin import HOUSE_BED, Bulletin, Part, Pauses, Phrase, script
from loa.codecs.decode import decode
from loa.codecs.frame import SAMPLE_RATE, Pcm, to_pcm
from loa.codecs.levels import CEILING_DBTP, TARGET_LUFS
from loa.codecs.loudness import integrated_loudness, true_peak
from loa.codecs.prepare import prepare_sound
from loa.codecs.reading import VOICE_LUFS, read_aloud
from loa.codecs.speech import Espeak
from loa.codecs.stored import MP3_FILE
from loa.codecs.tones import Chime, render
from loa.codecs.voices import Voice, VoiceEngine, Voices
from loa.errors import MediaError

S = SAMPLE_RATE
TEXT = "Kính thưa bà con. Chiều nay nước lên nhanh, đề nghị bà con đưa trẻ nhỏ đến nơi an toàn."


class Beeper:
    """Says every phrase as one second of a tone between silences, as loud as its voice is named."""

    by_clause = True

    def voices(self) -> tuple[Voice, ...]:
        return tuple(Voice(name, "vi", name, "beeper") for name in ("-20", "-40", "mute"))

    def speak(self, text: str, voice: Voice, speed: float) -> Pcm:
        gap = np.zeros(S // 2, dtype=np.float32)
        level = 0.0 if voice.id == "mute" else 10 ** (float(voice.id) / 20)
        tone = level * np.sin(2 * np.pi * 1000 * np.arange(S) / S)
        return to_pcm(np.concatenate((gap, tone.astype(np.float32), gap)))


@pytest.fixture(scope="module")
def voices() -> Voices:
    engines: list[VoiceEngine] = [Espeak(), Beeper()]
    return Voices(engines)


def mixed(
    bulletin: Bulletin, voices: Voices, folder: Path, *, max_seconds: float = 600, **more: object
) -> Pcm:
    phrases: Sequence[Phrase] = script(bulletin, voices)
    with read_aloud(bulletin, phrases, folder, max_seconds=max_seconds, **more) as reading:  # type: ignore[arg-type]
        first, again = (np.concatenate(list(reading.blocks())) for _ in range(2))
        assert len(first) == reading.samples
    np.testing.assert_array_equal(first, again, err_msg="it is listened to twice")
    assert not list(folder.iterdir()), "nothing is left"
    return first


def test_the_file_that_is_aired_has_the_voice_at_the_target(voices: Voices, tmp_path: Path) -> None:
    bulletin = Bulletin((Part("vi", TEXT), Part("en", "The water is rising fast. Please leave.")))
    phrases = script(bulletin, voices)
    with read_aloud(bulletin, phrases, tmp_path, max_seconds=60) as reading:
        told: list[float] = []
        done = prepare_sound(reading, tmp_path, expected_seconds=60, progress=told.append)
    assert done.loudness_lufs == pytest.approx(TARGET_LUFS, abs=0.3)
    assert done.true_peak_dbtp <= CEILING_DBTP
    assert told == sorted(told)
    sound = np.concatenate(list(decode(tmp_path / MP3_FILE, max_seconds=60)))
    assert integrated_loudness(sound) == pytest.approx(TARGET_LUFS, abs=0.5)
    assert true_peak(sound) <= CEILING_DBTP + 0.7, "what MP3 adds"


def test_a_bed_and_a_chime_do_not_change_how_loud_the_voice_is(voices: Voices, tmp_path: Path) -> None:
    bulletin = Bulletin((Part("vi", "a", "-20"),), chime=Chime.INFORMATION, bed=HOUSE_BED)
    phrases = script(bulletin, voices)
    with read_aloud(bulletin, phrases, tmp_path, max_seconds=60) as reading:
        prepare_sound(reading, tmp_path, expected_seconds=60)
    sound = np.concatenate(list(decode(tmp_path / MP3_FILE, max_seconds=60)))
    begin = len(render(Chime.INFORMATION)) + int(2.4 * S)
    spoken = sound[begin : begin + int(0.8 * S)]
    assert integrated_loudness(spoken) == pytest.approx(TARGET_LUFS, abs=1.0)


def test_a_quiet_voice_is_as_loud_as_the_other(voices: Voices, tmp_path: Path) -> None:
    bulletin = Bulletin((Part("vi", "a", "-20"), Part("vi", "b", "-40")), pauses=Pauses(0, 0, 1))
    sound = mixed(bulletin, voices, tmp_path)
    first, second = sound[: int(1.08 * S)], sound[-int(1.08 * S) :]
    assert integrated_loudness(first) == pytest.approx(VOICE_LUFS, abs=0.5)
    assert integrated_loudness(second) == pytest.approx(VOICE_LUFS, abs=0.5)


def test_pauses_are_as_long_as_they_were_asked_for(voices: Voices, tmp_path: Path) -> None:
    bulletin = Bulletin((Part("vi", "a, b. c\n\nd", "-20"),), pauses=Pauses(0.5, 1.0, 2.0))
    sound = mixed(bulletin, voices, tmp_path)
    loud = np.abs(sound.astype(np.int32)) > 300
    starts = np.flatnonzero(loud & ~np.roll(np.convolve(loud, np.ones(4800), "full")[: len(loud)] > 0, 1))
    steps_s = np.diff(starts) / S
    np.testing.assert_allclose(steps_s, [1.5, 2.0, 3.0], atol=0.1)
    assert len(sound) / S == pytest.approx(4 + 3.5, abs=0.4), "and none after the last word"


def test_the_chime_comes_first_and_nothing_sounds_between(voices: Voices, tmp_path: Path) -> None:
    plain = mixed(Bulletin((Part("vi", "a", "-20"),)), voices, tmp_path)
    chimed = mixed(Bulletin((Part("vi", "a", "-20"),), chime=Chime.WARNING), voices, tmp_path)
    chime = render(Chime.WARNING)
    assert np.corrcoef(chimed[: len(chime)], chime)[0, 1] > 0.999
    np.testing.assert_allclose(len(chimed), len(chime) + 0.3 * S + len(plain), atol=S * 0.06)
    assert not chimed[len(chime) : len(chime) + int(0.25 * S)].any()


def test_an_alert_has_the_shorter_edges(voices: Voices, tmp_path: Path) -> None:
    def rise(chime: Chime) -> int:
        sound = mixed(Bulletin((Part("vi", "a", "-20"),), chime=chime), voices, tmp_path)
        voice = np.abs(sound[len(render(chime)) :].astype(np.int32))
        return int(np.argmax(voice > voice.max() * 0.9) - np.argmax(voice > 0))

    assert rise(Chime.WARNING) <= rise(Chime.INFORMATION)


def test_music_is_under_the_words_and_over_the_silence(voices: Voices, tmp_path: Path) -> None:
    def hum() -> Iterator[Pcm]:
        wave = 0.1 * np.sin(2 * np.pi * 300 * np.arange(3 * S) / S)
        yield to_pcm(wave.astype(np.float32))

    bulletin = Bulletin((Part("vi", "a, b", "-20"),), pauses=Pauses(0.5, 0, 0), bed="0" * 16)
    sound = mixed(bulletin, voices, tmp_path, bed=hum).astype(np.float64)

    def hum_db(at_s: float) -> float:
        piece = sound[int(at_s * S) : int(at_s * S) + S // 10] / 32768
        wave = np.exp(-2j * np.pi * 300 * np.arange(len(piece)) / S)
        return float(20 * np.log10(np.abs(np.mean(piece * wave)) * 2 + 1e-9))

    alone, under, between, after = hum_db(1.0), hum_db(2.4), hum_db(3.3), hum_db(5.8)
    assert alone - under == pytest.approx(12, abs=1.0)
    assert between == pytest.approx(under, abs=1.0), "it does not breathe between two words"
    assert after == pytest.approx(alone, abs=1.5)
    assert hum_db(0.0) < alone - 15
    assert hum_db(len(sound) / S - 0.1) < alone - 20


@pytest.mark.parametrize(
    ("wave", "says"),
    [(np.zeros(5 * S, dtype=np.int16), "bed: it is silent"), (np.ones(S, dtype=np.int16), "bed: 1.0 s")],
)
def test_a_bed_that_is_no_music_is_refused(voices: Voices, tmp_path: Path, wave: Pcm, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        mixed(Bulletin((Part("vi", "a", "-20"),), bed="0" * 16), voices, tmp_path, bed=lambda: iter([wave]))
    assert not list(tmp_path.iterdir())


def test_what_lasts_too_long_is_refused_or_cut(voices: Voices, tmp_path: Path) -> None:
    long = Bulletin((Part("vi", "a. " * 20, "-20"),))
    with pytest.raises(MediaError, match="more than 5 s"):
        mixed(long, voices, tmp_path, max_seconds=5)
    assert 5 < len(mixed(long, voices, tmp_path, max_seconds=5, cut=True)) / S < 7


def test_a_voice_that_says_nothing_is_told_with_its_part(voices: Voices, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="part 2: its voice"):
        mixed(Bulletin((Part("vi", "a", "-20"), Part("vi", "b", "mute"))), voices, tmp_path)


def test_progress_goes_from_phrase_to_phrase(voices: Voices, tmp_path: Path) -> None:
    told: list[float] = []
    mixed(Bulletin((Part("vi", "a, b. c", "-20"),)), voices, tmp_path, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) == 3
