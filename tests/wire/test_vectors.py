"""The test vectors of docs/protocol.md: still what the code makes, and enough for a vendor.

`Vendor` is written from the tables of that page alone, with nothing of ours but the key library: if it
disagrees, the page is wrong or the code is.
"""

import base64
import hashlib
import json
import re
import runpy
import struct
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loa.errors import ProtocolError, RefusedError
from loa.trust.grants import ChainStore, Role, verify_chain
from loa.trust.keys import VerifyKey
from loa.trust.statements import Revocations, open_statement, parse_statement
from loa.wire.control import build_control, parse_control
from loa.wire.datagram import Start, parse_datagram
from loa.wire.rank import BroadcastClass, Rank
from loa.wire.report import State

HERE = Path(__file__).parent
VECTORS: dict[str, Any] = json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))
PLACES: dict[str, str] = VECTORS["places"]
ANCESTRY = tuple(PLACES.values())
PUBLIC = {name: bytes.fromhex(key["public"]) for name, key in VECTORS["keys"].items()}
NOW_US: int = VECTORS["now_us"]


def test_the_file_is_what_the_script_makes() -> None:
    made = runpy.run_path(str(HERE / "make_vectors.py"))["text"]()
    assert made == (HERE / "vectors.json").read_text(encoding="utf-8")


def test_the_page_shows_the_vectors_as_they_are() -> None:
    joined = PAGE.replace("\n", "").replace(" ", "")
    assert VECTORS["enrolment"]["code"] in PAGE
    assert VECTORS["enrolment"]["invitation"] in PAGE
    assert VECTORS["datagrams"]["end"] in joined
    assert VECTORS["grants"]["session"] in joined


PAGE = (HERE.parents[1] / "docs" / "protocol.md").read_text(encoding="utf-8")


def names_in(value: object) -> set[str]:
    """All names of all maps in a value."""
    match value:
        case dict():
            return {str(name) for name in value}.union(*map(names_in, value.values()))
        case list():
            return set[str]().union(*map(names_in, value))
    return set()


def test_the_page_names_every_field_and_every_kind() -> None:
    statements = [msgpack.unpackb(bytes.fromhex(one)) for one in VECTORS["statements"].values()]
    messages = [msgpack.unpackb(bytes.fromhex(one["hex"])) for one in VECTORS["control"]]
    claims = json.loads(base64.urlsafe_b64decode(VECTORS["grants"]["session"].split(".")[1] + "=="))
    named = names_in([*statements, *messages, claims]) | {message["k"] for message in messages}
    named |= names_in([msgpack.unpackb(one["payload"]) for one in statements])
    named |= (
        {one["kind"] for one in statements} | {state.value for state in State} | {role.value for role in Role}
    )
    assert {name for name in named if f"`{name}`" not in PAGE} == set()


def test_the_page_names_every_reason_to_refuse() -> None:
    sources = [path for room in ("trust", "wire") for path in (HERE.parents[1] / room).glob("*.py")]
    reasons = {
        reason
        for path in sources
        for reason in re.findall(r'RefusedError\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert len(reasons) > 10
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} == set()


class Vendor:
    """A speaker's verification, from the page."""

    def __init__(self, root_fingerprint: bytes, roots: list[bytes]) -> None:
        self.roots = [root for root in roots if self.sha256(root)[:10] == root_fingerprint]

    def sha256(self, data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def key_id(self, raw: bytes) -> str:
        return str(self.sha256(raw)[:8].hex())

    def verified(self, raw: bytes, signature: bytes, data: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def grant(self, token: str, issuer: bytes) -> dict[str, Any]:
        header, claims, signature = token.split(".")
        assert base64.urlsafe_b64decode(header + "==") == b'{"alg":"Ed25519","typ":"loa-grant+jwt"}'
        assert self.verified(
            issuer, base64.urlsafe_b64decode(signature + "=="), f"{header}.{claims}".encode()
        )
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert found["iss"] == self.key_id(issuer)
        assert found["nbf"] - 60 <= NOW_US / 1e6 < found["exp"]
        assert found["plc"] == ["*"] or set(found["plc"]) & set(ANCESTRY)
        return found

    def session_key(self, upper: list[str], token: str) -> bytes:
        key = self.roots[0]
        for link in (*upper, token):
            key = base64.urlsafe_b64decode(self.grant(link, key)["sub"] + "==")
        return key

    def audio(self, part: bytes) -> tuple[int, int, list[bytes]]:
        sequence, media_us, codec, count = struct.unpack_from(">IQBB", part)
        assert codec == 1
        frames, at = [], 14
        for _ in range(count):
            (size,) = struct.unpack_from(">H", part, at)
            frames.append(part[at + 2 : at + 2 + size])
            at += 2 + size
        assert at == len(part)
        return sequence, media_us, frames

    def start(self, data: bytes, upper: list[str]) -> dict[str, Any]:
        signed, signature = data[:-64], data[-64:]
        magic, version, kind, flags, program = struct.unpack_from(">BBBB8s", signed)
        assert (magic, version, kind) == (0xC1, 1, 1)
        broadcast, cls, detail, level, count, started_us, expires_us, size = struct.unpack_from(
            ">8sBBBBQQH", signed, 12
        )
        at = 42
        if count == 255:
            targets: Any = signed[at : at + 32].hex()
            at += 32
        else:
            targets = [signed[at + 8 * n : at + 8 * n + 8].hex() for n in range(count)]
            at += 8 * count
        token = signed[at : at + size].decode("ascii")
        assert self.verified(self.session_key(upper, token), signature, signed)
        return {
            "flags": flags,
            "program": program.hex(),
            "broadcast": broadcast.hex(),
            "rank": (cls, detail, level, started_us),
            "expires_us": expires_us,
            "targets": targets,
            "audio": self.audio(signed[at + size :]),
        }


@pytest.fixture
def vendor() -> Vendor:
    return Vendor(bytes.fromhex(VECTORS["enrolment"]["root_fingerprint"]), list(PUBLIC.values()))


UPPER = [VECTORS["grants"][role] for role in ("root", "authority", "node")]


def test_a_vendor_believes_the_root_of_its_code(vendor: Vendor) -> None:
    assert vendor.roots == [PUBLIC["root"]]
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = 0
    for letter in VECTORS["enrolment"]["code"].replace("-", "")[:32]:
        number = number * 32 + alphabet.index(letter)
    body = number.to_bytes(20, "big")
    assert body.hex() == VECTORS["enrolment"]["secret"] + VECTORS["enrolment"]["root_fingerprint"]
    check = int.from_bytes(vendor.sha256(b"loa-code\0" + body)[:2], "big") >> 6
    assert VECTORS["enrolment"]["code"][-2:] == alphabet[check >> 5] + alphabet[check & 31]
    assert vendor.sha256(b"loa-enrol\0" + body[:10]).hex() == VECTORS["enrolment"]["stored"]


def test_a_vendor_verifies_a_start(vendor: Vendor) -> None:
    start = vendor.start(bytes.fromhex(VECTORS["datagrams"]["start"]), UPPER)
    assert start["targets"] == [PLACES["commune"], PLACES["hamlet"]]
    assert start["rank"] == (3, 4, 14, NOW_US - 12_345)
    assert start["audio"][:2] == (7, NOW_US)
    assert [frame.hex() for frame in start["audio"][2]] == VECTORS["heard"]["packets"]
    hashed = vendor.start(bytes.fromhex(VECTORS["datagrams"]["start, targets by hash, no audio"]), UPPER)
    assert hashed["targets"] == vendor.sha256(bytes.fromhex(PLACES["commune"])).hex()
    assert hashed["audio"][2] == []


def test_a_vendor_verifies_audio_and_end(vendor: Vendor) -> None:
    key = vendor.session_key(UPPER, VECTORS["grants"]["session"])
    assert key == PUBLIC["session"]
    audio = bytes.fromhex(VECTORS["datagrams"]["audio"])
    assert vendor.verified(key, audio[-64:], audio[:-64])
    assert audio[:4] == b"\xc1\x01\x02\x00"
    assert vendor.audio(audio[12:-64])[:2] == (8, NOW_US + 60_000)
    end = bytes.fromhex(VECTORS["datagrams"]["end"])
    assert vendor.verified(key, end[-64:], end[:-64])
    fields = struct.unpack(">BBBB8s8sIQB", end[:-64])
    assert fields == (0xC1, 1, 3, 0, b"\x55" * 8, b"\x44" * 8, 8, NOW_US + 120_000, 2)


def test_a_vendor_attaches(vendor: Vendor) -> None:
    token, cookie = bytes(range(16)), bytes(range(16, 32))
    assert VECTORS["datagrams"]["probe"] == (b"\xc1\x01\x10\x00" + token + bytes(44)).hex()
    assert VECTORS["datagrams"]["cookie"] == (b"\xc1\x01\x11\x00" + cookie).hex()
    assert VECTORS["datagrams"]["confirm"] == (b"\xc1\x01\x12\x00" + token + cookie).hex()
    assert VECTORS["datagrams"]["attached"] == (b"\xc1\x01\x13\x00" + cookie).hex()


def test_a_vendor_reads_statements_and_signs_its_hello(vendor: Vendor) -> None:
    placed = msgpack.unpackb(bytes.fromhex(VECTORS["statements"]["placement"]))
    assert placed["key"].hex() == vendor.key_id(PUBLIC["node"])
    assert vendor.verified(PUBLIC["node"], placed["sig"], b"loa-placement\0" + placed["payload"])
    placement = msgpack.unpackb(placed["payload"])
    assert placement["ancestry"].hex() == "".join(ANCESTRY)
    assert (placement["latency_ms"], placement["profile"], placement["version"]) == (400, "wan", 3)
    control = {one["message"]: msgpack.unpackb(bytes.fromhex(one["hex"])) for one in VECTORS["control"]}
    challenge, hello, time = control["Challenge"], control["Hello"], control["TimeReply"]
    assert (challenge["k"], hello["k"], time["k"]) == ("challenge", "hello", "time")
    asked = b"loa-hello\0" + challenge["nonce"] + challenge["node"]
    assert vendor.verified(PUBLIC["speaker"], hello["sig"], asked)
    told = b"loa-time\0" + struct.pack(">QQQ", time["t1"], time["t2"], time["t3"]) + time["clock"]
    assert vendor.verified(PUBLIC["node"], time["sig"], told)
    assert (asked.hex(), told.hex()) == (VECTORS["signed"]["hello"], VECTORS["signed"]["time"])


def test_a_vendor_reads_new_roots_and_what_was_revoked(vendor: Vendor) -> None:
    told = {
        kind: msgpack.unpackb(bytes.fromhex(VECTORS["statements"][kind])) for kind in ("roots", "revoked")
    }
    roots, revoked = (msgpack.unpackb(one["payload"]) for one in told.values())
    assert vendor.verified(PUBLIC["root"], told["roots"]["sig"], b"loa-roots\0" + told["roots"]["payload"])
    assert (roots["version"], roots["roots"]) == (1, PUBLIC["root"] + PUBLIC["root2"])
    signed = b"loa-revoked\0" + told["revoked"]["payload"]
    assert vendor.verified(PUBLIC["authority"], told["revoked"]["sig"], signed)
    subject, serial = struct.unpack(">8sQ", revoked["revoked"])
    assert (revoked["version"], subject.hex(), serial) == (6, vendor.key_id(PUBLIC["node"]), 1)


def test_a_vendor_computes_what_it_heard(vendor: Vendor) -> None:
    packets = [bytes.fromhex(packet) for packet in VECTORS["heard"]["packets"]]
    assert vendor.sha256(b"".join(map(vendor.sha256, packets))).hex() == VECTORS["heard"]["digest"]
    report = msgpack.unpackb(bytes.fromhex(VECTORS["control"][-3]["hex"]))
    assert report["heard"][0]["digest"].hex() == VECTORS["heard"]["digest"]


def test_our_own_parsers_agree() -> None:
    roots = {VECTORS["keys"]["root"]["key_id"]: VerifyKey(PUBLIC["root"])}
    chain = verify_chain([*UPPER, VECTORS["grants"]["session"]], roots, ANCESTRY, NOW_US)
    for name in ("start", "start, targets by hash, no audio", "audio", "end"):
        parsed = parse_datagram(bytes.fromhex(VECTORS["datagrams"][name]))
        assert chain.subject.verify(parsed.signature, parsed.signed)
    for name, data in VECTORS["statements"].items():
        signer = {"roots": "root", "revoked": "authority"}.get(name, "node")
        assert open_statement(parse_statement(bytes.fromhex(data)), VerifyKey(PUBLIC[signer])), name
    for one in VECTORS["control"]:
        message = parse_control(bytes.fromhex(one["hex"]))
        assert type(message).__name__ == one["message"]
        assert build_control(message).hex() == one["hex"]


def test_a_revoked_start_is_refused() -> None:
    store = ChainStore({VECTORS["keys"]["root"]["key_id"]: VerifyKey(PUBLIC["root"])})
    for token in UPPER:
        store.learn(token)
    authority = VerifyKey(PUBLIC["authority"])
    listed = open_statement(parse_statement(bytes.fromhex(VECTORS["statements"]["revoked"])), authority)
    assert isinstance(listed, Revocations)
    store.revoke(authority, listed)
    with pytest.raises(RefusedError) as caught:
        store.verify_session(VECTORS["grants"]["session"], NOW_US, ANCESTRY)
    assert caught.value.reason == "revoked"


def test_ranks_fall() -> None:
    rows = VECTORS["ranks"]
    keys = []
    for row in rows:
        rank = Rank(
            BroadcastClass(row["class"]), row["detail"], row["level"], row["started_us"], row["position"]
        )
        assert rank.key == row["key"]
        keys.append(rank.key)
    assert keys == sorted(set(keys), reverse=True)


def judged(data: bytes) -> str:
    """What a speaker at the hamlet does with it: the checks of the page, in its order."""
    store = ChainStore({VECTORS["keys"]["root"]["key_id"]: VerifyKey(PUBLIC["root"])})
    for token in UPPER:
        store.learn(token)
    try:
        parsed = parse_datagram(data)
        start = parsed.message
        assert isinstance(start, Start)
        session = store.verify_session(start.grant, NOW_US, ANCESTRY)
    except ProtocolError:
        return "malformed"
    except RefusedError as error:
        return error.reason
    if start.level > session.level or start.cls > session.max_class:
        return "level"
    if not set(start.targets) & set(ANCESTRY):
        return "territory"
    if start.expires_us <= NOW_US:
        return "expired"
    return "plays" if session.subject.verify(parsed.signature, parsed.signed) else "signature"


@pytest.mark.parametrize("row", VECTORS["refused"], ids=lambda row: str(row["why"]))
def test_what_must_be_refused(row: dict[str, str]) -> None:
    assert judged(bytes.fromhex(row["hex"])) == row["reason"]


def test_the_sound_start_plays() -> None:
    assert judged(bytes.fromhex(VECTORS["datagrams"]["start"])) == "plays"
