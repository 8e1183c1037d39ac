"""Signed statements: one kind is never another, one key never another's."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError, RefusedError
from loa.trust.fields import build_map
from loa.trust.keys import SigningKey
from loa.trust.statements import (
    Content,
    Placement,
    PriorityOrder,
    Profile,
    Revocations,
    Revoked,
    RootsOrder,
    Statement,
    StatementKind,
    VolumeOrder,
    build_statement,
    open_statement,
    parse_statement,
    read_version,
    sign_statement,
    time_reply_bytes,
)

KEY = SigningKey.from_bytes(b"k" * 32)
OTHER = SigningKey.from_bytes(b"o" * 32)
ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
versions = st.integers(0, 2**53 - 1)
placements = st.builds(
    Placement,
    ids,
    versions,
    st.lists(ids, min_size=1, max_size=16, unique=True).map(tuple),
    st.integers(0, 10_000),
    st.sampled_from(Profile),
)
volumes = st.builds(VolumeOrder, ids, versions, st.floats(-100, 20), st.floats(-100, 20), st.booleans())
orders = st.builds(PriorityOrder, ids, versions, st.lists(ids, max_size=256).map(tuple))
keys = st.sampled_from([SigningKey.from_bytes(bytes([n]) * 32).public for n in range(1, 6)])
roots = st.builds(RootsOrder, versions, st.lists(keys, min_size=1, max_size=3, unique=True).map(tuple))
entries = st.lists(st.builds(Revoked, ids, versions), max_size=256, unique_by=lambda one: one.subject)
revocations = st.builds(Revocations, versions, entries.map(tuple))
contents = placements | volumes | orders | roots | revocations
SOUND = sign_statement(Placement("ab" * 8, 7, ("01" * 8, "02" * 8), 500), KEY)


@given(contents)
def test_what_was_signed_is_read(content: Content) -> None:
    assert (
        open_statement(parse_statement(build_statement(sign_statement(content, KEY))), KEY.public) == content
    )


@given(contents, st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_refused(content: Content, at: int, change: int) -> None:
    data = bytearray(build_statement(sign_statement(content, KEY)))
    data[at % len(data)] ^= change
    with pytest.raises((ProtocolError, RefusedError)):
        open_statement(parse_statement(bytes(data)), KEY.public)


@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_statement(data)


def test_another_key_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        open_statement(SOUND, OTHER.public)
    assert caught.value.reason == "key"
    with pytest.raises(RefusedError) as caught:
        open_statement(replace(SOUND, key_id=OTHER.public.key_id), OTHER.public)
    assert caught.value.reason == "signature"


@pytest.mark.parametrize("kind", [kind for kind in StatementKind if kind is not StatementKind.PLACEMENT])
def test_a_kind_cannot_pass_for_another(kind: StatementKind) -> None:
    with pytest.raises(RefusedError) as caught:
        open_statement(replace(SOUND, kind=kind), KEY.public)
    assert caught.value.reason == "signature"


def test_a_time_reply_is_no_statement_and_binds_all_it_says() -> None:
    clock = "0123456789abcdef"
    signed = time_reply_bytes(1, 2, 3, clock)
    assert signed == bytes.fromhex(
        "6c6f612d74696d6500" + "00" * 7 + "01" + "00" * 7 + "02" + "00" * 7 + "03" + clock
    )
    assert len({signed, *(time_reply_bytes(*t, clock) for t in ((0, 2, 3), (1, 0, 3), (1, 2, 0)))}) == 4
    assert time_reply_bytes(1, 2, 3, "f" * 16) != signed
    forged = Statement(
        StatementKind.PLACEMENT, signed[len(b"loa-time\0") :], KEY.public.key_id, KEY.sign(signed)
    )
    with pytest.raises(RefusedError):
        open_statement(forged, KEY.public)


def _signed(kind: StatementKind, payload: bytes) -> Statement:
    """A payload that no builder of ours makes, under a good signature."""
    return Statement(
        kind, payload, KEY.public.key_id, KEY.sign(b"loa-" + kind.value.encode() + b"\0" + payload)
    )


PLACED = {
    "speaker": b"s" * 8,
    "version": 1,
    "ancestry": b"a" * 8 + b"b" * 8,
    "latency_ms": 1,
    "profile": "wan",
}
LOUD = {"target": b"t" * 8, "version": 1, "volume_db": -3, "emergency_floor_db": 0.0, "muted": False}
ORDERED = {"place": b"p" * 8, "version": 1, "broadcasts": b""}


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        (StatementKind.PLACEMENT, PLACED | {"ancestry": b""}, "ancestry is empty"),
        (StatementKind.PLACEMENT, PLACED | {"ancestry": b"a" * 16}, "names a place twice"),
        (StatementKind.PLACEMENT, PLACED | {"ancestry": b"a" * 9}, "multiple of 8"),
        (StatementKind.PLACEMENT, PLACED | {"ancestry": bytes(range(136))}, "binary of 0 to 128"),
        (StatementKind.PLACEMENT, PLACED | {"latency_ms": -1}, "latency_ms"),
        (StatementKind.PLACEMENT, PLACED | {"latency_ms": 10_001}, "latency_ms"),
        (StatementKind.PLACEMENT, PLACED | {"profile": "moon"}, "expected one of wan, lan"),
        (StatementKind.PLACEMENT, PLACED | {"version": 2**53}, "version"),
        (StatementKind.PLACEMENT, {"ancestry": b"a" * 8, "profile": "lan"}, "speaker"),
        (StatementKind.VOLUME, LOUD | {"volume_db": 21}, "volume_db"),
        (StatementKind.VOLUME, LOUD | {"emergency_floor_db": float("nan")}, "emergency_floor_db"),
        (StatementKind.VOLUME, LOUD | {"muted": 1}, "muted"),
        (StatementKind.ORDER, ORDERED | {"broadcasts": b"x" * 8 * 257}, "broadcasts"),
        (StatementKind.ORDER, ORDERED | {"place": "p" * 8}, "place"),
    ],
)
def test_golden_payload_defects(kind: StatementKind, fields: dict[str, object], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        open_statement(_signed(kind, build_map(fields)), KEY.public)


def test_fields_of_later_versions_are_ignored() -> None:
    placement = open_statement(
        _signed(StatementKind.PLACEMENT, build_map(PLACED | {"colour": [1, 2]})), KEY.public
    )
    assert isinstance(placement, Placement)
    assert placement.ancestry == (b"a".hex() * 8, b"b".hex() * 8)


@pytest.mark.parametrize("field", ["kind", "payload", "key", "sig"])
def test_a_statement_lacks_nothing(field: str) -> None:
    whole = {"kind": "volume", "payload": b"x", "key": b"k" * 8, "sig": b"s" * 64}
    parse_statement(build_map(whole))
    with pytest.raises(ProtocolError, match=field):
        parse_statement(build_map({name: value for name, value in whole.items() if name != field}))
    with pytest.raises(ProtocolError, match=field):
        parse_statement(build_map(whole | {field: b""}))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (StatementKind.ROOTS, {"roots": b""}),
        (StatementKind.ROOTS, {"roots": KEY.public.raw * 2}),
        (StatementKind.ROOTS, {"roots": bytes(32)}),
        (StatementKind.ROOTS, {"roots": KEY.public.raw[:31]}),
        (StatementKind.ROOTS, {"roots": b"".join(bytes([n]) * 32 for n in range(3, 7))}),
        (StatementKind.REVOKED, {"revoked": bytes(15)}),
        (StatementKind.REVOKED, {"revoked": bytes(32)}),
        (StatementKind.REVOKED, {"revoked": bytes(16 * 257)}),
        (StatementKind.REVOKED, {"revoked": [1]}),
        (StatementKind.REVOKED, {"revoked": b"", "version": -1}),
    ],
)
def test_signed_nonsense_about_trust_is_a_protocol_error(
    kind: StatementKind, fields: dict[str, object]
) -> None:
    payload = build_map({"version": 1, **fields})
    signature = KEY.sign(b"loa-" + kind.value.encode() + b"\0" + payload)
    with pytest.raises(ProtocolError):
        open_statement(Statement(kind, payload, KEY.public.key_id, signature), KEY.public)


def test_a_full_list_of_revoked_keys_fits() -> None:
    full = Revocations(2**53 - 1, tuple(Revoked(f"{n:016x}", 2**53 - 1) for n in range(256)))
    assert open_statement(parse_statement(build_statement(sign_statement(full, KEY))), KEY.public) == full


@pytest.mark.parametrize("count", [0, 4])
def test_there_are_one_to_three_roots(count: int) -> None:
    made = tuple(SigningKey.generate().public for _ in range(count))
    with pytest.raises(ValueError, match="expected 1 to 3"):
        RootsOrder(1, made)


def test_a_version_can_be_read_without_being_believed() -> None:
    forged = replace(SOUND, signature=bytes(64))
    assert read_version(forged) == 7
    with pytest.raises(ProtocolError):
        read_version(replace(SOUND, payload=b"\x80"))
