"""Thousands of light speakers in a process of their own: real links, real UDP attachment, and a stop-watch.

    python -m loa.bench.crowd PORT DEVICES_FILE

Each speaker answers its challenge with its device key, returns its cookie from an address of its own
(127.x.y.z) and reads what comes; it verifies nothing, so that ten thousand fit beside the node. Says "ready"
when all are attached. For each broadcast id on input it prints, as JSON, the monotonic nanoseconds at
which each speaker held that broadcast's start with audio in it (null: within the time it never did).
"""

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import fleet
from ..wire.control import Challenge, Hello, Via, Welcome, build_control, hello_bytes, parse_control
from ..wire.datagram import Attached, Confirm, Cookie, Probe, build_attach, parse_datagram
from ..wire.report import Transport
from .fanout import address
from .link_clients import Client, Crowd, first_payload
from .stopwatch import ROOM_BYTES, watch

CONFIRM_EVERY_S = 15.0
AT_ONCE = 200
IP_PKTINFO = 8
SO_RCVBUFFORCE = 33
"""Linux numbers that the socket module does not name."""


class LightSpeaker(Client):
    """A link that also knows its UDP token."""

    def __init__(self, number: int, port: int, path: str, device: fleet.Device) -> None:
        self._device = device
        self.token = self.cookie = b""
        self.udp_port = 0
        super().__init__(number, port, path)

    def _answer(self, frame: bytes) -> None:
        match parse_control(first_payload(frame)):
            case Challenge(nonce, node):
                signature = self._device.key.sign(hello_bytes(nonce, node))
                hello = build_control(Hello(self._device.speaker, (1,), signature, "bench", "null"))
                self.line.send(b"\x82\xfe" + len(hello).to_bytes(2, "big") + bytes(4) + hello)
            case Welcome() as welcome:
                self.token, self.udp_port, self.open = welcome.token, welcome.udp[0][1], True


class LightCrowd(Crowd):
    def __init__(self, devices: list[fleet.Device]) -> None:
        super().__init__()
        self._devices = devices
        self.speakers: list[LightSpeaker] = []

    def client(self, number: int, port: int, path: str) -> Client:
        made = LightSpeaker(number, port, path, self._devices[number])
        self.speakers.append(made)
        return made


def attach(sock: socket.socket, speakers: list[LightSpeaker]) -> None:
    """Return every cookie; ask again for whoever got no answer."""
    missing = set(range(len(speakers)))
    sock.settimeout(0.3)
    while missing:
        for some in _groups(sorted(missing)):
            for n in some:
                _send(sock, n, build_attach(Probe(speakers[n].token)), speakers[n].udp_port)
            for n, data in _received(sock, 2 * len(some)):
                message = parse_datagram(data).message
                if isinstance(message, Cookie):
                    speakers[n].cookie = message.cookie
                    confirm(sock, n, speakers[n])
                elif isinstance(message, Attached):
                    missing.discard(n)


def confirm(sock: socket.socket, number: int, speaker: LightSpeaker) -> None:
    _send(sock, number, build_attach(Confirm(speaker.token, speaker.cookie)), speaker.udp_port)


def turn_to_udp(speakers: Sequence[LightSpeaker]) -> None:
    """Say over each link that its datagrams come."""
    said = build_control(Via(Transport.UDP, "the address answers"))
    for speaker in speakers:
        speaker.line.send(b"\x82" + bytes([0x80 | len(said)]) + bytes(4) + said)


def keep(sock: socket.socket, speakers: list[LightSpeaker]) -> None:
    """Confirm every address again and again, a few at a time, for as long as the process lives."""
    while True:
        for number, speaker in enumerate(speakers):
            confirm(sock, number, speaker)
            time.sleep(CONFIRM_EVERY_S / len(speakers))


def _groups(numbers: list[int]) -> Iterator[list[int]]:
    for first in range(0, len(numbers), AT_ONCE):
        yield numbers[first : first + AT_ONCE]


def _received(sock: socket.socket, most: int) -> Iterator[tuple[int, bytes]]:
    """(number of the speaker, datagram), until nothing more comes."""
    for _ in range(most):
        try:
            data, ancillary, _flags, _from = sock.recvmsg(1500, 64)
        except TimeoutError:
            return
        a, b, c = ancillary[0][2][9:12]
        yield ((a - 1) << 16) | (b << 8) | c, data


def _send(sock: socket.socket, number: int, data: bytes, port: int) -> None:
    source = struct.pack("=i4s4s", 0, socket.inet_aton(address(number)), bytes(4))
    sock.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, source)], 0, ("127.0.0.1", port))


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
    child = os.fork()
    if child == 0:
        sock.settimeout(None)
        watch(sock, len(devices))
        os._exit(0)
    sys.stdin.close()
    threading.Thread(target=keep, args=(sock, crowd.speakers), daemon=True).start()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        crowd.read(1.0)


if __name__ == "__main__":
    main()
