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

    @property
    def broken(self) -> bool:
        """It makes no sound although it should."""
        ...

    @property
    def error_us(self) -> int:
        """How much later than it should the sound comes."""
        ...

    def idle(self, now_us: int) -> None:
        """Nothing is on air; called every second or so."""
        ...

    def close(self) -> None: ...


class NullOutput:
    """Plays nothing and decodes nothing: a thousand of them fit into one process."""

    wants_sound = False
    lead_us = 0
    broken = False
    error_us = 0

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
    broken = False
    error_us = 0

    def __init__(self, path: Path) -> None:
        """Sample 0 is at the network time at which it is first told of any."""
        self._path = path
        self._begins_at_us: int | None = None
        self._samples = 0
        self._flushed_us = 0
        self.dropped_samples = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")
        self._file.write(_header(0))

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
        """Ends with the last that it was told of. Closing twice is fine."""
        if self._file.closed:
            return
        self._flush(self._flushed_us)
        self._file.close()

    def _index(self, at_us: int) -> int:
        """The sample that sounds at a network time."""
        if self._begins_at_us is None:
            self._begins_at_us = at_us
            told = {"sample_0_network_us": at_us, "sample_rate": SAMPLE_RATE, "channels": 1}
            side_car = self._path.with_name(self._path.name + ".json")
            side_car.write_text(json.dumps(told) + "\n", encoding="utf-8")
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


def open_output(spec: str, now_us: Callable[[], int | None]) -> Output:
    """`null`, `wav:FILE`, `device` or `device:NAME`. Opening a device blocks: call from a thread.

    ConfigError for anything else, and where the file or the device cannot be opened.
    """
    check_output(spec)
    kind, _, name = spec.partition(":")
    if kind == "null":
        return NullOutput()
    if kind == "wav":
        try:
            return WavOutput(Path(name))
        except OSError as error:
            raise ConfigError(f"output {spec!r}: {error}, expected a file that can be written") from error
    try:
        from .device import DeviceOutput  # loads PortAudio, which only a sounding speaker has
    except OSError as error:
        raise ConfigError(f"output {spec!r}: {error}, expected PortAudio (Debian: libportaudio2)") from error
    return DeviceOutput(name or None, now_us)


def check_output(spec: str) -> None:
    """ConfigError when `spec` is none; opens nothing."""
    kind, _, name = spec.partition(":")
    if not (spec in ("null", "device") or (kind in ("wav", "device") and name)):
        raise ConfigError(f"output {spec!r}: expected null, wav:FILE, device or device:NAME")
