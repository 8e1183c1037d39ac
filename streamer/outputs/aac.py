"""AAC mounts: what a program has as Opus, decoded and encoded once more for players that know AAC alone.

Laws: a program is encoded once however many listen, and only while somebody does; AAC frame n covers the
samples n x 1024 to (n + 1) x 1024 of the grid's line; a frame that the program lacks is None, and behind a
hole decoder and encoder are fresh ones. It works from the packets as they are aired, so a recording and a
microphone are the same to it; what it costs (about 0.3 ms each 21 ms) is why only so many places may have
it. Owned by its `Egress`, on the loop.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np

from ...codecs.aac import AAC_FRAME_SAMPLES, AAC_FRAME_US, BIT_RATE, AacEncoder, silence_adts
from ...codecs.frame import FRAME_SAMPLES, Pcm, silence
from ...codecs.opus import OpusDecoder
from ...errors import MediaError
from ..blocks import PacketSource

BLOCK_FRAMES = 6
BLOCK_US = 128_000
"""Six frames are a whole number of milliseconds, and cost few writes."""

MAX_PLACES = 24
"""Each may play a program of its own: a third of a core, at worst."""

KEPT_FRAMES = 32
"""Five blocks: the burst for one who joins, and the one that is being made."""

BACK_FRAMES = 4 * BLOCK_FRAMES
"""Where a transcoder begins, so that the burst for its first listener is there."""

WARM_UP_PACKETS = 4
"""A decoder that joins in the middle is right after as many (tests/codecs/test_splice.py)."""


class Transcoder:
    """One program's AAC frames, made when they are asked for."""

    def __init__(self, source: PacketSource) -> None:
        self._source = source
        self._frames: deque[bytes] = deque(maxlen=KEPT_FRAMES)
        self._next: int | None = None
        self._decoder: OpusDecoder | None = None
        self._encoder: AacEncoder | None = None
        self._pcm: Pcm = silence(0)
        self._next_k = 0

    def frame(self, n: int) -> bytes | None:
        """AAC frame `n`, unless the program has no sound for all of it (yet)."""
        if self._next is None or n >= self._next + BACK_FRAMES:
            self._begin(n)
        self._make_up_to(n)
        if self._lacks(n) and self._has(n):
            self._begin(n)
            self._make_up_to(n)
        return self._made(n)

    def _make_up_to(self, n: int) -> None:
        while self._next is not None and self._next <= n and self._make(self._next):
            continue

    def _lacks(self, n: int) -> bool:
        return self._next is None or self._next <= n

    def _made(self, n: int) -> bytes | None:
        back = (self._next or 0) - n
        return self._frames[-back] if 0 < back <= len(self._frames) else None

    def _begin(self, n: int) -> None:
        """Anew, at the earliest frame from which on all is there."""
        first = n
        while first > n - BACK_FRAMES and self._has(first - 1):
            first -= 1
        self._frames.clear()
        self._next = first if self._has(first) else None
        self._encoder = None

    def _has(self, n: int) -> bool:
        first, last = _packets_of(n)
        return all(self._source.opus(k) is not None for k in range(first, last + 1))

    def _make(self, n: int) -> bool:
        """Frame `n`, which follows the one made last. False, and nothing has changed, without its packets."""
        first, last = _packets_of(n)
        if self._encoder is None or self._decoder is None:
            self._encoder, self._decoder = AacEncoder(), OpusDecoder()
            self._pcm, self._next_k = silence(0), first
            for k in range(first - WARM_UP_PACKETS, first):
                self._decode(self._decoder, k)
            skipped = n * AAC_FRAME_SAMPLES - first * FRAME_SAMPLES
        else:
            skipped = 0
        while self._next_k <= last:
            pcm = self._decode(self._decoder, self._next_k)
            if pcm is None:
                return False
            self._pcm = np.concatenate((self._pcm, pcm))[skipped:]
            skipped = 0
            self._next_k += 1
        taken, self._pcm = self._pcm[:AAC_FRAME_SAMPLES], self._pcm[AAC_FRAME_SAMPLES:]
        self._frames.append(self._encoder.encode(taken))
        self._next = n + 1
        return True

    def _decode(self, decoder: OpusDecoder, k: int) -> Pcm | None:
        packet = self._source.opus(k)
        if packet is None:
            return None
        try:
            return decoder.decode(packet)
        except MediaError:
            return silence(FRAME_SAMPLES)


class AacPacking:
    """ADTS frames, end to end. Implements `Packing`."""

    suffix = "aac"
    content_type = "audio/aac"
    frames = BLOCK_FRAMES
    frame_us = AAC_FRAME_US
    block_us = BLOCK_US
    bytes_per_s = BIT_RATE // 8
    head = b""

    def __init__(self) -> None:
        self._silence = silence_adts()
        self._transcoders: dict[str, Transcoder] = {}

    @property
    def encoding(self) -> int:
        """How many programs are being encoded."""
        return len(self._transcoders)

    def read(self, source: PacketSource, k: int) -> bytes | None:
        found = self._transcoders.get(source.id)
        return found.frame(k) if found is not None else None

    def want(self, source: PacketSource, wanted: bool) -> None:
        if wanted:
            self._transcoders.setdefault(source.id, Transcoder(source))
        else:
            self._transcoders.pop(source.id, None)

    def pack(self, packets: Sequence[bytes | None], j: int) -> bytes:
        return b"".join(packet or self._silence for packet in packets)


def _packets_of(n: int) -> tuple[int, int]:
    """The first and the last Opus packet that AAC frame `n` needs."""
    first = n * AAC_FRAME_SAMPLES // FRAME_SAMPLES
    return first, ((n + 1) * AAC_FRAME_SAMPLES - 1) // FRAME_SAMPLES
