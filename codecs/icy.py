"""ICY: titles inside an HTTP MP3 stream, for players that asked with `Icy-MetaData: 1`.

Laws: after every `metaint` bytes of audio comes one length byte (in units of 16) and that many units of
text, NUL-padded. The counter runs on per listener, from its first byte, whatever program plays; a title is
sent when it differs from the last that this listener got, and a zero byte otherwise. The listener's
connection owns its inserter.
"""

from ..errors import InternalError

METAINT = 16_000
"""Two seconds at 64 kb/s, the customary value: a new title is seen soon, and costs one byte when there is
none."""

_UNIT = 16
_MAX_UNITS = 255
_PREFIX, _SUFFIX = b"StreamTitle='", b"';"


def metadata_block(title: str) -> bytes:
    """The length byte and the padded text. Quotes, control characters and what is too long are made
    harmless."""
    clean = "".join(c if c.isprintable() else " " for c in title).replace("'", "’").encode()
    room = _MAX_UNITS * _UNIT - len(_PREFIX) - len(_SUFFIX)
    text = _PREFIX + clean[:room].decode(errors="ignore").encode() + _SUFFIX
    units = -(-len(text) // _UNIT)
    return bytes((units,)) + text.ljust(units * _UNIT, b"\0")


class IcyInserter:
    """Weaves titles into one listener's bytes."""

    def __init__(self, metaint: int = METAINT) -> None:
        if metaint < 1:
            raise InternalError(f"metaint is {metaint}, expected at least 1 byte")
        self._metaint = metaint
        self._until_next = metaint
        self._sent: str | None = None

    def feed(self, block: bytes, title: str) -> bytes:
        """`block` with what is due inside it. The same object comes back when nothing is due."""
        if len(block) < self._until_next:
            self._until_next -= len(block)
            return block
        parts, at = [], 0
        while len(block) - at >= self._until_next:
            parts.append(block[at : at + self._until_next])
            at += self._until_next
            parts.append(self._due(title))
            self._until_next = self._metaint
        parts.append(block[at:])
        self._until_next -= len(block) - at
        return b"".join(parts)

    def _due(self, title: str) -> bytes:
        if title == self._sent:
            return b"\0"
        self._sent = title
        return metadata_block(title)
