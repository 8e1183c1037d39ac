"""A stream of bytes to sound, while it comes: FFmpeg in a thread of the worker, fed by the loop.

Laws: FFmpeg sees these bytes and nothing else (no file, no network, no playlist); the queue of bytes is
bounded and its feeder waits; a damaged packet is skipped and counted; a change of rate or channels in
mid-stream is converted, counted and no end. One decoder per stream; `close` ends its thread.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from ...codecs.frame import SAMPLE_RATE, Pcm
from ...errors import MediaError
from .radio_sniff import NEEDED_BYTES, elementary

QUEUE_BYTES = 128 * 1024
"""Held ahead of FFmpeg: half a second of the richest stream, so that the feeder's wait is felt at once."""

_CONTAINERS = "mp3,aac,ogg,mpegts,mov,flac,wav,loas,latm"
_OPTIONS = {
    "format_whitelist": _CONTAINERS,
    "protocol_whitelist": "",
    "probesize": "16384",
    "format_probesize": "16384",
    "analyzeduration": "300000",
    "fflags": "nobuffer+discardcorrupt",
}
"""Little is read before the first sound: 16 KiB of a stream of 64 kb/s are two seconds."""

READ_BYTES = 4096

_RUN_OF_FAULTS = 100
"""So many packets in a row that do not decode are no longer sound: two seconds of MP3."""


class _Bytes:
    """The file that FFmpeg reads: what has come, else it waits."""

    def __init__(self, drained: Callable[[], None]) -> None:
        self._condition = threading.Condition()
        self._parts: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._drained = drained

    @property
    def full(self) -> bool:
        return self._held >= QUEUE_BYTES

    def put(self, data: bytes) -> None:
        with self._condition:
            self._parts.append(data)
            self._held += len(data)
            self._condition.notify()

    def put_back(self, data: bytes) -> None:
        """What was read and is to be read again."""
        with self._condition:
            if data:
                self._parts.appendleft(data)
                self._held += len(data)

    def end(self, *, at_once: bool) -> None:
        with self._condition:
            self._ended = True
            if at_once:
                self._parts.clear()
            self._condition.notify()

    def read(self, size: int = -1) -> bytes:
        """Some bytes, at most `size`; none at the end."""
        with self._condition:
            while not self._parts and not self._ended:
                self._condition.wait()
            if not self._parts:
                return b""
            part = self._parts.popleft()
            if 0 <= size < len(part):
                self._parts.appendleft(part[size:])
                part = part[:size]
            self._held -= len(part)
        self._drained()
        return part


class StreamDecoder:
    """`sink` gets int16 mono 48 kHz on the loop; `ended` why it is over (empty: the bytes were)."""

    def __init__(self, sink: Callable[[Pcm], None], ended: Callable[[str], None]) -> None:
        self.codec = ""
        self.format_changes = 0
        self.faults = 0
        self._sink, self._ended = sink, ended
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._bytes = _Bytes(lambda: self._call(self._room.set))
        self._closed = False
        self._converter = _Converter()
        self._run_of_faults = 0
        self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        self._thread.start()

    async def feed(self, data: bytes) -> None:
        """Waits while FFmpeg is behind."""
        while self._bytes.full and not self._closed:
            self._room.clear()
            if self._bytes.full:
                await self._room.wait()
        self._bytes.put(data)

    async def finish(self) -> None:
        """No more bytes; returns when what was there has been decoded."""
        self._bytes.end(at_once=False)
        await asyncio.to_thread(self._thread.join)

    def close(self) -> None:
        """End it; nothing is told any more."""
        self._closed = True
        self._room.set()
        self._bytes.end(at_once=True)

    def _call(self, told: Callable[[], None]) -> None:
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(told)

    def _run(self) -> None:
        try:
            codec = self._sniff()
            if codec is not None:
                self._decode_elementary(codec)
            else:
                self._decode_container()
            why = ""
        except FFmpegError as error:
            why = f"it is no sound of a known kind, or is damaged ({error.strerror})"
        except MediaError as error:
            why = str(error)
        except (ValueError, MemoryError) as error:
            why = f"it cannot be converted ({error})"
        self._call(lambda: None if self._closed else self._ended(why))

    def _sniff(self) -> str | None:
        head = b""
        while len(head) < NEEDED_BYTES and (more := self._bytes.read()):
            head += more
            if elementary(head) is not None:
                break
        self._bytes.put_back(head)
        return elementary(head)

    def _decode_elementary(self, codec: str) -> None:
        context = av.CodecContext.create(codec, "r")
        if not isinstance(context, AudioCodecContext):
            raise MediaError("it holds no sound")
        self.codec = context.name
        while data := self._bytes.read(READ_BYTES):
            for packet in context.parse(data):
                self._play(partial(context.decode, packet))

    def _decode_container(self) -> None:
        media = av.open(self._bytes, "r", container_options=_OPTIONS, metadata_errors="replace")
        with media as container:
            if not container.streams.audio:
                raise MediaError("it holds no sound")
            stream = container.streams.audio[0]
            stream.codec_context.thread_count = 1
            self.codec = stream.codec_context.name
            for packet in container.demux(stream):
                self._play(packet.decode)

    def _play(self, decode: Callable[[], Iterable[object]]) -> None:
        """One packet. A damaged one is counted; too many in a row are the end."""
        try:
            frames = list(decode())
            self._run_of_faults = 0
        except FFmpegError:
            self.faults += 1
            self._run_of_faults += 1
            if self._run_of_faults >= _RUN_OF_FAULTS:
                raise MediaError("what comes is no longer the sound that it was") from None
            return
        for frame in frames:
            if isinstance(frame, AudioFrame):
                self._give(self._converter.convert(frame))
        self.format_changes = self._converter.changes

    def _give(self, pcm: Pcm) -> None:
        if len(pcm):
            self._call(lambda: None if self._closed else self._sink(pcm))


class _Converter:
    """To mono 48 kHz, whatever the frames are; starts anew when they change."""

    def __init__(self) -> None:
        self.changes = 0
        self._shape: tuple[int, str, str] | None = None
        self._resampler: AudioResampler | None = None

    def convert(self, frame: AudioFrame) -> Pcm:
        shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        if shape != self._shape or self._resampler is None:
            self.changes += self._shape is not None
            self._shape = shape
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        frame.pts = None
        out = [
            np.asarray(part.to_ndarray(), np.int16).reshape(-1) for part in self._resampler.resample(frame)
        ]
        return np.concatenate(out) if out else np.zeros(0, np.int16)
