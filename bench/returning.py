"""Thousands of light speakers that lose their links and come back, in a process of their own.

    python -m loa.bench.returning PORT DEVICES_FILE

Each keeps the pauses of a real speaker (`speaker/backoff.py`, `speaker/link.py`), so they return as a crowd
does, not as fast as sockets can. Prints "ready" when all are linked; then, each time that all have lost their
link and are back, the monotonic nanoseconds at which the last one was welcome.
"""

import heapq
import random
import selectors
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .. import fleet
from ..speaker.backoff import Backoff
from ..speaker.link import RETRY_S
from .crowd import LightSpeaker

AT_ONCE = 500
"""Handshakes under way at the start."""


class ReturningSpeaker(LightSpeaker):
    """A link that notices its end."""

    def holds(self) -> bool:
        """Take what came; False when the node is gone."""
        try:
            data = self.line.recv(65_536)
        except ConnectionError:
            return False
        if data.startswith(b"HTTP/1.1 101"):
            data = data.partition(b"\r\n\r\n")[2]
        elif not data or data.startswith(b"HTTP/"):
            return False
        if data and not self.open:
            self._answer(data)
        return True


class Returning:
    """`lost`: how many links have ended since all were there."""

    def __init__(self, port: int, devices: Sequence[fleet.Device]) -> None:
        self._port, self._devices = port, devices
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int]] = []
        self._pauses = [Backoff(*RETRY_S, random.uniform) for _ in devices]
        self._open: set[int] = set()
        self.lost = 0

    @property
    def whole(self) -> bool:
        return len(self._open) == len(self._devices)

    def begin(self) -> None:
        """All link, a few hundred at a time."""
        started = 0
        while not self.whole:
            while started < len(self._devices) and started - len(self._open) < AT_ONCE:
                self._connect(started)
                started += 1
            self.turn(0.05)
        self.lost = 0

    def turn(self, most_s: float) -> None:
        """Read what is there and try again those whose pause is over."""
        wait_s = min(most_s, self._due[0][0] - time.monotonic()) if self._due else most_s
        for key, _ in self._selector.select(max(0.0, wait_s)):
            self._read(key.data)
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            self._connect(heapq.heappop(self._due)[1])

    def _read(self, speaker: ReturningSpeaker) -> None:
        if speaker.holds():
            if speaker.open and speaker.number not in self._open:
                self._open.add(speaker.number)
                self._pauses[speaker.number].reset()
            return
        self._selector.unregister(speaker.line)
        speaker.line.close()
        if speaker.number in self._open:
            self._open.discard(speaker.number)
            self.lost += 1
        self._later(speaker.number)

    def _connect(self, number: int) -> None:
        try:
            speaker = ReturningSpeaker(number, self._port, "/speaker/link", self._devices[number])
        except OSError:
            self._later(number)
            return
        self._selector.register(speaker.line, selectors.EVENT_READ, speaker)

    def _later(self, number: int) -> None:
        heapq.heappush(self._due, (time.monotonic() + self._pauses[number].next_s(), number))


def main() -> None:
    crowd = Returning(int(sys.argv[1]), fleet.load(Path(sys.argv[2])))
    crowd.begin()
    print("ready", flush=True)
    while True:
        crowd.turn(1.0)
        if crowd.whole and crowd.lost:
            crowd.lost = 0
            print(time.monotonic_ns(), flush=True)


if __name__ == "__main__":
    main()
