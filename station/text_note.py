"""A bulletin's words beside its sound: the JSON that a text program is made of, and that is kept with it so
that it can be edited again.

Light on purpose: the worker imports this and none of the database.
"""

import json
from typing import Any

from ..codecs.bulletin import Bulletin, Part, Pauses
from ..codecs.tones import Chime
from ..errors import MediaError, ProtocolError

VERSION = 1
MAX_BYTES = 1 << 20
"""20,000 characters of 4 bytes, every one of them escaped."""


def build_note(bulletin: Bulletin) -> bytes:
    """UTF-8, readable by eye."""
    pauses = bulletin.pauses
    fields = {
        "version": VERSION,
        "parts": [
            {"language": part.language, "text": part.text, "voice": part.voice} for part in bulletin.parts
        ],
        "speed": bulletin.speed,
        "pauses": {name: getattr(pauses, name) for name in Pauses.__slots__},
        "chime": bulletin.chime.value if bulletin.chime else None,
        "bed": bulletin.bed,
    }
    return json.dumps(fields, ensure_ascii=False, indent=1).encode()


def parse_note(data: bytes) -> Bulletin:
    """The inverse of `build_note`."""
    if len(data) > MAX_BYTES:
        raise ProtocolError(f"text: {len(data)} bytes; expected at most {MAX_BYTES}")
    try:
        fields: Any = json.loads(data)
        if fields["version"] != VERSION:
            raise ProtocolError(f"text: version {fields['version']!r}; expected {VERSION}")
        return Bulletin(
            parts=tuple(_part(part) for part in fields["parts"]),
            speed=float(fields["speed"]),
            pauses=Pauses(**{name: float(fields["pauses"][name]) for name in Pauses.__slots__}),
            chime=Chime(fields["chime"]) if fields["chime"] is not None else None,
            bed=_text_or_none(fields["bed"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, MediaError) as problem:
        raise ProtocolError(f"text: {problem}; expected a bulletin as it was written") from problem


def _part(fields: Any) -> Part:
    language, text = fields["language"], fields["text"]
    if not isinstance(language, str) or not isinstance(text, str):
        raise ValueError("a part without language or text")
    return Part(language, text, _text_or_none(fields["voice"]))


def _text_or_none(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{value!r} is no name")
    return value
