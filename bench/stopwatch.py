"""The stop-watch of `crowd`: reads 100,000 datagrams a second and notes when each speaker first held a start.

recvmmsg(2) into numpy tables, looked at a column at a time; Python touches no single datagram.
"""

import ctypes
import json
import select
import socket
import sys
import time

import numpy as np
import numpy.typing as npt

from ..streamer.sendmmsg import MESSAGE
from ..wire.datagram import Kind, Start, parse_datagram
from ..wire.rank import BroadcastClass

ROOM_BYTES = 64 << 20
"""Half a second of everything that ten thousand speakers are sent."""

BATCH = 1024
MSG_WAITFORONE = 0x10000
WIDTH = 1280
CONTROL = 64
_ID = slice(12, 20)
_CLASS = 20
_DESTINATION = slice(16 + 8, 16 + 12)
"""cmsghdr of 16 bytes, then in_pktinfo: interface, local address, destination."""

PATIENCE_NS = 5_000_000_000
"""Who has nothing by then is missed."""


class Batch:
    """Buffers for one recvmmsg."""

    def __init__(self, sock: socket.socket) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._recvmmsg = libc.recvmmsg
        self._recvmmsg.argtypes = [
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_void_p,
        ]
        self._fd = sock.fileno()
        self.data: npt.NDArray[np.uint8] = np.zeros((BATCH, WIDTH), np.uint8)
        self.control: npt.NDArray[np.uint8] = np.zeros((BATCH, CONTROL), np.uint8)
        self._iov = np.zeros((BATCH, 2), np.uint64)
        self._iov[:, 0] = self.data.ctypes.data + np.arange(BATCH, dtype=np.uint64) * WIDTH
        self._iov[:, 1] = WIDTH
        self.messages = np.zeros(BATCH, MESSAGE)
        self.messages["iov"] = self._iov.ctypes.data + np.arange(BATCH, dtype=np.uint64) * 16
        self.messages["iov_count"] = 1
        self.messages["control"] = self.control.ctypes.data + np.arange(BATCH, dtype=np.uint64) * CONTROL

    def read(self) -> int:
        """How many datagrams came; waits for the first."""
        self.messages["control_bytes"] = CONTROL
        count: int = self._recvmmsg(self._fd, self.messages.ctypes.data, BATCH, MSG_WAITFORONE, None)
        return max(0, count)

    def speakers(self, which: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        """The numbers of the speakers to whom these datagrams went."""
        octets = self.control[which, _DESTINATION].astype(np.int64)
        numbers: npt.NDArray[np.int64] = ((octets[:, 1] - 1) << 16) | (octets[:, 2] << 8) | octets[:, 3]
        return numbers


class Held:
    """For each emergency, when each speaker first held a start of it with audio."""

    def __init__(self, speakers: int) -> None:
        self._speakers = speakers
        self._times: dict[bytes, npt.NDArray[np.int64]] = {}
        self._counts: dict[tuple[bytes, int], bool] = {}

    def note(self, batch: Batch, count: int, now_ns: int) -> None:
        data = batch.data[:count]
        starts = np.nonzero((data[:, 2] == Kind.START) & (data[:, _CLASS] == BroadcastClass.EMERGENCY))[0]
        for row in self._firsts(data, starts):
            name = data[row, _ID].tobytes()
            same = starts[(data[starts, _ID] == data[row, _ID]).all(axis=1)]
            full = [n for n in same if self._has_audio(batch, name, int(n))]
            numbers = batch.speakers(np.asarray(full, np.intp))
            held = self._times.setdefault(name, np.zeros(self._speakers, np.int64))
            held[numbers[held[numbers] == 0]] = now_ns

    def times(self, broadcast: str) -> list[int | None]:
        held = self._times.get(bytes.fromhex(broadcast), np.zeros(self._speakers, np.int64))
        return [int(t) or None for t in held]

    def complete(self, broadcast: str) -> bool:
        held = self._times.get(bytes.fromhex(broadcast))
        return held is not None and bool(held.all())

    def _firsts(self, data: npt.NDArray[np.uint8], starts: npt.NDArray[np.intp]) -> list[int]:
        """One row of each broadcast among `starts`."""
        seen = {data[row, _ID].tobytes(): int(row) for row in starts}
        return list(seen.values())

    def _has_audio(self, batch: Batch, name: bytes, row: int) -> bool:
        """Parsed once for each broadcast and length: the bytes are the same for all."""
        size = int(batch.messages["sent"][row])
        if (name, size) not in self._counts:
            message = parse_datagram(batch.data[row, :size].tobytes()).message
            self._counts[name, size] = isinstance(message, Start) and bool(message.audio.frames)
        return self._counts[name, size]


def watch(sock: socket.socket, speakers: int) -> None:
    """Until input ends: read everything; for each broadcast id asked, print the times once all have it."""
    batch, held = Batch(sock), Held(speakers)
    print("ready", flush=True)
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    asked, until_ns = "", 0
    while True:
        count = batch.read()
        now_ns = time.monotonic_ns()
        held.note(batch, count, now_ns)
        if asked and (held.complete(asked) or now_ns > until_ns):
            print(json.dumps(held.times(asked)), flush=True)
            asked = ""
        elif not asked and poll.poll(0):
            asked, until_ns = sys.stdin.readline().strip(), now_ns + PATIENCE_NS
            if not asked:
                return
