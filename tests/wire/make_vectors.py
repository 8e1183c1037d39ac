"""Makes vectors.json, the test vectors of docs/protocol.md: `python tests/wire/make_vectors.py`.

Everything follows from fixed seeds, and Ed25519 signatures are deterministic, so the file is the same each
time; test_vectors.py makes it again and compares.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from loa.trust.enrol import Code, Invitation, hash_secret
from loa.trust.grants import Grant, Role, issue
from loa.trust.keys import SigningKey
from loa.trust.statements import (
    Placement,
    PriorityOrder,
    Revocations,
    Revoked,
    RootsOrder,
    Statement,
    VolumeOrder,
    build_statement,
    sign_statement,
    time_reply_bytes,
)
from loa.trust.tokens import RIGHTS
from loa.wire.control import (
    Bye,
    Chain,
    Challenge,
    Control,
    Hello,
    Order,
    Placed,
    Problem,
    Roots,
    Targets,
    TimeAsk,
    TimeReply,
    Via,
    Volume,
    Want,
    Welcome,
    build_control,
    hello_bytes,
)
from loa.wire.control import Revoked as RevokedMessage
from loa.wire.cookie import make_cookie
from loa.wire.datagram import (
    Attached,
    Audio,
    AudioPart,
    Confirm,
    Cookie,
    End,
    EndReason,
    Probe,
    Start,
    StartFlags,
    build_attach,
    build_audio,
    build_end,
    build_start,
    targets_hash,
)
from loa.wire.rank import BroadcastClass, Rank
from loa.wire.report import Heard, Report, State, Transport

FILE = Path(__file__).with_name("vectors.json")
NOW_US = 1_800_000_000_000_000
DAY_US = 86_400_000_000
NATION, PROVINCE, COMMUNE, HAMLET = (f"{number:016x}" for number in (0xA1, 0xB2, 0xC3, 0xD4))
KEYS = {
    name: SigningKey.from_bytes(bytes([number]) * 32)
    for number, name in enumerate(("root", "authority", "node", "session", "speaker", "root2"), 1)
}
SPEAKER, NODE, CLOCK, BROADCAST, PROGRAM = (character * 16 for character in "12345")
FRAMES = tuple(bytes([value]) * 80 for value in (0x11, 0x22, 0x33))


def grants() -> dict[str, str]:
    """root -> authority (province) -> node (province) -> session (commune)."""
    links = (
        (Role.ROOT, "root", "root", ("*",), RIGHTS, 3, 15),
        (Role.AUTHORITY, "root", "authority", (PROVINCE,), RIGHTS, 3, 14),
        (Role.NODE, "authority", "node", (PROVINCE,), RIGHTS, 3, 14),
        (Role.SESSION, "node", "session", (COMMUNE,), frozenset({"air"}), 3, 14),
    )
    return {
        role.value: issue(
            Grant(
                issuer=KEYS[issuer].public.key_id,
                subject=KEYS[subject].public,
                role=role,
                max_class=cls,
                level=level,
                places=places,
                not_before_us=NOW_US - DAY_US,
                expires_us=NOW_US + DAY_US,
                serial=1,
                rights=rights,
            ),
            KEYS[issuer],
        )
        for role, issuer, subject, places, rights, cls, level in links
    }


def a_start(targets: tuple[str, ...] | bytes, frames: tuple[bytes, ...]) -> Start:
    return Start(
        broadcast=BROADCAST,
        program=PROGRAM,
        cls=BroadcastClass.EMERGENCY,
        detail=4,
        level=14,
        flags=StartFlags.NONE,
        started_us=NOW_US - 12_345,
        expires_us=NOW_US + 600_000_000,
        targets=targets,
        grant=grants()["session"],
        audio=AudioPart(7, NOW_US, frames),
    )


def datagrams() -> dict[str, str]:
    sign = KEYS["session"].sign
    token, cookie = bytes(range(16)), bytes(range(16, 32))
    return {
        "start": build_start(a_start((HAMLET, COMMUNE), FRAMES), sign).hex(),
        "start, targets by hash, no audio": build_start(a_start(targets_hash([COMMUNE]), ()), sign).hex(),
        "audio": build_audio(Audio(PROGRAM, AudioPart(8, NOW_US + 60_000, FRAMES)), sign).hex(),
        "end": build_end(End(BROADCAST, PROGRAM, 8, NOW_US + 120_000, EndReason.STOPPED), sign).hex(),
        "probe": build_attach(Probe(token)).hex(),
        "cookie": build_attach(Cookie(cookie)).hex(),
        "confirm": build_attach(Confirm(token, cookie)).hex(),
        "attached": build_attach(Attached(cookie)).hex(),
    }


def statements() -> dict[str, Statement]:
    key = KEYS["node"]
    return {
        "placement": sign_statement(Placement(SPEAKER, 3, (NATION, PROVINCE, COMMUNE, HAMLET), 400), key),
        "volume": sign_statement(VolumeOrder(COMMUNE, 4, -6.0, -3.0, False), key),
        "order": sign_statement(PriorityOrder(COMMUNE, 5, (BROADCAST,)), key),
        "roots": sign_statement(RootsOrder(1, (KEYS["root"].public, KEYS["root2"].public)), KEYS["root"]),
        "revoked": sign_statement(
            Revocations(6, (Revoked(KEYS["node"].public.key_id, 1),)), KEYS["authority"]
        ),
    }


def heard() -> Heard:
    digest = hashlib.sha256(b"".join(hashlib.sha256(frame).digest() for frame in FRAMES)).digest()
    return Heard(
        BROADCAST, PROGRAM, NOW_US, NOW_US + 40_000, 3, 0, digest, -18.5, NOW_US + 31_000, NOW_US + 400_000
    )


def messages() -> list[Control]:
    nonce, signed = bytes(range(32)), statements()
    chain = tuple(grants()[role] for role in ("root", "authority", "node"))
    t1, t2, t3 = 0x0123456789ABCDEF, NOW_US, NOW_US + 150
    time = KEYS["node"].sign(time_reply_bytes(t1, t2, t3, CLOCK))
    edges = (("edge.example", 5004), ("", 5004))
    hello = KEYS["speaker"].sign(hello_bytes(nonce, NODE))
    return [
        Challenge(nonce, NODE, (1,)),
        Hello(SPEAKER, (1,), hello, "vendor-speaker 1.0", "horn 60 W"),
        Welcome(1, signed["placement"], chain, edges, bytes(range(16)), CLOCK, 5),
        Placed(signed["placement"]),
        TimeAsk(t1),
        TimeReply(t1, t2, t3, CLOCK, time, KEYS["node"].public.key_id),
        Chain(chain[1:]),
        Targets((COMMUNE,)),
        Volume(signed["volume"]),
        Order(signed["order"]),
        Roots(signed["roots"]),
        RevokedMessage(signed["revoked"]),
        Via(Transport.UDP, "attached"),
        Want("targets", targets_hash([COMMUNE])),
        Report(State.SILENT, Transport.UDP),
        Report(
            State.PLAYING, Transport.WS, BROADCAST, PROGRAM, -18.5, 400.0, 900, {"verified": 3}, (heard(),)
        ),
        Bye("restart", 1),
        Problem("unknown kind 'x'", "speaker/link", "a kind of version 1"),
    ]


def refused() -> list[dict[str, str]]:
    """Datagrams that a speaker at the hamlet must not play, and why."""
    session, speaker = KEYS["session"].sign, KEYS["speaker"].sign
    start = a_start((COMMUNE,), FRAMES)
    good = build_start(start, session)
    wide = replace(start, level=15)
    above = replace(start, grant=grants()["node"])
    late = replace(start, started_us=NOW_US - 2_000_000, expires_us=NOW_US - 1_000_000)
    elsewhere = replace(start, targets=("f" * 16,))
    rows = (
        ("one bit of the audio changed", "signature", _flip(good, len(good) - 70)),
        ("one bit of the signature changed", "signature", _flip(good, len(good) - 1)),
        ("signed by a key that the grant does not name", "signature", build_start(start, speaker)),
        ("a level above the grant's", "level", build_start(wide, session)),
        ("a node's grant where a session's is due", "role", build_start(above, session)),
        ("expired a second ago", "expired", build_start(late, session)),
        ("meant for another place", "territory", build_start(elsewhere, session)),
        ("one byte short", "malformed", good[:-1]),
        ("version 2", "malformed", good[:1] + b"\x02" + good[2:]),
    )
    return [{"why": why, "reason": reason, "hex": data.hex()} for why, reason, data in rows]


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def ranks() -> list[dict[str, object]]:
    """From the highest to the lowest."""
    rows = (
        Rank(BroadcastClass.EMERGENCY, 4, 14, NOW_US),
        Rank(BroadcastClass.EMERGENCY, 4, 14, NOW_US - 1),
        Rank(BroadcastClass.EMERGENCY, 4, 12, NOW_US),
        Rank(BroadcastClass.EMERGENCY, 3, 14, NOW_US),
        Rank(BroadcastClass.PRIORITY, 0, 14, NOW_US, 0),
        Rank(BroadcastClass.PRIORITY, 0, 14, NOW_US, 1),
        Rank(BroadcastClass.PRIORITY, 0, 14, NOW_US - 1),
        Rank(BroadcastClass.PRIORITY, 0, 14, NOW_US),
        Rank(BroadcastClass.ORDINARY, 2, 12, NOW_US),
        Rank(BroadcastClass.ORDINARY, 1, 12, NOW_US),
        Rank(BroadcastClass.ORDINARY, 0, 12, NOW_US),
    )
    return [
        {
            "class": rank.cls.value,
            "detail": rank.detail,
            "level": rank.level,
            "started_us": rank.started_us,
            "position": rank.position,
            "key": rank.key,
        }
        for rank in rows
    ]


def vectors() -> dict[str, object]:
    code = Code(bytes(range(10)), KEYS["root"].public.fingerprint)
    secret, address, token = bytes(range(32)), ("203.0.113.7", 5004), bytes(range(16))
    return {
        "now_us": NOW_US,
        "keys": {
            name: {
                "seed": key.private_bytes().hex(),
                "public": key.public.raw.hex(),
                "key_id": key.public.key_id,
            }
            for name, key in KEYS.items()
        },
        "enrolment": {
            "code": code.text(),
            "invitation": Invitation("https://loa.example:8443", code.text()).text(),
            "secret": code.secret.hex(),
            "root_fingerprint": code.root_fingerprint.hex(),
            "stored": hash_secret(code.secret),
        },
        "places": {"nation": NATION, "province": PROVINCE, "commune": COMMUNE, "hamlet": HAMLET},
        "grants": grants(),
        "datagrams": datagrams(),
        "refused": refused(),
        "ranks": ranks(),
        "statements": {name: build_statement(one).hex() for name, one in statements().items()},
        "control": [{"message": type(one).__name__, "hex": build_control(one).hex()} for one in messages()],
        "signed": {
            "hello": hello_bytes(bytes(range(32)), NODE).hex(),
            "time": time_reply_bytes(0x0123456789ABCDEF, NOW_US, NOW_US + 150, CLOCK).hex(),
        },
        "cookie": {
            "secret": secret.hex(),
            "address": f"{address[0]}:{address[1]}",
            "token": token.hex(),
            "cookie": make_cookie(secret, address, token, NOW_US).hex(),
        },
        "targets": {"places": [HAMLET, COMMUNE], "hash": targets_hash([HAMLET, COMMUNE]).hex()},
        "heard": {"packets": [frame.hex() for frame in FRAMES], "digest": heard().digest.hex()},
    }


def text() -> str:
    return json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
