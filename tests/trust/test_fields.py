"""MessagePack from outside: every defect is a ProtocolError that says where, and nothing else ever comes
out.
"""

from collections.abc import Callable

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.trust.fields import MAX_DEPTH, MAX_MAP_BYTES, Fields, build_map, parse_map

json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
READS: tuple[Callable[[Fields], object], ...] = (
    lambda f: f.integer("a", 0, 9),
    lambda f: f.number("a", 0, 9),
    lambda f: f.flag("a"),
    lambda f: f.text("a", 5),
    lambda f: f.raw("a", 1, 5),
    lambda f: f.ident("a"),
    lambda f: f.idents("a", 3),
    lambda f: f.items("a", 3),
    lambda f: f.maps("a", 3),
    lambda f: f.map("a", 3, 5),
)


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    try:
        parse_map(data, "noise")
    except ProtocolError:
        return


@given(json_like, st.sampled_from(READS))
def test_any_value_in_any_field(value: object, read: Callable[[Fields], object]) -> None:
    said = "thing expected"
    try:
        read(Fields("thing", {"a": value}))
    except ProtocolError as error:
        said = str(error)
    assert said.startswith("thing")
    assert "expected" in said


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not MessagePack"),
        (b"\xc1", "not MessagePack"),
        (b"\x81\xa1a", "not MessagePack"),
        (b"\x80\x00", "not MessagePack"),
        (b"\x90", "list of length 0, expected a map"),
        (b"\xc0", "missing, expected a map"),
        (b"\x81\x01\x02", "not MessagePack"),
        (b"\x81\xc4\x01a\x02", "expected a map with text keys"),
        (b"\x81\xa1\xff\x02", "not MessagePack"),
        (b"\xdf\xff\xff\xff\xff", "not MessagePack"),
        (b"\x81\xa1a\xdd\xff\xff\xff\xff", "not MessagePack"),
        (b"\x81\xa1a\xc9\xff\xff\xff\xff\x01", "not MessagePack"),
        (b"\x81\xa1a\xd6\xff\x00\x00\x00\x00", "not MessagePack"),
        (b"\x81\xa1a" + b"\x91" * 200_000, "not MessagePack"),
        (b"\x81\xa1a" + b"\x91" * 500 + b"\xc0", "nested too deep"),
        (bytes(MAX_MAP_BYTES + 1), f"expected at most {MAX_MAP_BYTES}"),
    ],
)
def test_golden_defects(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_map(data, "thing")


def test_depth_is_bounded_where_it_says() -> None:
    nested: object = 1
    for _ in range(MAX_DEPTH - 2):
        nested = [nested]
    parse_map(msgpack.packb({"a": nested}), "thing")
    with pytest.raises(ProtocolError, match="nested too deep"):
        parse_map(msgpack.packb({"a": [nested]}), "thing")


@pytest.mark.parametrize(
    ("value", "read", "says"),
    [
        (None, READS[0], "'a' is missing, expected an integer from 0 to 9"),
        (True, READS[0], "bool True"),
        (10, READS[0], "int 10"),
        (1.0, READS[0], "float 1.0"),
        (True, READS[1], "bool True"),
        (float("nan"), READS[1], "float nan"),
        (float("inf"), READS[1], "float inf"),
        (1, READS[2], "expected true or false"),
        ("abcdef", READS[3], "str of length 6, expected a text of at most 5"),
        (b"abc", READS[3], "bytes of length 3"),
        ("abc", READS[4], "str of length 3, expected binary of 1 to 5"),
        (b"", READS[4], "bytes of length 0"),
        (b"1234567", READS[5], "expected binary of 8 bytes"),
        (b"123456789", READS[6], "a multiple of 8"),
        (b"x" * 32, READS[6], "binary of 0 to 24"),
        ([1, 2, 3, 4], READS[7], "an array of at most 3"),
        ([{"b": 1}, 5], READS[8], r"'a\[1\]' is int 5, expected a map"),
        ({"123456": 1}, READS[9], "at most 5 letters"),
    ],
)
def test_golden_fields(value: object, read: Callable[[Fields], object], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        read(Fields("thing", {"a": value}))


def test_sound_fields_read() -> None:
    data = build_map(
        {"a": 5, "b": 2.5, "c": True, "d": "xin chào", "e": b"12345678abcdefgh", "f": [{"g": 1}], "h": None}
    )
    fields = parse_map(data, "thing")
    assert (fields.integer("a", 0, 9), fields.number("b", 0, 9), fields.number("a", 0, 9)) == (5, 2.5, 5.0)
    assert fields.flag("c") is True
    assert fields.text("d", 8) == "xin chào"
    assert fields.idents("e", 2) == ("3132333435363738", "6162636465666768")
    assert fields.maps("f", 1)[0].integer("g", 0, 1) == 1
    assert (fields.has("a"), fields.has("h"), fields.has("i")) == (True, False, False)
