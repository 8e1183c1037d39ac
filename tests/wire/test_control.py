"""The control link: every message there and back, every defect named, noise refused."""

from collections.abc import Callable
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.trust.fields import build_map
from loa.trust.statements import Statement, StatementKind, build_statement
from loa.wire.control import (
    MAX_CONTROL_BYTES,
    MAX_UPLINK_BYTES,
    Bye,
    Chain,
    Challenge,
    Control,
    Hello,
    Order,
    Placed,
    Problem,
    Revoked,
    Roots,
    Targets,
    TimeAsk,
    TimeReply,
    UnknownKind,
    Via,
    Volume,
    Want,
    Welcome,
    build_control,
    hello_bytes,
    parse_control,
)
from loa.wire.datagram import is_datagram
from loa.wire.report import MAX_HEARD, Heard, Report, State, Transport

ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
text = st.text(max_size=40)
tokens = st.lists(st.text("abc.-_", max_size=60), max_size=32).map(tuple)
counts = st.integers(0, 2**53 - 1)
times = st.integers(0, 2**63 - 1)
levels = st.floats(-200, 20)
versions = st.lists(st.integers(1, 255), min_size=1, max_size=16).map(tuple)


def binary(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


statements = st.builds(
    Statement, st.sampled_from(StatementKind), st.binary(min_size=1, max_size=90), ids, binary(64)
)
heard = st.builds(Heard, ids, ids, counts, counts, counts, counts, binary(32), levels, counts, counts)
reports = st.builds(
    Report,
    st.sampled_from(State),
    st.sampled_from(Transport),
    st.none() | ids,
    st.none() | ids,
    levels,
    st.none() | st.floats(-60_000, 60_000),
    st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
    st.dictionaries(st.text(max_size=40), counts, max_size=64),
    st.lists(heard, max_size=5).map(tuple),
)
edges = st.tuples(st.text(max_size=30), st.integers(1, 65_535))
MESSAGES: dict[type[Control], st.SearchStrategy[Control]] = {
    Challenge: st.builds(Challenge, binary(32), ids, versions),
    Hello: st.builds(Hello, ids, versions, binary(64), text, text),
    Welcome: st.builds(
        Welcome,
        st.integers(1, 255),
        statements,
        tokens,
        st.lists(edges, max_size=8).map(tuple),
        binary(16),
        ids,
        st.integers(1, 86_400),
    ),
    Placed: st.builds(Placed, statements),
    TimeAsk: st.builds(TimeAsk, times),
    TimeReply: st.builds(TimeReply, times, times, times, ids, binary(64), ids),
    Chain: st.builds(Chain, tokens),
    Targets: st.builds(Targets, st.lists(ids, max_size=50).map(tuple)),
    Volume: st.builds(Volume, statements),
    Order: st.builds(Order, statements),
    Roots: st.builds(Roots, statements),
    Revoked: st.builds(Revoked, statements),
    Via: st.builds(Via, st.sampled_from(Transport), text),
    Want: st.builds(Want, st.text(max_size=16), st.binary(max_size=32)),
    Report: reports,
    Bye: st.builds(Bye, text, st.integers(0, 86_400)),
    Problem: st.builds(Problem, text, text, text),
}
messages = st.one_of(*MESSAGES.values())


def test_no_kind_was_forgotten() -> None:
    assert set(MESSAGES) | {UnknownKind} == set(Control.__args__)


@given(messages)
def test_there_and_back(message: Control) -> None:
    data = build_control(message)
    assert parse_control(data) == message
    assert not is_datagram(data)


def parses(data: bytes) -> bool:
    """Any error but ProtocolError is the parser's fault and fails the test."""
    try:
        parse_control(data)
    except ProtocolError as error:
        assert "expected" in str(error)  # noqa: PT017 - what it says is what is tested
        return False
    return True


@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    parses(data)


@given(messages, st.integers(0, 10_000), st.integers(1, 255), st.integers(0, 3))
def test_changed_bytes(message: Control, at: int, change: int, cut: int) -> None:
    data = bytearray(build_control(message))
    data[at % len(data)] ^= change
    parses(bytes(data[: len(data) - cut]))


@given(messages, st.integers(0, 9_999))
def test_a_message_cut_short_is_refused(message: Control, size: int) -> None:
    data = build_control(message)
    assert not parses(data[: size % len(data)])


KINDS = [*sorted(message.__name__.lower() for message in MESSAGES), "time", "time?"]
NAMES = ["sig", "key", "statement", "clock", "output", *(f.name for one in MESSAGES for f in fields(one))]
numbers = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
scalars = st.none() | numbers | st.text(max_size=5) | st.binary(max_size=70)
nested = st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=5), scalars, max_size=3)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(NAMES), scalars | nested, max_size=8))
def test_any_value_in_any_field(kind: str, content: dict[str, object]) -> None:
    parses(build_map({"k": kind, **content}))


def test_unknown_kinds_can_be_told_apart() -> None:
    assert parse_control(build_map({"k": "teleport", "to": 7})) == UnknownKind("teleport")
    with pytest.raises(ValueError, match="only ever received"):
        build_control(UnknownKind("teleport"))


@given(messages)
def test_unknown_fields_are_ignored(message: Control) -> None:
    data = build_control(message)
    size = data[0] & 0x0F if data[0] & 0xF0 == 0x80 else None
    assert size is not None
    assert size < 15
    assert parse_control(bytes([0x80 | size + 1]) + data[1:] + b"\xa4new!\x93\x01\x02\xc0") == message


STATEMENT = build_statement(Statement(StatementKind.VOLUME, b"p", "ab" * 8, bytes(64)))
WELCOME: dict[str, object] = {
    "k": "welcome",
    "version": 1,
    "placement": STATEMENT,
    "chain": ["a.b.c"],
    "udp": [["h", 1]],
    "token": bytes(16),
    "clock": bytes(8),
    "report_s": 60,
}
REPORT: dict[str, object] = {"k": "report", "state": "silent", "via": "udp"}
HELLO: dict[str, object] = {
    "k": "hello",
    "speaker": bytes(8),
    "versions": [1],
    "sig": bytes(64),
    "software": "",
    "output": "",
}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "control message: field 'k' is missing"),
        ({"k": 7}, "field 'k' is int 7"),
        ({"k": "x" * 33}, "at most 32 letters"),
        (
            {"k": "challenge", "nonce": bytes(31), "node": bytes(8), "versions": [1]},
            "challenge: field 'nonce'",
        ),
        (
            {"k": "challenge", "nonce": bytes(32), "node": "ab" * 8, "versions": [1]},
            "challenge: field 'node'",
        ),
        (HELLO | {"versions": []}, "versions is empty"),
        (HELLO | {"versions": [0]}, "a version is 0, expected 1 to 255"),
        (HELLO | {"versions": [True]}, "a version is True"),
        (HELLO | {"versions": ["1"]}, "a version is 1"),
        (HELLO | {"versions": [1] * 17}, "an array of at most 16"),
        (HELLO | {"sig": bytes(63)}, "hello: field 'sig'"),
        (HELLO | {"software": "x" * 501}, "at most 500 letters"),
        (WELCOME | {"placement": b"\x80"}, "statement: field 'kind'"),
        (WELCOME | {"placement": STATEMENT + b"\x00"}, "statement: not MessagePack"),
        (WELCOME | {"chain": ["x" * 4097]}, "chain holds no token of at most 4096"),
        (WELCOME | {"chain": ["x"] * 33}, "an array of at most 32"),
        (WELCOME | {"chain": [b"x"]}, "chain holds no token"),
        (WELCOME | {"udp": [["h", 0]]}, r"udp holds \['h', 0\], expected \[host, port\]"),
        (WELCOME | {"udp": [["h", True]]}, "udp holds"),
        (WELCOME | {"udp": [["h", 65_536]]}, "udp holds"),
        (WELCOME | {"udp": [["h"]]}, "udp holds"),
        (WELCOME | {"udp": [["h" * 254, 1]]}, "udp holds"),
        (WELCOME | {"udp": ["h:1"]}, "udp holds"),
        (WELCOME | {"report_s": 0}, "report_s"),
        ({"k": "time?", "t1": 2**63}, "t1"),
        ({"k": "time?", "t1": -1}, "t1"),
        ({"k": "targets", "places": bytes(9)}, "multiple of 8"),
        ({"k": "targets", "places": bytes(8 * 16_385)}, "binary of 0 to 131072"),
        ({"k": "via", "transport": "pigeon", "why": ""}, "expected one of udp, ws"),
        ({"k": "want", "kind": "targets", "hash": bytes(33)}, "hash"),
        (REPORT | {"state": "asleep"}, "expected one of silent, playing"),
        (REPORT | {"level_dbfs": float("nan")}, "level_dbfs"),
        (REPORT | {"counters": {"x": -1}}, r"report.counters: field 'x'"),
        (REPORT | {"counters": {str(n): 1 for n in range(65)}}, "at most 64 entries"),
        (REPORT | {"counters": {"x" * 41: 1}}, "at most 40 letters"),
        (REPORT | {"counters": [1]}, "expected a map"),
        (REPORT | {"heard": [{}]}, r"report.heard\[0\]: field 'broadcast'"),
        (REPORT | {"heard": [{}] * (MAX_HEARD + 1)}, "an array of at most 64"),
        ({"k": "bye", "reason": "x", "retry_s": -1}, "retry_s"),
    ],
)
def test_golden_defects(content: dict[str, object], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_control(build_map(content))


@pytest.mark.parametrize("size", [MAX_UPLINK_BYTES, MAX_CONTROL_BYTES])
def test_sizes_are_bounded_before_anything_is_read(size: int) -> None:
    with pytest.raises(ProtocolError, match=f"expected at most {size}"):
        parse_control(b"\x80" + bytes(size), size)


def test_the_largest_messages_fit_their_bounds() -> None:
    most = 2**53 - 1
    one = Heard("f" * 16, "f" * 16, most, most, most, most, bytes(32), -60.5, most, most)
    counters = {f"{n:040d}": most for n in range(64)}
    heard = (one,) * MAX_HEARD
    report = Report(State.PLAYING, Transport.WS, "f" * 16, "f" * 16, -1.0, 1.0, 1, counters, heard)
    assert len(build_control(report)) <= MAX_UPLINK_BYTES
    targets = Targets(tuple(f"{n:016x}" for n in range(16_384)))
    assert parse_control(build_control(targets)) == targets
    chain = Chain(("x" * 4096,) * 32)
    assert parse_control(build_control(chain)) == chain


@pytest.mark.parametrize(
    "make", [lambda t: Problem(t, t, t), lambda t: Bye(t, 1), lambda t: Via(Transport.WS, t)]
)
def test_long_explanations_are_cut_not_lost(make: Callable[[str], Control]) -> None:
    assert parse_control(build_control(make("ê" * 2000))) == make("ê" * 500)


def test_an_idle_report_is_small() -> None:
    assert len(build_control(Report(State.SILENT, Transport.UDP))) <= 32


def test_what_a_speaker_signs_names_the_node_that_asked() -> None:
    assert hello_bytes(b"n" * 32, "0123456789abcdef") == b"loa-hello\0" + b"n" * 32 + bytes.fromhex(
        "0123456789abcdef"
    )
