"""A bulletin read out: spoken phrase by phrase into a file, then mixed with its chime and its music, block by
block.

Laws: memory does not grow with the bulletin (the spoken samples lie in a file of the folder that was given,
which is deleted at the end); every part is brought to one level by itself, since voices differ; the voice is
at VOICE_LUFS, whatever lies under or before it. It blocks for about 1 % of the duration of what is said with
eSpeak NG: run it in a worker process.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import MediaError
from .bulletin import Bulletin, Phrase
from .frame import SAMPLE_RATE, Pcm, Samples, silence, to_float, to_pcm
from .levels import FLOOR_DB, TARGET_LUFS, from_db
from .mix import ALERT_FADE_S, FADE_S, Ducking, Loop, Span, softened
from .music import music_bed
from .survey import Survey, survey
from .synth import seconds
from .tones import Chime, render

HEADROOM_DB = 9.0
VOICE_LUFS = TARGET_LUFS - HEADROOM_DB
"""Speech at the target has peaks above full scale; the limiter comes after the mix, so there is room till
then. Twelve bits of the voice are left."""

_AFTER_CHIME_S = 0.3
_LEAD_S, _TAIL_S = 2.0, 3.5
"""Of music alone, before the first word and after the last."""

_BED_S = 60.0
_MAX_BED_S = 300.0
_MIN_BED_S = 2.0
_MARGIN_S = 0.04
_SILENT = from_db(-50.0)
"""An engine's own silence around a phrase is cut off to this margin, so that pauses are as they were asked
for."""

_BLOCK = SAMPLE_RATE
_VOICE_FILE = "voice.raw"


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A part in the file: where it lies and what gain it needs."""

    span: Span
    gain: float


class Reading:
    """What was spoken, ready to be mixed as often as wanted. Valid while its file is there."""

    name = "the bulletin"

    def __init__(
        self,
        path: Path,
        parts: Sequence[_Spoken],
        voiced: Sequence[Span],
        chime: Chime | None,
        bed: "Loop | None",
    ) -> None:
        self._voice = np.memmap(path, dtype=np.int16, mode="r")
        self._parts = parts
        self._chime = _chime(chime)
        lead_s = (_LEAD_S if bed else 0.0) + (_AFTER_CHIME_S if chime else 0.0)
        self._voice_at = len(self._chime) + seconds(lead_s)
        self.samples = self._voice_at + len(self._voice) + (seconds(_TAIL_S) if bed else 0)
        moved = [(begin + self._voice_at, end + self._voice_at) for begin, end in voiced]
        ducking = Ducking(moved, len(self._chime), self.samples)
        self._under = (bed, ducking) if bed is not None else None
        self.anchor_lufs = VOICE_LUFS if bed or chime else None

    def blocks(self) -> Generator[Pcm, None, None]:
        """The mix, from the start."""
        for start in range(0, self.samples, _BLOCK):
            yield self._mixed(start, min(_BLOCK, self.samples - start))

    def _mixed(self, start: int, samples: int) -> Pcm:
        canvas: Samples = np.zeros(samples, dtype=np.float32)
        _lay(canvas, start, self._chime, 0)
        for part in self._parts:
            begin, end = (edge + self._voice_at for edge in part.span)
            first, last = max(begin, start), min(end, start + samples)
            if first < last:
                voice = self._voice[first - self._voice_at : last - self._voice_at]
                canvas[first - start : last - start] += to_float(voice) * np.float32(part.gain)
        if self._under is not None:
            bed, ducking = self._under
            canvas += bed.at(start, samples) * ducking.gains(start, samples)
        return to_pcm(canvas)


@contextlib.contextmanager
def read_aloud(
    bulletin: Bulletin,
    phrases: Sequence[Phrase],
    folder: Path,
    *,
    bed: Callable[[], Iterator[Pcm]] | None = None,
    max_seconds: float,
    cut: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Reading]:
    """Speak `phrases`, the script of `bulletin`. `bed`: opens the sound of its bed, if that is a program.

    MediaError when it lasts longer than `max_seconds` (or it ends there, if `cut`), when a voice fails or
    has nothing to say, when the bed is no music.
    """
    path = folder / _VOICE_FILE
    try:
        with path.open("wb") as file:
            speaker = _Speaker(file, bulletin, int(max_seconds * SAMPLE_RATE), cut)
            parts, voiced = speaker.speak(phrases, progress or (lambda _part: None))
        under = _bed(bed) if bulletin.bed is not None else None
        yield Reading(path, parts, voiced, bulletin.chime, under)
    finally:
        path.unlink(missing_ok=True)


class _Speaker:
    """Speaks phrase after phrase into the file."""

    def __init__(self, file: BinaryIO, bulletin: Bulletin, most: int, cut: bool) -> None:
        self._file = file
        self._speed = bulletin.speed
        self._fade_s = ALERT_FADE_S if bulletin.chime is Chime.WARNING else FADE_S
        self._most, self._cut = most, cut
        self._at = self._due = 0
        self._voiced: list[Span] = []

    def speak(
        self, phrases: Sequence[Phrase], progress: Callable[[float], None]
    ) -> tuple[list[_Spoken], list[Span]]:
        letters, done = sum(len(phrase.text) for phrase in phrases), 0
        parts: list[_Spoken] = []
        for part in sorted({phrase.part for phrase in phrases}):
            measured, begin = Survey(), self._at + self._due
            for phrase in (one for one in phrases if one.part == part):
                self._phrase(phrase, measured)
                done += len(phrase.text)
                progress(done / letters)
                if self._full():
                    break
            parts.append(_Spoken((begin, self._at), self._gain(measured, part)))
            if self._full():
                break
        self._file.flush()
        return parts, self._voiced

    def _full(self) -> bool:
        """Whether the time is up."""
        if self._at <= self._most:
            return False
        if not self._cut:
            raise MediaError(
                f"the bulletin lasts more than {self._most / SAMPLE_RATE:.0f} s; expected a shorter text"
            )
        return True

    def _phrase(self, phrase: Phrase, measured: Survey) -> None:
        """A pause is due, and counts for the level of a part, only when something follows it there."""
        sound = _trimmed(phrase.engine.speak(phrase.text, phrase.voice, self._speed))
        if not len(sound):
            return
        sound = to_pcm(softened(to_float(sound), self._fade_s))
        pause = silence(self._due)
        if measured.samples:
            measured.feed(pause)
        measured.feed(sound)
        self._file.write(pause.tobytes())
        self._file.write(sound.tobytes())
        begin = self._at + self._due
        self._at = begin + len(sound)
        self._voiced.append((begin, self._at))
        self._due = seconds(phrase.pause_s)

    def _gain(self, measured: Survey, part: int) -> float:
        lufs = measured.finish().lufs if measured.samples else FLOOR_DB
        if lufs <= FLOOR_DB:
            raise MediaError(
                f"part {part + 1}: its voice finds nothing to say; expected words of its language"
            )
        return from_db(VOICE_LUFS - lufs)


def _chime(chime: Chime | None) -> Samples:
    """At its own level once the mix is brought up to the target."""
    if chime is None:
        return np.zeros(0, dtype=np.float32)
    return to_float(render(chime)) * np.float32(from_db(-HEADROOM_DB))


def _bed(opened: Callable[[], Iterator[Pcm]] | None) -> Loop:
    """The music at the voice's level, to be laid under it."""
    pcm = music_bed(_BED_S) if opened is None else _beginning(opened())
    if len(pcm) < seconds(_MIN_BED_S):
        raise MediaError(f"bed: {len(pcm) / SAMPLE_RATE:.1f} s of sound; expected at least {_MIN_BED_S:g} s")
    lufs = survey(pcm).lufs
    if lufs <= FLOOR_DB:
        raise MediaError("bed: it is silent; expected music")
    return Loop(to_float(pcm) * np.float32(from_db(VOICE_LUFS - lufs)))


def _beginning(sound: Iterator[Pcm]) -> Pcm:
    """As much of a program as is worth repeating."""
    kept: list[Pcm] = []
    for block in sound:
        kept.append(block)
        if sum(map(len, kept)) >= seconds(_MAX_BED_S):
            break
    return np.concatenate(kept)[: seconds(_MAX_BED_S)] if kept else silence(0)


def _trimmed(sound: Pcm) -> Pcm:
    """Without the silence around it."""
    loud = np.flatnonzero(np.abs(to_float(sound)) > _SILENT)
    if not len(loud):
        return silence(0)
    margin = seconds(_MARGIN_S)
    return sound[max(0, int(loud[0]) - margin) : int(loud[-1]) + margin]


def _lay(canvas: Samples, start: int, sound: Samples, at: int) -> None:
    """Add what of `sound`, which begins at `at`, falls into the canvas from `start` on."""
    first, last = max(at, start), min(at + len(sound), start + len(canvas))
    if first < last:
        canvas[first - start : last - start] += sound[first - at : last - at]
