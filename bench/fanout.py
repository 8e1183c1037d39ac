"""fanout: what a datagram to each of many speakers costs, beside a bare C loop that sends the same bytes.

Both send to the same addresses in turns, so that whatever else the machine does falls on both; a sink on the
same machine takes what comes, and the kernel's work for it is in either figure.
"""

import contextlib
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..streamer.fanout import AddressTable, Fanout, Parcel
from ..streamer.sendmmsg import sockaddr
from .floor import compiled, run_c
from .result import Metrics

PAYLOAD = bytes(342)
"""An audio datagram of three 80-byte frames."""

ROUNDS = 60
AT_ONCE = 10
"""Jobs handed over before the thread is waited for: well inside the bound of its queue."""

TURNS = 7


def run(speakers: int) -> Metrics:
    with _sink() as port:
        ours, floor = [], []
        for _ in range(TURNS):
            floor.append(
                run_c("floor_sendmmsg.c", [str(port), str(speakers), str(len(PAYLOAD)), str(ROUNDS)])
            )
            ours.append(_ours(port, speakers))
    ratio = statistics.median(a / b for a, b in zip(ours, floor, strict=True))
    return {
        "speakers": speakers,
        "cpu_us_per_datagram": statistics.median(ours),
        "floor_us_per_datagram": statistics.median(floor),
        "ratio": ratio,
    }


def address(number: int) -> str:
    """A loopback address of its own for each of 16 million speakers."""
    return f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _ours(port: int, speakers: int) -> float:
    """CPU microseconds of this process per datagram, the hand-over to the thread included."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        fanout = Fanout(sock)
        fanout.use(AddressTable((i, sockaddr(address(i), port)) for i in range(speakers)))
        begun_s = time.process_time()
        for batch in range(1, ROUNDS // AT_ONCE + 1):
            for _ in range(AT_ONCE):
                fanout.send([Parcel(PAYLOAD, [(0, speakers)])])
            while fanout.counts.sent + fanout.counts.buffer_full < batch * AT_ONCE * speakers:
                time.sleep(0.002)
        spent_s = time.process_time() - begun_s
        sent = fanout.counts.sent
        fanout.close()
    return spent_s * 1e6 / sent


@contextlib.contextmanager
def _sink() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        process = subprocess.Popen([compiled("sink.c", Path(folder)), str(port)])
        try:
            yield port
        finally:
            process.kill()
            process.wait()
