"""The other end of `bench/links.py`, in a process of its own: thousands of clients that read and count.

    python -m loa.bench.link_clients PORT COUNT PATH

By hand on bare sockets, since a full client for each would cost more than the server that is measured. Prints
"ready"; connects on a line of input and prints how many bytes came after the handshakes, then and for every
further line.
"""

import hashlib
import os
import selectors
import socket
import sys
import threading

from ..trust.keys import SigningKey
from ..wire.control import Challenge, Hello, Welcome, build_control, hello_bytes, parse_control

AT_ONCE = 500
"""Handshakes under way, for speakers spread their return."""


def key_of(number: int) -> SigningKey:
    """The same on both sides, without telling it."""
    return SigningKey.from_bytes(hashlib.sha256(b"%d" % number).digest())


def speaker_of(number: int) -> str:
    return f"{number + 1:016x}"


class Client:
    def __init__(self, number: int, port: int, path: str) -> None:
        self.number = number
        self.open = False
        self.line = socket.create_connection(("127.0.0.1", port))
        self._says_hello = path.startswith("/speaker")
        self.line.send(
            f"GET {path} HTTP/1.1\r\nHost: loa\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def read(self) -> int:
        """Bytes that came after the handshake."""
        data = self.line.recv(65_536)
        if self.open:
            return len(data)
        if data.startswith(b"HTTP/1.1 101"):
            data = data.partition(b"\r\n\r\n")[2]
            self.open = not self._says_hello
        if data and self._says_hello:
            self._answer(data)
        return 0

    def _answer(self, frame: bytes) -> None:
        match parse_control(first_payload(frame)):
            case Challenge(nonce, node):
                signature = key_of(self.number).sign(hello_bytes(nonce, node))
                hello = build_control(Hello(speaker_of(self.number), (1,), signature, "bench", "null"))
                self.line.send(b"\x82\xfe" + len(hello).to_bytes(2, "big") + bytes(4) + hello)
            case Welcome():
                self.open = True


def first_payload(data: bytes) -> bytes:
    """Of the first frame: loopback hands over a challenge or a welcome whole, whatever follows it."""
    at, length = (4, int.from_bytes(data[2:4], "big")) if data[1] == 126 else (2, data[1])
    return data[at : at + length]


class Crowd:
    def __init__(self) -> None:
        self.received = 0
        self.open = 0
        self._selector = selectors.DefaultSelector()

    def client(self, number: int, port: int, path: str) -> Client:
        return Client(number, port, path)

    def connect(self, count: int, port: int, path: str) -> None:
        started = 0
        while self.open < count:
            while started < count and started - self.open < AT_ONCE:
                client = self.client(started, port, path)
                self._selector.register(client.line, selectors.EVENT_READ, client)
                started += 1
                if started % 20 == 0:
                    self.read(0)
            self.read(0.1)

    def read(self, wait_s: float) -> None:
        for key, _ in self._selector.select(wait_s):
            client: Client = key.data
            was_open = client.open
            self.received += client.read()
            self.open += client.open and not was_open


def main() -> None:
    port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    crowd = Crowd()

    def tell() -> None:
        for _ in sys.stdin:
            print(crowd.received, flush=True)
        os._exit(0)

    print("ready", flush=True)
    sys.stdin.readline()
    crowd.connect(count, port, path)
    print(crowd.received, flush=True)
    threading.Thread(target=tell, daemon=True).start()
    while True:
        crowd.read(1.0)


if __name__ == "__main__":
    main()
