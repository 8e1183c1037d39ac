"""Light speakers that listen by UDP and by nothing else, in a process of their own, and count what they get.

    python -m loa.bench.attached PORT DEVICES_FILE

As `crowd`, but each says over its link that its datagrams come, as a real speaker does, so that the node
sends them nothing by WebSocket. Prints "ready" when all are attached; for each line of input, the number of
datagrams that came since the start.
"""

import select
import socket
import sys
import threading
from pathlib import Path

from .. import fleet
from .crowd import IP_PKTINFO, SO_RCVBUFFORCE, LightCrowd, attach, keep, turn_to_udp
from .stopwatch import ROOM_BYTES, Batch


def count(sock: socket.socket, crowd: LightCrowd) -> None:
    """Until input ends."""
    batch, came = Batch(sock), 0
    while True:
        ready, _, _ = select.select([sock, sys.stdin], [], [], 1.0)
        crowd.read(0)
        if sock in ready:
            came += batch.read()
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            print(came, flush=True)


def main() -> None:
    port, devices = int(sys.argv[1]), fleet.load(Path(sys.argv[2]))
    crowd = LightCrowd(devices)
    crowd.connect(len(devices), port, "/speaker/link")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM_BYTES)
    sock.bind(("0.0.0.0", 0))
    attach(sock, crowd.speakers)
    turn_to_udp(crowd.speakers)
    sock.settimeout(None)
    threading.Thread(target=keep, args=(sock, crowd.speakers), daemon=True).start()
    print("ready", flush=True)
    count(sock, crowd)


if __name__ == "__main__":
    main()
