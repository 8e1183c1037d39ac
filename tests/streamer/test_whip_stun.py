"""STUN against another implementation, each defect once, and random bytes."""

from contextlib import suppress
from ipaddress import ip_address

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.streamer.stun import build_success, parse_binding_request


def request(
    *, password: str = "secret", username: str | None = "ours:theirs", use_candidate: bool = True
) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction!")
    if username is not None:
        message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1234
    message.attributes["ICE-CONTROLLING"] = 5678
    if use_candidate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    message.add_fingerprint()
    return bytes(message)


def test_a_request_is_read() -> None:
    read = parse_binding_request(request())
    assert (read.username, read.use_candidate, read.transaction) == ("ours:theirs", True, b"transaction!")
    assert not parse_binding_request(request(use_candidate=False)).use_candidate


def test_only_the_right_password_has_signed_it() -> None:
    read = parse_binding_request(request())
    assert read.signed_with("secret")
    assert not read.signed_with("Secret")
    assert not read.signed_with("")


@pytest.mark.parametrize("at", [9, 24, 30])
def test_a_changed_byte_is_not_signed(at: int) -> None:
    data = bytearray(request())
    data[at] ^= 1
    assert not parse_binding_request(bytes(data)).signed_with("secret")


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_another_stack_reads_the_answer(address: str) -> None:
    answer = build_success(b"transaction!", ip_address(address), 54_321, "secret")
    message = stun.parse_message(answer)
    message.check_message_integrity(b"secret")
    assert message.message_class is stun.Class.RESPONSE
    assert message.transaction_id == b"transaction!"
    assert message.attributes["XOR-MAPPED-ADDRESS"] == (address, 54_321)
    assert "FINGERPRINT" in message.attributes


UNSIGNED = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction!"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "0 bytes"),
        (request()[:19], "19 bytes"),
        (request() * 10, "expected 20 to 548"),
        (request()[:-1], "says"),
        (request()[:4] + b"abcd" + request()[8:], "cookie"),
        (b"\x01\x01" + request()[2:], "expected a binding request"),
        (UNSIGNED, "not signed"),
        (request(username=None), "without a user name"),
        (request()[:2] + b"\x00\x08" + request()[4:20] + b"\x00\x06\xff\xff" + b"ours", "not signed"),
    ],
    ids=["empty", "short", "long", "cut", "cookie", "response", "unsigned", "nameless", "overrun"],
)
def test_each_defect_has_its_words(data: bytes, told: str) -> None:
    with pytest.raises(ProtocolError, match=told):
        parse_binding_request(data)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise_anything_else(data: bytes, headed: bool) -> None:
    if headed:
        data = b"\x00\x01" + len(data).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + b"transaction!" + data
    with suppress(ProtocolError):
        parse_binding_request(data).signed_with("secret")
