"""A sound device through PortAudio (sounddevice).

Laws: the device's clock says which sample is due (`Line` finds it); a device that runs faster than time, as a
null device does, is held to real time; one that dies is opened again. The callback runs in PortAudio's thread
and shares only the `Line`. PortAudio is loaded with this module, so import it only to sound.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import sounddevice

from ..codecs.frame import SAMPLE_RATE, Pcm
from ..errors import ConfigError
from .line import Line

BLOCK_SAMPLES = 480
"""10 ms: how often the device asks."""

RENDER_AHEAD_US = 20_000
"""Frames are made this much before the device takes them, so that a busy event loop is not heard."""

RUNAWAY_S = 0.25
"""A real device never asks for so much more than has sounded: its own buffer is smaller."""

REOPEN_S = 2.0


class _TimeInfo(Protocol):
    """PortAudio's times of a block, in seconds on the stream's own clock."""

    currentTime: float  # noqa: N815  PortAudio's name
    outputBufferDacTime: float  # noqa: N815


class DeviceOutput:
    """Opened at once; ConfigError when that fails."""

    wants_sound = True

    def __init__(self, name: str | None, now_us: Callable[[], int | None]) -> None:
        self._name, self._now_us = name, now_us
        self._line = Line()
        self._closing = threading.Event()
        self._given = 0
        self._since_s = 0.0
        self._opened_s = time.monotonic()
        self.reopened = 0
        try:
            self._stream = self._open()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise ConfigError(
                f"sound device {name or 'default'}: {error}, expected one of\n{_names()}"
            ) from error
        self.lead_us = RENDER_AHEAD_US + int(self._stream.latency * 1_000_000)

    @property
    def jumps(self) -> int:
        return self._line.jumps

    @property
    def error_us(self) -> int:
        """How much later than it should the sound came at the last block."""
        return self._line.error_us

    @property
    def broken(self) -> bool:
        return not self._stream.active

    def play(self, frame: Pcm, at_us: int) -> None:
        self._line.put(frame, at_us)
        self._revive()

    def idle(self, now_us: int) -> None:
        self._revive()

    def close(self) -> None:
        self._closing.set()
        self._stream.close(ignore_errors=True)

    def _open(self) -> sounddevice.OutputStream:
        self._given, self._since_s = 0, time.monotonic()
        stream = sounddevice.OutputStream(
            device=self._name,
            samplerate=SAMPLE_RATE,
            channels=1,
            dtype="int16",
            blocksize=BLOCK_SAMPLES,
            latency="low",
            callback=self._fill,
        )
        stream.start()
        return stream

    def _revive(self) -> None:
        """Open a device again that died (unplugged, suspended); what fails now is tried again later."""
        if self._stream.active or time.monotonic() - self._opened_s < REOPEN_S:
            return
        self._opened_s = time.monotonic()
        self._stream.close(ignore_errors=True)
        try:
            self._stream = self._open()
        except sounddevice.PortAudioError:
            return
        self.reopened += 1

    def _fill(
        self, out: npt.NDArray[np.int16], frames: int, times: _TimeInfo, _status: sounddevice.CallbackFlags
    ) -> None:
        ahead_s = self._given / SAMPLE_RATE - (time.monotonic() - self._since_s)
        if ahead_s > RUNAWAY_S:
            self._closing.wait(ahead_s - RUNAWAY_S)
        self._given += frames
        wait_s = max(times.outputBufferDacTime - times.currentTime, 0.0)
        now_us = self._now_us()
        if now_us is None:
            out[:] = 0
        else:
            out[:, 0] = self._line.take(frames, now_us + int(wait_s * 1_000_000))


def _names() -> str:
    return "\n".join(
        f"  {device['name']}" for device in sounddevice.query_devices() if device["max_output_channels"]
    )
