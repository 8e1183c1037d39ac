"""Messages of the control link: MessagePack maps whose "k" names the kind, over a WebSocket
(docs/protocol.md).

Laws: what the other end may not abuse travels as a signed statement, opened elsewhere; unknown fields are
ignored; an unknown kind is a value, `UnknownKind`, that the receiver answers with `Problem` and nothing
else; sizes, counts and depth are bounded; ProtocolError is the parser's only error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import ProtocolError
from ..trust.fields import MAX_ITEMS, MAX_MAP_BYTES, Fields, build_map, parse_map
from ..trust.ids import id_bytes
from ..trust.keys import SIGNATURE_BYTES
from ..trust.statements import TIME_MAX_US, Statement, build_statement, parse_statement
from ..trust.tokens import MAX_TOKEN_BYTES
from .report import Report, Transport, read_report, report_map

VERSIONS = (1,)
"""What this build speaks."""
MAX_CONTROL_BYTES = MAX_MAP_BYTES
MAX_UPLINK_BYTES = 32 * 1024
"""From a speaker: a full report has 64 stretches of about 200 bytes."""
MAX_CHAIN = 32
MAX_EDGES = 8
MAX_TARGET_LIST = MAX_ITEMS
NONCE_BYTES = 32
TOKEN_BYTES = 16
TEXT_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Challenge:
    """First word of the node. `versions`: what it speaks."""

    nonce: bytes
    node: str
    versions: tuple[int, ...] = VERSIONS


@dataclass(frozen=True, slots=True)
class Hello:
    """`signature`: by the speaker's key over `hello_bytes(nonce, node)`."""

    speaker: str
    versions: tuple[int, ...]
    signature: bytes
    software: str
    audio_output: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """`udp`: edges to attach to, best first; an empty host is that of the link. `chain`: root..node, and
    others needed.
    """

    version: int
    placement: Statement
    chain: tuple[str, ...]
    udp: tuple[tuple[str, int], ...]
    token: bytes = field(repr=False)
    clock_id: str
    report_s: int


@dataclass(frozen=True, slots=True)
class Placed:
    placement: Statement


@dataclass(frozen=True, slots=True)
class TimeAsk:
    """`t1` is a random 63-bit number: the speaker notes when it sent it."""

    t1: int


@dataclass(frozen=True, slots=True)
class TimeReply:
    """`signature`: by `key_id` (right "time") over `time_reply_bytes(t1, t2, t3, clock_id)`."""

    t1: int
    t2: int
    t3: int
    clock_id: str
    signature: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Grants that will be needed, upper links first."""

    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """A list of places whose hash a start will carry."""

    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    statement: Statement


@dataclass(frozen=True, slots=True)
class Order:
    statement: Statement


@dataclass(frozen=True, slots=True)
class Roots:
    """Which roots are pinned from now on (`RootsOrder`)."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class Revoked:
    """All that one issuer has revoked (`Revocations`)."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class Via:
    """How the speaker wants its datagrams from now on, and why."""

    transport: Transport
    why: str = ""


@dataclass(frozen=True, slots=True)
class Want:
    """`kind` "targets" with the 32-byte hash of a list; "chain" with the 8 bytes of a key id that is not
    known.
    """

    kind: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Bye:
    """The link ends; come back after `retry_s`."""

    reason: str
    retry_s: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    what: str
    where: str
    expected: str


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """Parsed only: a message of a later version."""

    kind: str


Control = (
    Challenge
    | Hello
    | Welcome
    | Placed
    | TimeAsk
    | TimeReply
    | Chain
    | Targets
    | Volume
    | Order
    | Roots
    | Revoked
    | Via
    | Want
    | Report
    | Bye
    | Problem
    | UnknownKind
)


def hello_bytes(nonce: bytes, node: str) -> bytes:
    """What a speaker signs: the node's nonce, and which node asked, so that no other can pass the answer
    on.
    """
    return b"loa-hello\0" + nonce + id_bytes(node)


def build_control(message: Control) -> bytes:
    kind, content = _content(message)
    return build_map({"k": kind, **content})


def parse_control(data: bytes, most_bytes: int = MAX_CONTROL_BYTES) -> Control:
    fields = parse_map(data, "control message", most_bytes)
    kind = fields.text("k", 32)
    reader = _READERS.get(kind)
    if reader is None:
        return UnknownKind(kind)
    fields.what = kind
    return reader(fields)


def _content(message: Control) -> tuple[str, Mapping[str, object]]:
    match message:
        case Challenge(nonce, node, versions):
            return "challenge", {"nonce": nonce, "node": id_bytes(node), "versions": versions}
        case Hello():
            return "hello", _hello_map(message)
        case Welcome():
            return "welcome", _welcome_map(message)
        case Placed(statement):
            return "placed", {"statement": build_statement(statement)}
        case TimeAsk(t1):
            return "time?", {"t1": t1}
        case TimeReply():
            return "time", _time_map(message)
        case Chain(grants):
            return "chain", {"grants": grants}
        case Targets(places):
            return "targets", {"places": b"".join(map(id_bytes, places))}
        case Volume(statement):
            return "volume", {"statement": build_statement(statement)}
        case Order(statement):
            return "order", {"statement": build_statement(statement)}
        case Roots(statement):
            return "roots", {"statement": build_statement(statement)}
        case Revoked(statement):
            return "revoked", {"statement": build_statement(statement)}
        case Via(transport, why):
            return "via", {"transport": transport.value, "why": why[:TEXT_LETTERS]}
        case Want(kind, digest):
            return "want", {"kind": kind, "hash": digest}
        case Report():
            return "report", report_map(message)
        case Bye(reason, retry_s):
            return "bye", {"reason": reason[:TEXT_LETTERS], "retry_s": retry_s}
        case Problem(what, where, expected):
            texts = {"what": what, "where": where, "expected": expected}
            return "problem", {name: text[:TEXT_LETTERS] for name, text in texts.items()}
        case UnknownKind(kind):
            raise ValueError(f"a message of unknown kind {kind!r} is only ever received")


def _hello_map(hello: Hello) -> dict[str, object]:
    return {
        "speaker": id_bytes(hello.speaker),
        "versions": hello.versions,
        "sig": hello.signature,
        "software": hello.software[:TEXT_LETTERS],
        "output": hello.audio_output[:TEXT_LETTERS],
    }


def _welcome_map(welcome: Welcome) -> dict[str, object]:
    return {
        "version": welcome.version,
        "placement": build_statement(welcome.placement),
        "chain": welcome.chain,
        "udp": welcome.udp,
        "token": welcome.token,
        "clock": id_bytes(welcome.clock_id),
        "report_s": welcome.report_s,
    }


def _time_map(reply: TimeReply) -> dict[str, object]:
    return {
        "t1": reply.t1,
        "t2": reply.t2,
        "t3": reply.t3,
        "clock": id_bytes(reply.clock_id),
        "sig": reply.signature,
        "key": id_bytes(reply.key_id),
    }


def _read_challenge(fields: Fields) -> Challenge:
    return Challenge(fields.raw("nonce", NONCE_BYTES, NONCE_BYTES), fields.ident("node"), _versions(fields))


def _read_hello(fields: Fields) -> Hello:
    return Hello(
        fields.ident("speaker"),
        _versions(fields),
        fields.raw("sig", SIGNATURE_BYTES, SIGNATURE_BYTES),
        fields.text("software", TEXT_LETTERS),
        fields.text("output", TEXT_LETTERS),
    )


def _read_welcome(fields: Fields) -> Welcome:
    return Welcome(
        fields.integer("version", 1, 255),
        _statement(fields, "placement"),
        _tokens(fields, "chain"),
        tuple(_edge(item) for item in fields.items("udp", MAX_EDGES)),
        fields.raw("token", TOKEN_BYTES, TOKEN_BYTES),
        fields.ident("clock"),
        fields.integer("report_s", 1, 86_400),
    )


def _read_time(fields: Fields) -> TimeReply:
    t1, t2, t3 = (fields.integer(name, 0, TIME_MAX_US) for name in ("t1", "t2", "t3"))
    signature = fields.raw("sig", SIGNATURE_BYTES, SIGNATURE_BYTES)
    return TimeReply(t1, t2, t3, fields.ident("clock"), signature, fields.ident("key"))


def _versions(fields: Fields) -> tuple[int, ...]:
    versions = fields.items("versions", 16)
    if not versions:
        raise ProtocolError(f"{fields.what}: versions is empty, expected at least one")
    return tuple(_version(fields, item) for item in versions)


def _version(fields: Fields, item: object) -> int:
    if type(item) is not int or not 1 <= item <= 255:
        raise ProtocolError(f"{fields.what}: a version is {str(item)[:40]}, expected 1 to 255")
    return item


def _edge(item: object) -> tuple[str, int]:
    match item:
        case [str(host), int(port)] if len(host) <= 253 and 1 <= port <= 65_535 and port is not True:
            return host, port
    raise ProtocolError(f"welcome: udp holds {str(item)[:60]}, expected [host, port]")


def _tokens(fields: Fields, name: str) -> tuple[str, ...]:
    tokens: list[str] = []
    for item in fields.items(name, MAX_CHAIN):
        if not isinstance(item, str) or len(item) > MAX_TOKEN_BYTES:
            raise ProtocolError(f"{fields.what}: {name} holds no token of at most {MAX_TOKEN_BYTES} letters")
        tokens.append(item)
    return tuple(tokens)


def _statement(fields: Fields, name: str = "statement") -> Statement:
    return parse_statement(fields.raw(name, 1, MAX_CONTROL_BYTES))


_READERS: Mapping[str, Callable[[Fields], Control]] = {
    "challenge": _read_challenge,
    "hello": _read_hello,
    "welcome": _read_welcome,
    "placed": lambda fields: Placed(_statement(fields)),
    "time?": lambda fields: TimeAsk(fields.integer("t1", 0, TIME_MAX_US)),
    "time": _read_time,
    "chain": lambda fields: Chain(_tokens(fields, "grants")),
    "targets": lambda fields: Targets(fields.idents("places", MAX_TARGET_LIST)),
    "volume": lambda fields: Volume(_statement(fields)),
    "order": lambda fields: Order(_statement(fields)),
    "roots": lambda fields: Roots(_statement(fields)),
    "revoked": lambda fields: Revoked(_statement(fields)),
    "via": lambda fields: Via(fields.choice("transport", Transport), fields.text("why", TEXT_LETTERS)),
    "want": lambda fields: Want(fields.text("kind", 16), fields.raw("hash", 0, 32)),
    "report": read_report,
    "bye": lambda fields: Bye(fields.text("reason", TEXT_LETTERS), fields.integer("retry_s", 0, 86_400)),
    "problem": lambda fields: Problem(
        *(fields.text(name, TEXT_LETTERS) for name in ("what", "where", "expected"))
    ),
}
