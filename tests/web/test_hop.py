"""Who asks, over what, for whom: what a proxy says, and what anybody could write."""

from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from loa.errors import ProtocolError
from loa.web.hop import MAX_HOPS, Hop, Network, find_hop, parse_address, parse_host

PROXIES: Sequence[Network] = (ip_network("10.0.0.0/24"), ip_network("127.0.0.1/32"), ip_network("fd00::/64"))
STRANGER = "203.0.113.9"


def hop(
    peer: str | None, *headers: tuple[str, str], secure: bool = False, trusted: Sequence[Network] = PROXIES
) -> Hop:
    given_headers = CIMultiDictProxy(CIMultiDict([("Host", "loa.example"), *headers]))
    return find_hop(peer, secure=secure, headers=given_headers, trusted=trusted)


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        (STRANGER, ["198.51.100.1"], STRANGER),
        (STRANGER, ["127.0.0.1"], STRANGER),
        ("10.0.0.2", [], "10.0.0.2"),
        ("10.0.0.2", [STRANGER], STRANGER),
        ("10.0.0.2", [f"127.0.0.1, 10.0.0.7, {STRANGER}"], STRANGER),
        ("10.0.0.2", ["198.51.100.1", STRANGER], STRANGER),
        ("10.0.0.2", [f"{STRANGER}, 10.0.0.3"], STRANGER),
        ("10.0.0.2", [f"198.51.100.1, {STRANGER}, 10.0.0.3, 127.0.0.1"], STRANGER),
        ("10.0.0.2", ["10.0.0.9, 10.0.0.3"], "10.0.0.9"),
        ("::ffff:10.0.0.2", [f"{STRANGER}:51123"], STRANGER),
        ("fd00::7", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("10.0.0.2", [f"{STRANGER}, nobody"], "unknown"),
        ("10.0.0.2", [f"nobody, {STRANGER}"], STRANGER),
        ("10.0.0.2", [""], "unknown"),
        (None, [STRANGER], "unknown"),
        ("fe80::1%eth0", [], "fe80::1"),
    ],
)
def test_the_right_most_hop_that_is_not_trusted_asks(
    peer: str | None, said: Sequence[str], address: str
) -> None:
    assert hop(peer, *(("X-Forwarded-For", line) for line in said)).address == address


@given(st.lists(st.text(max_size=60).filter(lambda text: "\n" not in text), max_size=5))
def test_nobody_chooses_an_address_by_writing_it(written: list[str]) -> None:
    """Whatever a client sends ahead of it, what our proxy adds at the right end is what counts."""
    assert hop("10.0.0.2", ("X-Forwarded-For", ",".join([*written, STRANGER]))).address == STRANGER
    assert hop(STRANGER, *(("X-Forwarded-For", line) for line in written)).address == STRANGER


def test_a_chain_that_never_ends_is_not_walked_to_its_end() -> None:
    chain = ", ".join([STRANGER, *["10.0.0.3"] * MAX_HOPS])
    assert hop("10.0.0.2", ("X-Forwarded-For", chain)).address == "10.0.0.3"


@pytest.mark.parametrize(
    ("peer", "tls", "said", "secure"),
    [
        (STRANGER, False, ["https"], False),
        (STRANGER, True, ["http"], True),
        ("10.0.0.2", False, ["https"], True),
        ("10.0.0.2", False, ["HTTPS"], True),
        ("10.0.0.2", False, [], False),
        ("10.0.0.2", True, [], True),
        ("10.0.0.2", True, ["http"], False),
        ("10.0.0.2", False, ["https, http"], False),
        ("10.0.0.2", False, ["https", "http"], False),
        ("10.0.0.2", False, ["httpsx"], False),
    ],
)
def test_tls_counts_only_for_the_whole_way(peer: str, tls: bool, said: Sequence[str], secure: bool) -> None:
    assert hop(peer, *(("X-Forwarded-Proto", word) for word in said), secure=tls).secure is secure


def test_the_host_is_what_the_browser_asked_for() -> None:
    said = ("X-Forwarded-Host", "phuong.example:444")
    assert hop("10.0.0.2", said).host == "phuong.example:444"
    assert hop("10.0.0.2", said).name == "phuong.example"
    assert hop(STRANGER, said).host == "loa.example"
    assert hop("10.0.0.2", ("X-Forwarded-Host", "evil.example, phuong.example")).host == "phuong.example"


@pytest.mark.parametrize(
    ("peer", "host", "headers", "local"),
    [
        ("127.0.0.1", "127.0.0.1:8080", [], True),
        ("127.0.0.1", "localhost", [], True),
        ("::1", "[::1]:8080", [], True),
        ("::ffff:127.0.0.1", "LOCALHOST:80", [], True),
        ("127.0.0.1", "evil.example", [], False),
        ("127.0.0.1", "127.0.0.1.evil.example", [], False),
        ("127.0.0.1", "localhost", [("X-Forwarded-For", STRANGER)], False),
        ("127.0.0.1", "localhost", [("Forwarded", f"for={STRANGER}")], False),
        ("127.0.0.1", "localhost", [("Via", "1.1 somebody")], False),
        (STRANGER, "localhost", [], False),
        (None, "localhost", [], False),
    ],
)
def test_only_a_program_of_this_machine_is_local(
    peer: str | None, host: str, headers: list[tuple[str, str]], local: bool
) -> None:
    """A name of somebody else that leads to 127.0.0.1 is a page in a browser; a proxy speaks for others."""
    given_headers = CIMultiDictProxy(CIMultiDict([("Host", host), *headers]))
    assert find_hop(peer, secure=False, headers=given_headers, trusted=()).local is local


@pytest.mark.parametrize("host", ["loa.example", "loa.example:8443", "10.1.2.3", "[2001:db8::1]:8080", "a_b"])
def test_a_host(host: str) -> None:
    assert parse_host([host]) == host


@pytest.mark.parametrize(
    "lines",
    [
        [""],
        ["a", "a"],
        ["a b"],
        ["a/b"],
        ["a@b"],
        ["a\r\nSet-Cookie: x"],
        ["a\n"],
        ["a:b"],
        ["a:123456"],
        ["[::1"],
        ["-a"],
        ["lỗi.example"],
        ["a" * 300],
        ["a, b"],
    ],
)
def test_what_is_no_host(lines: Sequence[str]) -> None:
    with pytest.raises(ProtocolError, match="Host: "):
        parse_host(lines)


@given(st.text(max_size=80))
def test_an_address_is_one_or_is_none(text: str) -> None:
    found = parse_address(text)
    assert found is None or parse_address(str(found)) == found
