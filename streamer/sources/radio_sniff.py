"""What a stream of bytes is, where it is one without a container: MPEG audio or AAC in ADTS. Pure.

FFmpeg reads 128 KiB of such a stream before its first sound if it begins in the middle of a frame, as all
radios do: eight seconds at 128 kb/s (measured). Three headers in a row tell as much, and sooner.
Sources: ISO 11172-3 and 13818-3 (MPEG audio), 13818-7 (ADTS).
"""

from collections.abc import Callable

NEEDED_BYTES = 6_000
"""Three frames of the richest MP3 (1,441 bytes) and one that is cut."""
_CONTAINERS = (b"OggS", b"fLaC", b"RIFF", b"ID3")
_IN_A_ROW = 3
_BITRATES = {
    (1, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kb/s by (version, coded layer): 3 is layer I."""
_RATES = (44_100, 48_000, 32_000)


def elementary(data: bytes) -> str | None:
    """ "mp3" or "aac"; None for what is in a container, or nothing that is known."""
    if data.startswith(_CONTAINERS) or data[4:8] in (b"ftyp", b"styp", b"moof"):
        return None
    for at in range(len(data) - 7):
        if data[at] == 0xFF and data[at + 1] & 0xE0 == 0xE0:
            for name, length in (("aac", _adts), ("mp3", _mpeg)):
                if _follow(data, at, length):
                    return name
    return None


def _follow(data: bytes, at: int, length: Callable[[bytes], int | None]) -> bool:
    for _ in range(_IN_A_ROW):
        size = length(data[at : at + 7])
        if size is None:
            return False
        at += size
    return True


def _adts(head: bytes) -> int | None:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return None
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else None


def _mpeg(head: bytes) -> int | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or not 0 < bits < 15 or rate == 3:
        return None
    kbps = _BITRATES[1 if version == 3 else 2, layer][bits - 1]
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padding = head[2] >> 1 & 1
    if layer == 3:
        return (12_000 * kbps // hertz + padding) * 4
    per_frame = 72_000 if layer == 1 and version != 3 else 144_000
    return per_frame * kbps // hertz + padding
