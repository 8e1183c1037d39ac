"""Playlists: what an address may turn out to be instead of sound. Pure.

Laws: any bytes give entries or a ProtocolError; an entry is an absolute URL, joined to where its list was;
lists have bounds. Sources: de-facto M3U and PLS; HLS by RFC 8216.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from yarl import URL

from ...errors import ProtocolError
from .radio_icy import decoded

MAX_BYTES = 1 << 20
"""A playlist of a whole day's segments; a radio's has some hundred bytes."""
MAX_ENTRIES = 20_000
MAX_ADDRESSES = 16
"""Of a list of stations; more than anybody tries."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """An M3U or PLS list: try these in turn."""

    urls: tuple[URL, ...]


@dataclass(frozen=True, slots=True)
class HlsMaster:
    """The variants of an HLS stream, each a media playlist."""

    variants: tuple[tuple[int, URL], ...]
    """(bits a second, where)."""

    def best(self) -> URL:
        """The leanest of at least 64 kb/s: a voice on a horn needs no more; else the richest."""
        enough = [variant for variant in self.variants if variant[0] >= 64_000]
        chosen = min(enough, key=_bits) if enough else max(self.variants, key=_bits)
        return chosen[1]


@dataclass(frozen=True, slots=True)
class Segment:
    sequence: int
    url: URL
    duration_s: float
    head: URL | None
    """Where its initialisation section is (fMP4)."""
    broken: bool
    """A discontinuity lies before it: another encoder, or other times."""


@dataclass(frozen=True, slots=True)
class HlsMedia:
    segments: tuple[Segment, ...]
    target_s: float
    ended: bool


Playlist = Addresses | HlsMaster | HlsMedia


def is_playlist(head: bytes, content_type: str, path: str) -> bool:
    """By its first bytes, else by what the server or the name says."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:16].lower()
    if start.startswith((b"#extm3u", b"[playlist]")):
        return True
    kind = content_type.partition(";")[0].strip().lower()
    listed = "mpegurl" in kind or "scpls" in kind or "pls+xml" in kind
    named = path.lower().endswith((".m3u", ".m3u8", ".pls"))
    looks_like_text = all(byte >= 0x20 or byte in b"\r\n\t" for byte in head[:64])
    return (listed or named) and looks_like_text


def parse_playlist(data: bytes, base: URL) -> Playlist:
    """See the module."""
    if len(data) > MAX_BYTES:
        raise ProtocolError(f"playlist has more than {MAX_BYTES} bytes; expected a radio's")
    lines = [line.strip() for line in decoded(data.removeprefix(b"\xef\xbb\xbf")).splitlines()]
    lines = [line for line in lines if line]
    if lines and lines[0].lower() == "[playlist]":
        return Addresses(_some(_pls(lines, base)))
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        return _master(lines, base)
    if any(line.startswith("#EXT-X-TARGETDURATION") for line in lines):
        return _media(lines, base)
    return Addresses(_some(_joined(base, line) for line in lines if not line.startswith("#")))


def _some(found: Iterator[URL]) -> tuple[URL, ...]:
    urls = tuple(dict.fromkeys(url for url, _ in zip(found, range(MAX_ADDRESSES), strict=False)))
    if not urls:
        raise ProtocolError("playlist names no address; expected at least one")
    return urls


def _pls(lines: list[str], base: URL) -> Iterator[URL]:
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip().lower().startswith("file") and value.strip():
            yield _joined(base, value.strip())


def _joined(base: URL, text: str) -> URL:
    try:
        return base.join(URL(text))
    except (ValueError, TypeError) as error:
        raise ProtocolError(f"playlist names {text[:80]!r}: {error}; expected an address") from error


def _attributes(line: str) -> dict[str, str]:
    """`KEY=value,KEY="quoted, value"` after the first colon."""
    found: dict[str, str] = {}
    rest = line.partition(":")[2]
    while rest:
        key, _, rest = rest.partition("=")
        if rest.startswith('"'):
            value, _, rest = rest[1:].partition('"')
            rest = rest.removeprefix(",")
        else:
            value, _, rest = rest.partition(",")
        found[key.strip().upper()] = value
    return found


def _bits(variant: tuple[int, URL]) -> int:
    return variant[0]


def _master(lines: list[str], base: URL) -> HlsMaster:
    variants: list[tuple[int, URL]] = []
    bits: int | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF"):
            text = _attributes(line).get("BANDWIDTH", "0")
            bits = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
        elif not line.startswith("#") and bits is not None:
            variants.append((bits, _joined(base, line)))
            bits = None
    if not variants:
        raise ProtocolError("HLS playlist names no variant; expected at least one")
    return HlsMaster(tuple(variants[:MAX_ADDRESSES]))


def _media(lines: list[str], base: URL) -> HlsMedia:
    segments: list[Segment] = []
    sequence, target_s, ended = 0, 0.0, False
    duration_s, head, broken = 0.0, None, False
    for line in lines:
        name, _, value = line.partition(":")
        match name:
            case "#EXT-X-MEDIA-SEQUENCE":
                sequence = _whole(value)
            case "#EXT-X-TARGETDURATION":
                target_s = _seconds(value)
            case "#EXTINF":
                duration_s = _seconds(value.partition(",")[0])
            case "#EXT-X-DISCONTINUITY":
                broken = True
            case "#EXT-X-ENDLIST":
                ended = True
            case "#EXT-X-KEY" if _attributes(line).get("METHOD", "NONE") != "NONE":
                raise ProtocolError("HLS playlist is encrypted; expected one that everybody may hear")
            case "#EXT-X-BYTERANGE":
                raise ProtocolError("HLS playlist cuts files into ranges; expected segments of their own")
            case "#EXT-X-MAP":
                head = _joined(base, _attributes(line).get("URI", ""))
            case _ if not line.startswith("#"):
                number = sequence + len(segments)
                segments.append(Segment(number, _joined(base, line), duration_s, head, broken))
                duration_s, broken = 0.0, False
        if len(segments) > MAX_ENTRIES:
            raise ProtocolError(f"HLS playlist has more than {MAX_ENTRIES} segments")
    return HlsMedia(tuple(segments), target_s, ended)


def _whole(text: str) -> int:
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit() and len(stripped) < 20):
        raise ProtocolError(f"HLS playlist has the sequence number {stripped[:40]!r}; expected a number")
    return int(stripped)


def _seconds(text: str) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise ProtocolError(f"HLS playlist has the duration {text[:40]!r}; expected 0 to 3600 s")
    return value
