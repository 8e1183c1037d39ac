"""The other end of `bench/http.py`, in a process of its own: thousands of listeners on bare sockets.

    python -m loa.bench.http_clients PORT COUNT [MOUNTS_FILE MP3_FILE STARTED_US]

Without files it reads whatever comes (the floor's other end). Lines of input and their answers: "connect":
all connect in the same instant; seconds until each has read audio. "watch SECONDS": the ages in microseconds
of all blocks that were read meanwhile. Every byte is compared with what the file on air has for it.
"""

import gc
import json
import select
import socket
import sys
import time
from pathlib import Path

from ..errors import InternalError
from .score import BLOCK_BYTES, Score

ROOM_BYTES = 65_536
PATIENCE_S = 60.0


class Listener:
    """One player."""

    __slots__ = ("_held", "_next", "_request", "_score", "heard", "line")

    def __init__(self, port: int, request: bytes, score: Score | None) -> None:
        self._request = request
        self._score = score
        self._held = b""
        self._next: int | None = None
        self.heard = False
        self.line = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.line.connect_ex(("127.0.0.1", port))

    def ask(self) -> None:
        """The connection stands."""
        if fault := self.line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise InternalError(f"bench: a listener could not connect: error {fault}")
        if self._request:
            self.line.send(self._request)

    def read(self, ages: list[int]) -> None:
        data = self.line.recv(ROOM_BYTES)
        now_us = time.time_ns() // 1000
        if not data:
            raise InternalError("bench: a listener was cut off, expected an answer without end")
        if self._score is None:
            self.heard = True
            return
        if self._next is None:
            data = self._begin(self._held + data, self._score, now_us)
        elif self._held:
            data = self._held + data
        self._held = self._take(data, self._score, now_us, ages) if self._next is not None else data

    def _begin(self, data: bytes, score: Score, now_us: int) -> bytes:
        """Find the place in the score once a whole block has come; what is left to read."""
        head, found, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"[: len(head)]):
            raise InternalError(f"bench: a listener was answered {head[:80]!r}, expected 200")
        if not found or len(body) < BLOCK_BYTES:
            return data
        self._next = score.find(body, now_us)
        if self._next is None:
            raise InternalError("bench: a mount begins with something else than the file on air")
        self.heard = True
        return body

    def _take(self, data: bytes, score: Score, now_us: int, ages: list[int]) -> bytes:
        at, number = 0, self._next or 0
        while len(data) - at >= BLOCK_BYTES:
            block = data if len(data) == BLOCK_BYTES else data[at : at + BLOCK_BYTES]
            if block != score.block(number):
                raise InternalError(f"bench: block {number} of a mount is not the file's")
            ages.append(score.age_us(number, now_us))
            at, number = at + BLOCK_BYTES, number + 1
        self._next = number
        return data[at:]


class Crowd:
    def __init__(self, port: int, requests: list[bytes], score: Score | None) -> None:
        self._port, self._requests, self._score = port, requests, score
        self._poll = select.epoll()
        self._listeners: dict[int, Listener] = {}
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)

    def connect(self) -> float:
        """Seconds until all of them have heard something."""
        begun_s = time.monotonic()
        for request in self._requests:
            listener = Listener(self._port, request, self._score)
            self._listeners[listener.line.fileno()] = listener
            self._poll.register(listener.line, select.EPOLLOUT)
        waiting = set(self._listeners)
        while waiting:
            for number, event in self._poll.poll(1.0, len(self._listeners)):
                if number not in self._listeners:
                    continue
                listener = self._listeners[number]
                if event & select.EPOLLOUT:
                    listener.ask()
                    self._poll.modify(number, select.EPOLLIN)
                    continue
                listener.read([])
                if listener.heard:
                    waiting.discard(number)
            if time.monotonic() - begun_s > PATIENCE_S:
                raise InternalError(f"bench: {len(waiting)} listeners heard nothing for {PATIENCE_S:.0f} s")
        return time.monotonic() - begun_s

    def watch(self, seconds: float) -> list[int]:
        """The ages of what is read in so long."""
        ages: list[int] = []
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._read(left_s, ages)
        return ages

    def until_asked(self) -> str:
        """Read on; the next line of input, empty when there is no more."""
        while not self._read(1.0, []):
            pass
        return sys.stdin.readline()

    def _read(self, wait_s: float, ages: list[int]) -> bool:
        """True when there is input."""
        asked = False
        for number, _event in self._poll.poll(wait_s, len(self._listeners) + 1):
            if number in self._listeners:
                self._listeners[number].read(ages)
            else:
                asked = True
        return asked


def main() -> None:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    score, requests = None, [b""] * count
    if len(sys.argv) > 3:
        paths = json.loads(Path(sys.argv[3]).read_bytes())
        score = Score(Path(sys.argv[4]).read_bytes(), int(sys.argv[5]))
        asks = [f"GET {path} HTTP/1.1\r\nHost: loa\r\nUser-Agent: bench\r\n\r\n".encode() for path in paths]
        requests = [asks[n % len(asks)] for n in range(count)]
    gc.disable()  # the ages are the node's: nothing here makes cycles
    crowd = Crowd(port, requests, score)
    print("ready", flush=True)
    line = sys.stdin.readline()
    while line:
        match line.split():
            case ["connect"]:
                print(json.dumps(crowd.connect()), flush=True)
            case ["watch", seconds]:
                print(json.dumps(crowd.watch(float(seconds))), flush=True)
        line = crowd.until_asked()


if __name__ == "__main__":
    main()
