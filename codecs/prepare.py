"""From an uploaded file to a stored program: decoded, levelled, faded in and out, encoded once in both
codecs.

Laws: two passes over the file, the first to know how loud it is, the second to encode it, so memory does
not grow with its length (29 MB for four hours); what comes out is a whole number of GRID_SAMPLES, so both
files end together; on any error nothing is left in the folder. It blocks for about 4 % of the duration of
the sound: run it in a worker process. Arguments and result can be pickled.
"""

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from ..errors import MediaError
from .decode import decode
from .frame import (
    FRAME_SAMPLES,
    GRID_SAMPLES,
    MP3_FRAME_SAMPLES,
    SAMPLE_RATE,
    Pcm,
    Samples,
    blocks,
    silence,
    to_float,
    to_pcm,
)
from .levels import TARGET_LUFS
from .loudness import Plan, plan
from .mp3 import AlignedMp3Encoder
from .opus import PRE_SKIP, OpusEncoder
from .stored import MP3_FILE, OPUS_FILE
from .survey import Bins, Survey

MAX_SECONDS = 4 * 3600
"""The longest commune programme known is 45 minutes; a congress that is carried whole takes four hours."""

FADE_SAMPLES = 480
"""10 ms: a file that starts or ends in the middle of a wave does not click, and no syllable is lost."""

_FIRST_PASS = 0.12
"""Its share of the work, measured."""

_PICTURE_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stored program, as it sounds now."""

    frames: int
    mp3_frames: int
    duration_s: float
    """Of the sound itself; the files are up to 147 ms longer, 20 of them ahead of it."""

    loudness_lufs: float
    true_peak_dbtp: float
    peaks: list[int]
    """About 200 values, 0 to 100 % of full scale, for a picture of the wave."""


class Sound(Protocol):
    """What can be listened to twice."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def anchor_lufs(self) -> float | None:
        """How loud is what counts in it (a voice over music); None: all of it counts."""
        ...

    def blocks(self) -> Generator[Pcm, None, None]:
        """All of it, the same at each call."""
        ...


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    max_seconds: float
    anchor_lufs: float | None = None

    @property
    def name(self) -> str:
        return self.path.name

    def blocks(self) -> Generator[Pcm, None, None]:
        return decode(self.path, max_seconds=self.max_seconds)


def prepare(
    source: Path,
    folder: Path,
    *,
    max_seconds: float = MAX_SECONDS,
    progress: Callable[[float], None] | None = None,
) -> Prepared:
    """Write OPUS_FILE and MP3_FILE into `folder`, which exists. MediaError says what is wrong with
    `source`; OSError is a full disk or the like.

    `progress` is called with 0.0 to 1.0, never less than before.
    """
    return prepare_sound(_File(source, max_seconds), folder, expected_seconds=max_seconds, progress=progress)


def prepare_sound(
    source: Sound,
    folder: Path,
    *,
    expected_seconds: float,
    progress: Callable[[float], None] | None = None,
) -> Prepared:
    """The same for any sound. `expected_seconds`: about how long it is, for the progress."""
    tell = progress or (lambda _part: None)
    measured = Survey()
    for block in source.blocks():
        measured.feed(block)
        tell(_FIRST_PASS * min(1.0, measured.samples / (expected_seconds * SAMPLE_RATE)))
    found = measured.finish()
    above_lu = 0.0 if source.anchor_lufs is None else found.lufs - source.anchor_lufs
    try:
        planned = plan(found, TARGET_LUFS + above_lu)
    except MediaError as error:
        raise MediaError(f"{source.name}: {error}") from error
    with contextlib.closing(source.blocks()) as again:
        frames, mp3_frames = _encode(_Shaped(again, planned, measured.samples), folder, tell)
    return Prepared(
        frames=frames,
        mp3_frames=mp3_frames,
        duration_s=measured.samples / SAMPLE_RATE,
        loudness_lufs=planned.loudness_lufs,
        true_peak_dbtp=planned.true_peak_dbtp,
        peaks=_picture(found.peaks * planned.gains),
    )


class _Shaped:
    """The second pass: levelled, faded, in pieces of GRID_SAMPLES, filled up with silence."""

    def __init__(self, source: Iterator[Pcm], planned: Plan, samples: int) -> None:
        self._source = source
        self._plan = planned
        self._samples = samples
        self.pieces = -(-(FRAME_SAMPLES + samples + PRE_SKIP) // GRID_SAMPLES)
        """Room for the frame that Opus keeps silent at the start, and for what it delays past the end."""

    def __iter__(self) -> Iterator[Pcm]:
        kept = [silence(FRAME_SAMPLES)]
        at, waiting = 0, FRAME_SAMPLES
        for block in self._source:
            kept.append(self._shaped(block, at))
            at += len(block)
            waiting += len(block)
            if waiting >= GRID_SAMPLES:
                joined = np.concatenate(kept)
                whole = waiting // GRID_SAMPLES * GRID_SAMPLES
                yield from blocks(joined, GRID_SAMPLES)
                kept, waiting = [joined[whole:]], waiting - whole
        if at != self._samples:
            raise MediaError(f"the file gave {at} samples when read again, expected {self._samples}")
        kept.append(silence(self.pieces * GRID_SAMPLES - FRAME_SAMPLES - at))
        yield from blocks(np.concatenate(kept), GRID_SAMPLES)

    def _shaped(self, block: Pcm, at: int) -> Pcm:
        samples: Samples = to_float(block) * self._plan.gains_at(at, len(block))
        to_end = self._samples - at
        if at < FADE_SAMPLES or to_end - len(block) < FADE_SAMPLES:
            ahead = np.arange(len(block), dtype=np.float32)
            ramp = np.minimum(ahead + at, to_end - 1 - ahead) / np.float32(FADE_SAMPLES)
            samples = samples * np.clip(ramp, 0, 1)
        return to_pcm(samples)


def _encode(sound: _Shaped, folder: Path, tell: Callable[[float], None]) -> tuple[int, int]:
    with contextlib.ExitStack() as undo:
        files = []
        for path in (folder / OPUS_FILE, folder / MP3_FILE):
            undo.callback(path.unlink, missing_ok=True)
            files.append(undo.enter_context(path.open("wb")))
        counts = _write(sound, files[0], files[1], tell)
        for file in files:
            file.flush()
            os.fsync(file.fileno())
            file.close()
        undo.pop_all()
    return counts


def _write(
    sound: _Shaped, opus_file: BinaryIO, mp3_file: BinaryIO, tell: Callable[[float], None]
) -> tuple[int, int]:
    opus, mp3, frames, mp3_frames = OpusEncoder(lead_in=True), AlignedMp3Encoder(), 0, 0
    for done, piece in enumerate(sound, start=1):
        for frame in blocks(piece, FRAME_SAMPLES):
            opus_file.write(opus.encode(frame))
            frames += 1
        for frame in blocks(piece, MP3_FRAME_SAMPLES):
            mp3_frames += 1
            mp3_file.writelines(mp3.encode(frame))
        tell(_FIRST_PASS + (1 - _FIRST_PASS) * done / sound.pieces)
    mp3_file.writelines(mp3.finish())
    return frames, mp3_frames


def _picture(peaks: Bins) -> list[int]:
    columns = min(_PICTURE_COLUMNS, len(peaks))
    starts = np.linspace(0, len(peaks), columns, endpoint=False).astype(np.int64)
    heights = np.maximum.reduceat(np.minimum(peaks, 1.0), starts) * 100
    return [round(float(height)) for height in heights]
