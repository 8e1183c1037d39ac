"""A typed bulletin: its parts in one or several languages, and how it is to be read out.

Laws: a bulletin is valid from construction: no markup, no control characters, no more than MAX_TEXT_CHARS in
all; its script, what is said with which voice and how long a pause follows, is a pure function of it and of
the voices there are. A blank line ends a paragraph.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import MediaError
from .tones import Chime
from .vi_reading import MAX_TEXT_CHARS as MAX_TEXT_CHARS
from .vi_reading import clean, read_out
from .voices import FASTEST, SLOWEST, Voice, VoiceEngine, Voices

MAX_PARTS = 20
MAX_PAUSE_S = 5.0
MAX_PHRASE_CHARS = 500
"""Half a minute of speech: no announcer has the breath."""

HOUSE_BED = "house"
"""The house's own music, instead of a stored program."""

_LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What word processors end a line with."""
_FORBIDDEN = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_MARKUP = re.compile(r"</?[A-Za-z][A-Za-z0-9:-]*(?:\s[^<>]{0,500})?/?>|<!--|<!\[?[A-Za-z]|<\?[A-Za-z]")
_PARAGRAPH = re.compile(r"\n[^\S\n]*(?:\n\s*)+")
_WRAP = re.compile(r"(?<=[^\n]{39}[^\s.!?:;…])[^\S\n]*\n[^\S\n]*(?=([^\W_]))(?!\d{1,2}[.)]\s)")
"""The end of a line that goes on in the next: 40 letters and no mark before it, no item of a list after."""

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])\s*")
_CLAUSE = re.compile(r"(?<=[,;:])\s+|(?<=[，、；：])\s*")


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds of silence after a clause, a sentence and a paragraph (a part ends like a paragraph).

    The defaults are those of an announcer over horns: an echo of 300 m is back after 0.9 s.
    """

    comma_s: float = 0.25
    sentence_s: float = 0.6
    paragraph_s: float = 1.2

    def __post_init__(self) -> None:
        for name in ("comma_s", "sentence_s", "paragraph_s"):
            value = getattr(self, name)
            if not 0 <= value <= MAX_PAUSE_S:
                raise MediaError(f"pause {name}: {value}; expected 0 to {MAX_PAUSE_S:g} seconds")


@dataclass(frozen=True, slots=True)
class Part:
    """`language`: a tag like vi or en-us. `voice`: an id; None is the language's first."""

    language: str
    text: str
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class Bulletin:
    """`bed`: HOUSE_BED, or the id of a stored program whose sound lies under the voice."""

    parts: tuple[Part, ...]
    speed: float = 1.0
    pauses: Pauses = Pauses()
    chime: Chime | None = None
    bed: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.parts) <= MAX_PARTS:
            raise MediaError(f"bulletin: {len(self.parts)} parts; expected 1 to {MAX_PARTS}")
        if not SLOWEST <= self.speed <= FASTEST:
            raise MediaError(f"speed: {self.speed}; expected {SLOWEST} to {FASTEST}")
        letters = sum(len(part.text) for part in self.parts)
        if letters > MAX_TEXT_CHARS:
            raise MediaError(f"bulletin: {letters} characters in all; expected at most {MAX_TEXT_CHARS}")
        for number, part in enumerate(self.parts, start=1):
            check_text(part.text, f"part {number}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is spoken in one breath, and the silence after it. `part` counts from 0."""

    part: int
    text: str
    voice: Voice
    engine: VoiceEngine
    pause_s: float


def check_text(text: str, where: str) -> None:
    """MediaError names the first character or tag that nobody can read out, and its line."""
    plain = _LINE_ENDS.sub("\n", text)
    if found := _FORBIDDEN.search(plain):
        raise MediaError(
            f"{where}, line {_line(plain, found)}: control character U+{ord(found[0]):04X}; "
            "expected text without control characters"
        )
    if found := _MARKUP.search(plain):
        raise MediaError(
            f"{where}, line {_line(plain, found)}: {found[0][:40]!r} is markup; expected plain text"
        )


def said(part: Part, voice: Voice) -> tuple[str, ...]:
    """The paragraphs of a part as they are read out, in words. MediaError when there is none."""
    text = _WRAP.sub(_unwrapped, _LINE_ENDS.sub("\n", part.text))
    written = _PARAGRAPH.split(text)
    found = tuple(_in_words(paragraph, voice) for paragraph in written if _has_word(paragraph))
    if not found:
        raise MediaError(f"text {part.text[:40]!r} has no word in it; expected something to say")
    return found


def script(bulletin: Bulletin, voices: Voices) -> tuple[Phrase, ...]:
    """What is said, in order. NotFoundError for a voice or language that is not there."""
    phrases: list[Phrase] = []
    for number, part in enumerate(bulletin.parts):
        voice, engine = voices.find(part.language, part.voice)
        for paragraph in said(part, voice):
            for text, pause_s in _breaths(paragraph, bulletin.pauses, engine.by_clause):
                phrases.append(Phrase(number, text, voice, engine, pause_s))
    return tuple(phrases)


def _in_words(text: str, voice: Voice) -> str:
    """Engines know the numbers of their languages; those of Vietnamese notices we know better."""
    if voice.language == "vi":
        return read_out(text, dialect=voice.dialect)
    return " ".join(clean(text).split())


def _unwrapped(found: re.Match[str]) -> str:
    """A new line that begins with a capital is meant as one."""
    return found[0] if found[1].isupper() else " "


def _breaths(paragraph: str, pauses: Pauses, by_clause: bool) -> Iterator[tuple[str, float]]:
    sentences = [one for one in _SENTENCE.split(paragraph) if _has_word(one)]
    for number, sentence in enumerate(sentences, start=1):
        written = _CLAUSE.split(sentence) if by_clause else [sentence]
        clauses = [breath for one in written if _has_word(one) for breath in _bounded(one)]
        for clause in clauses[:-1]:
            yield clause, pauses.comma_s
        yield clauses[-1], pauses.paragraph_s if number == len(sentences) else pauses.sentence_s


def _bounded(clause: str) -> list[str]:
    """An engine holds the sound of what it is given as a whole, so a clause without an end is cut."""
    return textwrap.wrap(clause, MAX_PHRASE_CHARS) if len(clause) > MAX_PHRASE_CHARS else [clause]


def _has_word(text: str) -> bool:
    return any(map(str.isalnum, text))


def _line(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1
