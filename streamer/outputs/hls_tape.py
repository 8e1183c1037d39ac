"""The tapes of the programs that HLS listens to, and the segments that are cut from them.

Laws: a segment is built once and never changes, whoever asks for it and when; frames that a program did not
have are silence; a live program encodes MP3 while it has a tape, and forgets it after 1.5 s, so it is read
more often than that. A segment is packed audio: its frames behind an ID3 tag with their time on the grid in
90 kHz ticks (RFC 8216, 3.4), so that pieces of any programs follow one another on one timescale. Owned by
`Hls`, on the loop.
"""

from ...codecs.frame import MP3_FRAME_US
from ...codecs.mp3 import silence_frame
from ..blocks import PacketSource
from .hls_track import LISTED_FRAMES, PAST_FRAMES, SEGMENT_FRAMES, Piece

KEPT_FRAMES = 3 * LISTED_FRAMES
"""A segment stays as long as a playlist listed it, and as long again, and then some (RFC 8216, 6.2.2)."""

_OWNER = b"com.apple.streaming.transportStreamTimestamp\0"
_TICKS_PER_FRAME = MP3_FRAME_US * 90 // 1000
_TICKS = 1 << 33


class Tapes:
    def __init__(self) -> None:
        self._silence = silence_frame()
        self._tapes: dict[str, _Tape] = {}
        self._segments: dict[str, tuple[int, bytes]] = {}
        self.built = 0

    def __len__(self) -> int:
        return len(self._tapes)

    @property
    def segments(self) -> int:
        return len(self._segments)

    def hold(self, program: PacketSource, first: int) -> None:
        """Record it from frame `first` on, if that is not done already."""
        if program.id not in self._tapes:
            program.want_mp3(True)
            self._tapes[program.id] = _Tape(program, first)

    def has(self, program: str, j: int) -> bool:
        tape = self._tapes.get(program)
        return tape is not None and tape.frame(j) is not None

    def read(self, end: int) -> None:
        """Take what the programs have of the frames before `end`."""
        for tape in self._tapes.values():
            tape.read(end)

    def cut(self, piece: Piece) -> None:
        """Build the segment of a piece, unless it is there."""
        if piece.path in self._segments:
            return
        tape = self._tapes.get(piece.program)
        frames = [tape.frame(j) if tape else None for j in range(piece.first, piece.end)]
        data = timestamp_tag(piece.first) + b"".join(frame or self._silence for frame in frames)
        self._segments[piece.path] = piece.end, data
        self.built += 1

    def segment(self, path: str) -> bytes | None:
        found = self._segments.get(path)
        return found[1] if found else None

    def keep_only(self, programs: set[str], end: int) -> None:
        """Let go of other programs, and of what is older than anybody could ask for."""
        for name in self._tapes.keys() - programs:
            self._tapes.pop(name).let_go()
        for tape in self._tapes.values():
            tape.forget(end - PAST_FRAMES - SEGMENT_FRAMES)
        old = [path for path, (last, _) in self._segments.items() if last < end - KEPT_FRAMES]
        for path in old:
            del self._segments[path]


class _Tape:
    """The frames of one program."""

    def __init__(self, program: PacketSource, first: int) -> None:
        self._program = program
        self._frames: dict[int, bytes] = {}
        self._next = first

    def read(self, end: int) -> None:
        for j in range(self._next, end):
            frame = self._program.mp3(j)
            if frame is not None:
                self._frames[j] = frame
        self._next = max(self._next, end)

    def frame(self, j: int) -> bytes | None:
        """Of what was before the tape began, a recording knows."""
        return self._frames.get(j) or self._program.mp3(j)

    def forget(self, before: int) -> None:
        for j in [j for j in self._frames if j < before]:
            del self._frames[j]

    def let_go(self) -> None:
        self._program.want_mp3(False)


def timestamp_tag(frame: int) -> bytes:
    """ID3v2.4 with one PRIV frame: when MP3 frame `frame` of the grid begins, in ticks of 90 kHz, 33 bits."""
    ticks = frame * _TICKS_PER_FRAME % _TICKS
    body = _OWNER + ticks.to_bytes(8, "big")
    private = b"PRIV" + len(body).to_bytes(4, "big") + b"\0\0" + body
    return b"ID3\x04\0\0" + len(private).to_bytes(4, "big") + private
