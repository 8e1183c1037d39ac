"""Where the sound goes: nowhere, into a WAV file, or to a sound device (device.py).

Laws: each frame comes with the network time at which its first sample sounds; what lies between frames is
silence; a frame never moves in time, its part that would overlap what has sounded is dropped.
An output belongs to the agent that opened it, which closes it.
"""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from ..codecs.frame import SAMPLE_RATE, Pcm
from ..errors import ConfigError

IDLE_MARGIN_US = 200_000
"""A file is filled with silence up to this much before now, so that a frame that is a little late still
fits."""

_FILL_SAMPLES = SAMPLE_RATE
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_MAX_DATA_BYTES = 0xFFFF_FFFF - _HEADER.size
"""RIFF counts in 32 bits: 12.4 hours; the file stays readable after that, its length field stands still."""


class Output(Protocol):
    """What a speaker plays on."""

    wants_sound: bool
    """False: nobody listens, so nothing needs to be decoded."""

    lead_us: int
    """How long before it sounds a frame is needed."""

    def play(self, frame: Pcm, at_us: int) -> None:
        """960 samples, the first of which sounds at network time `at_us`."""
        ...

    def idle(self, now_us: int) -> None:
        """Nothing is on air; called every second or so."""
        ...

    def close(self) -> None: ...


class NullOutput:
    """Plays nothing and decodes nothing: a thousand of them fit into one process."""

    wants_sound = False
    lead_us = 0

    def play(self, frame: Pcm, at_us: int) -> None:
        pass

    def idle(self, now_us: int) -> None:
        pass

    def close(self) -> None:
        pass


class WavOutput:
    """An int16 mono WAV of everything, silence included, and `<file>.json` with the network time of sample
    0."""

    wants_sound = True
    lead_us = 0

    def __init__(self, path: Path, begins_at_us: int, now_us: Callable[[], int]) -> None:
        self._path, self._begins_at_us, self._now_us = path, begins_at_us, now_us
        self._samples = 0
        self._flushed_us = begins_at_us
        self.dropped_samples = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")
        self._file.write(_header(0))
        side_car = {"sample_0_network_us": begins_at_us, "sample_rate": SAMPLE_RATE, "channels": 1}
        path.with_name(path.name + ".json").write_text(json.dumps(side_car) + "\n", encoding="utf-8")

    def play(self, frame: Pcm, at_us: int) -> None:
        at = self._index(at_us)
        overlap = min(max(self._samples - at, 0), len(frame))
        self.dropped_samples += overlap
        self._silence_to(at)
        self._write(frame[overlap:])
        if at_us - self._flushed_us > 1_000_000:
            self._flush(at_us)

    def idle(self, now_us: int) -> None:
        self._silence_to(self._index(now_us - IDLE_MARGIN_US))
        self._flush(now_us)

    def close(self) -> None:
        """Ends with silence up to now. Closing twice is fine."""
        if self._file.closed:
            return
        self._silence_to(self._index(self._now_us()))
        self._flush(self._now_us())
        self._file.close()

    def _index(self, at_us: int) -> int:
        return (at_us - self._begins_at_us) * (SAMPLE_RATE // 1000) // 1000

    def _silence_to(self, at: int) -> None:
        while self._samples < at:
            count = min(at - self._samples, _FILL_SAMPLES)
            self._file.write(bytes(2 * count))
            self._samples += count

    def _write(self, pcm: Pcm) -> None:
        self._file.write(pcm.astype("<i2", copy=False).tobytes())
        self._samples += len(pcm)

    def _flush(self, now_us: int) -> None:
        """Leave a file that can be read, should the process be killed now."""
        self._flushed_us = now_us
        self._file.seek(0)
        self._file.write(_header(2 * self._samples))
        self._file.seek(0, 2)
        self._file.flush()


def _header(data_bytes: int) -> bytes:
    size = min(data_bytes, _MAX_DATA_BYTES)
    rate, block = SAMPLE_RATE, 2
    return _HEADER.pack(
        b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * block, block, 16, b"data", size
    )


def open_output(spec: str, now_us: Callable[[], int]) -> Output:
    """`null`, `wav:FILE`, `device` or `device:NAME`. A file begins, and a device opens, now.

    ConfigError for anything else, and where the file or the device cannot be opened.
    """
    kind, _, name = spec.partition(":")
    if spec == "null":
        return NullOutput()
    if kind == "wav" and name:
        try:
            return WavOutput(Path(name), now_us(), now_us)
        except OSError as error:
            raise ConfigError(f"output {spec!r}: {error}, expected a file that can be written") from error
    if kind == "device":
        from .device import DeviceOutput  # loads PortAudio, which only a sounding speaker has

        return DeviceOutput(name or None, now_us)
    raise ConfigError(f"output {spec!r}: expected null, wav:FILE, device or device:NAME")


def check_output(spec: str) -> None:
    """ConfigError when `spec` is none; opens nothing."""
    kind, _, name = spec.partition(":")
    if not (spec in ("null", "device") or (kind in ("wav", "device") and name)):
        raise ConfigError(f"output {spec!r}: expected null, wav:FILE, device or device:NAME")
