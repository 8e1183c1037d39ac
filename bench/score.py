"""A score: what a mount must send while one file is on air, so that a listener knows how old its bytes are.

Laws: frame `i` of a file that began at network time T sounds as the frame of the 24 ms grid that begins at or
after T + i x 24 ms; a block is four frames of the grid, numbered by it. Nothing is asked of the node but the
file's own frames and when its broadcast began; no number is fitted to what arrives, so no delay can hide in
it. Pure.
"""

from collections import Counter

from ..codecs.frame import FRAME_US, MP3_FRAME_US
from ..codecs.mp3 import MP3_FRAME_BYTES, split_frames
from ..errors import InternalError
from ..streamer.blocks import MP3_BLOCK_FRAMES

BLOCK_BYTES = MP3_BLOCK_FRAMES * MP3_FRAME_BYTES
BLOCK_US = MP3_BLOCK_FRAMES * MP3_FRAME_US

_KEPT_BLOCKS = 256


class Score:
    """`mp3`: the frames of a file that is on air over and over since `started_us`."""

    def __init__(self, mp3: bytes, started_us: int) -> None:
        self._frames = split_frames(mp3)
        often = Counter(self._frames)
        self._index = {frame: i for i, frame in enumerate(self._frames) if often[frame] == 1}
        if len(self._index) < len(self._frames) * 9 // 10:
            raise InternalError(
                f"bench: {len(self._index)} of {len(self._frames)} frames differ, expected most"
            )
        first_k = started_us // FRAME_US + 1
        self._first = -(-first_k * FRAME_US // MP3_FRAME_US)
        self._blocks: dict[int, bytes] = {}

    def find(self, body: bytes, now_us: int) -> int | None:
        """The number of the block with which a stream begins; None if it is not of this file."""
        i = self._index.get(body[:MP3_FRAME_BYTES])
        if i is None:
            return None
        heard = self._first + i
        turn_us = len(self._frames) * MP3_FRAME_US
        heard += round((now_us - heard * MP3_FRAME_US) / turn_us) * len(self._frames)
        if heard % MP3_BLOCK_FRAMES == MP3_BLOCK_FRAMES - 1:
            # The air read its clock twice around a tick, and began one frame later: blocks show it.
            self._first, heard = self._first + 1, heard + 1
        if heard % MP3_BLOCK_FRAMES:
            raise InternalError(f"bench: frame {heard} of the grid begins a stream, expected a multiple of 4")
        return heard // MP3_BLOCK_FRAMES

    def block(self, number: int) -> bytes:
        found = self._blocks.get(number)
        if found is None:
            if len(self._blocks) == _KEPT_BLOCKS:
                self._blocks.clear()
            first = number * MP3_BLOCK_FRAMES - self._first
            sounds = (self._frames[i % len(self._frames)] for i in range(first, first + MP3_BLOCK_FRAMES))
            found = self._blocks[number] = b"".join(sounds)
        return found

    @staticmethod
    def age_us(number: int, now_us: int) -> int:
        """Since the first byte of a block was due to sound."""
        return now_us - number * BLOCK_US
