"""The process that reads a bulletin out, apart from everything that must not stall or crash.

`python -P -m loa.station.text_worker MODE CONTENT VOICES SOURCE FOLDER MAX_SECONDS`: MODE is `whole`, or
`start` for the first MAX_SECONDS of it; CONTENT the content store's folder, where programs that lie under a
voice are; VOICES the folder of piper's voices or nothing; SOURCE a note (`text_note.py`). It speaks and ends
as `worker.py` does, whose laws hold here too.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ..codecs.bulletin import HOUSE_BED, Bulletin, script
from ..codecs.decode import decode
from ..codecs.frame import SAMPLE_RATE, Pcm
from ..codecs.prepare import MAX_SECONDS, Prepared, prepare_sound
from ..codecs.reading import read_aloud
from ..codecs.stored import MP3_FILE
from ..errors import MediaError, ProtocolError
from ..trust.ids import is_id
from .text_note import MAX_BYTES, parse_note
from .voice_bench import open_voices
from .worker import carry_out

WHOLE, START = "whole", "start"
_SPEAKING = 0.4
"""Its share of the work, measured."""


def main(arguments: list[str]) -> int:
    mode, content, voices = arguments[0], Path(arguments[1]), Path(arguments[2]) if arguments[2] else None
    source, folder, max_seconds = Path(arguments[3]), Path(arguments[4]), float(arguments[5])
    return carry_out(
        lambda tell: _read_out(source, folder, content, voices, max_seconds, mode == START, tell)
    )


def _read_out(
    source: Path,
    folder: Path,
    content: Path,
    voices: Path | None,
    max_seconds: float,
    cut: bool,
    tell: Callable[[float], None],
) -> Prepared:
    with source.open("rb") as file:
        note = file.read(MAX_BYTES + 1)
    try:
        bulletin = parse_note(note)
    except ProtocolError as problem:
        raise MediaError(str(problem)) from problem
    phrases = script(bulletin, open_voices(voices))
    reading = read_aloud(
        bulletin,
        phrases,
        folder,
        bed=_bed(bulletin, content),
        max_seconds=max_seconds,
        cut=cut,
        progress=lambda part: tell(part * _SPEAKING),
    )
    with reading as sound:
        expected_s = sound.samples / SAMPLE_RATE
        told = _after_speaking(tell)
        return prepare_sound(sound, folder, expected_seconds=expected_s, progress=told)


def _after_speaking(tell: Callable[[float], None]) -> Callable[[float], None]:
    return lambda part: tell(_SPEAKING + part * (1 - _SPEAKING))


def _bed(bulletin: Bulletin, content: Path) -> Callable[[], Iterator[Pcm]] | None:
    """Opens the program that lies under the voice."""
    if bulletin.bed is None or bulletin.bed == HOUSE_BED:
        return None
    path = content / bulletin.bed / MP3_FILE
    if not is_id(bulletin.bed) or not path.exists():
        raise MediaError("bed: its program is gone; expected one that is ready")
    return partial(decode, path, max_seconds=MAX_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
