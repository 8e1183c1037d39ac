"""ICY from the listener's side: takes the titles out of a stream that was asked for with `Icy-MetaData: 1`.

Laws: pure; what is audio by its count comes out whole and in order; a title is text, at most
4,080 bytes, control characters made harmless. Owned by one connection.
"""

from html import unescape

from ...errors import ProtocolError

MAX_METAINT = 1 << 20
"""Servers say 8,192 or 16,000; a megabyte between titles is none."""
_UNIT = 16


class IcyStripper:
    """`title` is the latest, None before the first."""

    def __init__(self, metaint: int) -> None:
        if not 0 < metaint <= MAX_METAINT:
            raise ProtocolError(f"icy-metaint is {metaint}; expected 1 to {MAX_METAINT}")
        self._metaint = metaint
        self._audio_left = metaint
        self._text_left: int | None = None
        self._text = bytearray()
        self.title: str | None = None

    def feed(self, data: bytes) -> bytes:
        """What of `data` is audio."""
        audio, at = bytearray(), 0
        while at < len(data):
            if self._audio_left:
                part = data[at : at + self._audio_left]
                audio += part
                self._audio_left -= len(part)
                at += len(part)
            elif self._text_left is None:
                self._text_left = data[at] * _UNIT
                at += 1
                self._close_if_whole()
            else:
                part = data[at : at + self._text_left]
                self._text += part
                self._text_left -= len(part)
                at += len(part)
                self._close_if_whole()
        return bytes(audio)

    def _close_if_whole(self) -> None:
        if self._text_left:
            return
        if self._text:
            title = parse_title(bytes(self._text))
            self.title = self.title if title is None else title
        self._text.clear()
        self._text_left, self._audio_left = None, self._metaint


def parse_title(block: bytes) -> str | None:
    """StreamTitle of a block `StreamTitle='...';StreamUrl='...';`; None when it has none.

    Icecast writes what Latin-1 lacks as XML entities, so those are read. An apostrophe is not escaped, so a
    title ends at the last `';` before the next
    field.
    """
    text = decoded(block.rstrip(b"\0"))
    _, found, rest = text.partition("StreamTitle='")
    if not found:
        return None
    ends = [at for at in (rest.find("';Stream"), rest.rfind("';")) if at >= 0]
    return clean_title(unescape(rest[: ends[0]] if ends else rest.rstrip("';")))


def decoded(data: bytes) -> str:
    """UTF-8, or the Latin-1 of older encoders."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def clean_title(text: str) -> str:
    """What people are shown: printable, at most 200 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
