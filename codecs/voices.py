"""The seam behind which voices speak: an engine has voices, and says a text with one of them.

Laws: what comes out is not levelled yet and may begin and end in silence; speaking blocks, so it belongs in
a worker or a thread; a text in which an engine finds nothing to say gives no samples. A bench of engines
finds a voice by its id, or for a language: the first engine that has one wins, so the better comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import NotFoundError
from .frame import Pcm
from .vi_numbers import NORTHERN, Dialect

SLOWEST, FASTEST = 0.5, 2.0
"""Of speed, 1.0 being an announcer's. Slower falls apart into syllables, faster blurs in a square's echo."""


@dataclass(frozen=True, slots=True)
class Voice:
    """`language`: the first part of its tag (BCP 47), lower case. `dialect`: how it says numbers."""

    id: str
    language: str
    name: str
    engine: str
    dialect: Dialect = NORTHERN


class VoiceEngine(Protocol):
    """Something that speaks."""

    @property
    def by_clause(self) -> bool:
        """Whether clauses spoken one by one sound as they do in their sentence."""
        ...

    def voices(self) -> tuple[Voice, ...]: ...

    def speak(self, text: str, voice: Voice, speed: float) -> Pcm:
        """`text`, words without markup, spoken. MediaError when the engine fails on it."""
        ...


class Voices:
    """All engines there are, the better first."""

    def __init__(self, engines: Sequence[VoiceEngine]) -> None:
        found = [(voice, engine) for engine in engines for voice in engine.voices()]
        self._by_id = {voice.id: (voice, engine) for voice, engine in reversed(found)}
        self.all = tuple(voice for voice, _ in found)

    def find(self, language: str, name: str | None) -> tuple[Voice, VoiceEngine]:
        """The voice of that id, or the first for the language. NotFoundError says what there is."""
        if name is not None:
            return self._named(language, name)
        tag = language.lower()
        by_tag = self._by_id.get(tag)
        wanted = tag.partition("-")[0]
        first = next((voice for voice in self.all if voice.language == wanted), None)
        if first is None:
            known = ", ".join(sorted({voice.language for voice in self.all}))
            raise NotFoundError(f"no voice speaks {language!r}, expected a language of {known}")
        return by_tag if by_tag is not None and tag != wanted else self._by_id[first.id]

    def _named(self, language: str, name: str) -> tuple[Voice, VoiceEngine]:
        found = self._by_id.get(name)
        if found is None:
            raise NotFoundError(f"there is no voice {name!r}, expected an id of GET /api/v1/voices")
        if found[0].language != language.lower().partition("-")[0]:
            raise NotFoundError(
                f"voice {name!r} speaks {found[0].language!r} and the text is {language!r}, expected a voice "
                "of the text's language"
            )
        return found
