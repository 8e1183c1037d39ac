import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.streamer.fanout import AddressTable, Fanout, Parcel
from loa.streamer.sendmmsg import sockaddr


def listener(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(5)
    return sock


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", 0))
        sock.setblocking(False)
        yield sock


def address(sock: socket.socket) -> bytes:
    host, port = sock.getsockname()[:2]
    return sockaddr(host, port)


def received(sock: socket.socket) -> list[bytes]:
    got = []
    sock.settimeout(0.2)
    try:
        while True:
            got.append(sock.recv(2048))
    except TimeoutError:
        return got


def test_each_place_gets_its_own_and_nothing_else(sender: socket.socket) -> None:
    socks = [listener() for _ in range(6)]
    fanout = Fanout(sender)
    try:
        fanout.use(AddressTable((i * 10, address(sock)) for i, sock in enumerate(socks)))
        fanout.send([Parcel(b"low", [(0, 11), (40, 41)]), Parcel(b"high", [(20, 31)])])
        fanout.send([Parcel(b"nobody", [(1, 10)]), Parcel(b"none", [])])
        fanout.close()
        assert [received(sock) for sock in socks] == [[b"low"], [b"low"], [b"high"], [b"high"], [b"low"], []]
        assert fanout.counts.sent == 5
    finally:
        for sock in socks:
            sock.close()


@given(
    seats=st.lists(st.integers(0, 20), max_size=20),
    parcels=st.lists(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), max_size=4), max_size=5),
)
def test_who_gets_which_parcel(seats: list[int], parcels: list[list[tuple[int, int]]]) -> None:
    """Against two loops."""
    runs = [[(a, a + length) for a, length in parcel] for parcel in parcels]
    table = AddressTable((place, sockaddr("127.0.0.1", 1)) for place in seats)
    expected = [
        (row, number)
        for number, slices in enumerate(runs)
        for a, b in slices
        for row, place in enumerate(sorted(seats))
        if a <= place < b
    ]
    rows, owners = table.seats(runs)
    assert list(zip(rows.tolist(), owners.tolist(), strict=True)) == expected


def test_nothing_to_send_does_no_harm(sender: socket.socket) -> None:
    sock = listener()
    fanout = Fanout(sender)
    with sock:
        fanout.use(AddressTable([(0, address(sock))]))
        fanout.send([])
        fanout.send([Parcel(b"nobody there", [(5, 9)]), Parcel(b"nowhere", [])])
        fanout.send([], urgent=True)
        fanout.send([Parcel(b"x", [(0, 1)])])
        fanout.close()
        assert received(sock) == [b"x"]


def test_ipv6_and_ipv4_listen_side_by_side(sender: socket.socket) -> None:
    four, six = listener("127.0.0.1"), listener("::1")
    fanout = Fanout(sender)
    with four, six:
        fanout.use(AddressTable([(0, address(four)), (1, address(six))]))
        fanout.send([Parcel(b"both", [(0, 2)])])
        fanout.close()
        assert received(four) == received(six) == [b"both"]


def test_a_bad_address_costs_only_itself(sender: socket.socket) -> None:
    first, last = listener(), listener()
    fanout = Fanout(sender)
    with first, last:
        # port 0 is refused by the kernel with EINVAL, in the middle of the batch
        fanout.use(AddressTable([(0, address(first)), (1, sockaddr("127.0.0.1", 0)), (2, address(last))]))
        fanout.send([Parcel(b"x", [(0, 3)])])
        fanout.close()
        assert received(first) == received(last) == [b"x"]
        assert (fanout.counts.sent, fanout.counts.bad_address) == (2, 1)


def test_more_than_the_kernel_takes_at_once(sender: socket.socket) -> None:
    sock = listener()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    fanout = Fanout(sender)
    with sock:
        fanout.use(AddressTable((i, address(sock)) for i in range(2500)))
        fanout.send([Parcel(b"many", [(0, 2500)])], urgent=True)
        fanout.close()
        assert fanout.counts.sent == 2500


def test_an_emergency_overtakes_what_is_queued(sender: socket.socket) -> None:
    sock = listener()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
    fanout = Fanout(sender)
    with sock:
        fanout.use(AddressTable((i, address(sock)) for i in range(20_000)))
        fanout.send([Parcel(b"music" * 50, [(0, 20_000)])])
        fanout.send([Parcel(b"more" * 50, [(0, 20_000)])])
        fanout.send([Parcel(b"ALERT", [(0, 1)])], urgent=True)
        deadline, seen = time.monotonic() + 20, 0
        while sock.recv(2048) != b"ALERT":
            seen += 1
            assert time.monotonic() < deadline
        fanout.close()
        assert seen < 20_000, "the alert waited for the whole of the first job"


def test_an_overfull_queue_drops_its_oldest_and_counts(sender: socket.socket) -> None:
    sock = listener()
    fanout = Fanout(sender)
    with sock:
        fanout.use(AddressTable((i, address(sock)) for i in range(5000)))
        for n in range(300):
            fanout.send([Parcel(b"%d" % n, [(0, 5000)])])
        fanout.close()
        assert fanout.counts.stale > 0
        total = fanout.counts.sent + fanout.counts.stale + fanout.counts.buffer_full
        assert total == 300 * 5000
