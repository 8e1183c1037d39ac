"""sendmmsg(2) over numpy tables: one system call hands the kernel up to 1,024 datagrams.

Laws: the call is made with the interpreter's lock released for the whole batch; a bad address costs one
datagram and is counted; a full socket buffer is waited for a bounded time and then dropped and counted.
All state belongs to the thread that calls `MessageBatch.send`.
"""

import ctypes
import errno
import select
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InternalError

MAX_BATCH = 1024
"""UIO_MAXIOV: the kernel silently caps `vlen` here (sendmmsg(2))."""

SOCKADDR_BYTES = 28
"""sizeof(struct sockaddr_in6); one IPv6 socket serves IPv4 by mapped addresses."""

MESSAGE = np.dtype(
    {
        "names": ["name", "name_bytes", "iov", "iov_count", "control", "control_bytes", "flags", "sent"],
        "formats": [np.uint64, np.uint32, np.uint64, np.uint64, np.uint64, np.uint64, np.int32, np.uint32],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
"""struct mmsghdr of 64-bit Linux (x86-64 and Arm alike)."""

Addresses = npt.NDArray[np.uint8]
"""Shape (n, 28): one sockaddr_in6 a row."""

_SHORT_WAIT_MS = 20
_AGAIN = {errno.EAGAIN, errno.ENOBUFS}


@dataclass(slots=True)
class SendCounts:
    """Datagrams (and failed jobs) by what became of them; written by the sending thread, read by anyone."""

    sent: int = 0
    bad_address: int = 0
    buffer_full: int = 0
    stale: int = 0
    failed: int = 0


def sockaddr(host: str, port: int) -> bytes:
    """The sockaddr_in6 of an address, IPv4 mapped; `host` is numeric, as `recvfrom` gives it."""
    text = host if ":" in host else f"::ffff:{host}"
    packed = socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    family = socket.AF_INET6.to_bytes(2, sys.byteorder)
    return family + port.to_bytes(2, "big") + bytes(4) + packed + bytes(4)


def message_table(addresses: Addresses) -> npt.NDArray[np.void]:
    """One prebuilt message a row, its name pointing into `addresses`, which must outlive the table."""
    if addresses.shape[1:] != (SOCKADDR_BYTES,) or not addresses.flags.c_contiguous:
        raise InternalError(
            f"address table of shape {addresses.shape}, expected contiguous (n, {SOCKADDR_BYTES})"
        )
    table = np.zeros(len(addresses), MESSAGE)
    table["name"] = addresses.ctypes.data + np.arange(len(addresses), dtype=np.uint64) * SOCKADDR_BYTES
    table["name_bytes"] = SOCKADDR_BYTES
    table["iov_count"] = 1
    return table


class MessageBatch:
    """Scratch space for one sending thread and one socket."""

    def __init__(self, sock: socket.socket, counts: SendCounts) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._sendmmsg = libc.sendmmsg
        self._sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
        self._sendmmsg.restype = ctypes.c_int
        self._sock = sock
        self._counts = counts
        self._scratch = np.zeros(MAX_BATCH, MESSAGE)
        self._base = self._scratch.ctypes.data
        self._poll = select.poll()
        self._poll.register(sock, select.POLLOUT)

    def send(
        self, table: npt.NDArray[np.void], rows: npt.NDArray[np.intp], iov: npt.NDArray[np.uint64]
    ) -> None:
        """Send to `table[rows]`, at most MAX_BATCH of them; `iov[i]` points to the iovec for `rows[i]`."""
        count = len(rows)
        scratch = self._scratch[:count]
        np.take(table, rows, out=scratch)
        scratch["iov"] = iov
        done = 0
        while done < count:
            done += self._call(done, count - done)

    def _call(self, first: int, count: int) -> int:
        sent: int = self._sendmmsg(self._sock.fileno(), self._base + first * MESSAGE.itemsize, count, 0)
        if sent > 0:
            self._counts.sent += sent
            return sent
        if ctypes.get_errno() in _AGAIN:
            if self._poll.poll(_SHORT_WAIT_MS):
                return 0
            self._counts.buffer_full += count
            return count
        self._counts.bad_address += 1
        return 1


class Payloads:
    """Datagrams laid end to end. `vectors[i]` is the address of the struct iovec of payload i.

    What it points to lives as long as this object.
    """

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._bytes = np.frombuffer(b"".join(payloads), np.uint8)
        self._iovecs = np.empty((len(payloads), 2), np.uint64)
        lengths = np.fromiter(map(len, payloads), np.uint64, len(payloads))
        self._iovecs[:, 0] = np.cumsum(lengths) - lengths + np.uint64(self._bytes.ctypes.data)
        self._iovecs[:, 1] = lengths
        stride = self._iovecs.strides[0]
        self.vectors: npt.NDArray[np.uint64] = (
            self._iovecs.ctypes.data + np.arange(len(payloads), dtype=np.uint64) * stride
        )
