"""The words of a WHIP or WHEP call: what is needed of an SDP offer (RFC 8866, RFC 8829), and its answer.

Laws: parsing takes any text and raises nothing but ProtocolError; only what one stream of sound needs is
read; the answer accepts one audio section with Opus and refuses every other (RFC 3264, section 6). Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from ..errors import OperatorError, ProtocolError
from .rtp import cname

MAX_OFFER_BYTES = 64 * 1024
"""Browsers offer 2 to 8 KB."""

MAX_SECTIONS = 16
OPUS = "opus/48000/2"
"""RFC 7587, section 7: always named so, mono included."""

_FINGERPRINTS = ("sha-256", "sha-384", "sha-512")
_RECEIVED_AS = (
    # Mono, since loudspeakers are; no sparse sending, so that silence is told from absence; 64 kb/s, since
    # it is decoded and encoded again; no in-band repair, which costs delay to use.
    "minptime=20;ptime=20;maxptime=20;stereo=0;sprop-stereo=0;usedtx=0;useinbandfec=0;maxaveragebitrate=64000"
)
_SENT_AS = "minptime=20;stereo=0;sprop-stereo=0;usedtx=0;useinbandfec=0"
"""What the packets of every program are."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A hash of the certificate that an end will show: `algorithm` as "sha-256", `value` as "AA:BB:..."."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """One media section: `kind` audio, video, application; `opus` is the payload type, None without Opus."""

    kind: str
    protocol: str
    formats: tuple[str, ...]
    mid: str | None
    opus: int | None
    sends: bool
    receives: bool
    rtcp_mux: bool
    setup: str | None
    ufrag: str | None
    password: str | None = field(repr=False)
    fingerprints: tuple[Fingerprint, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    sections: tuple[Section, ...]
    bundled: bool


@dataclass(frozen=True, slots=True)
class Call:
    """What was accepted of an offer: everything an answer and a transport need, checked."""

    offer: Offer
    index: int
    payload_type: int
    ufrag: str
    fingerprints: tuple[Fingerprint, ...]
    active: bool
    """True when our side begins the DTLS handshake."""
    to_them: bool = False
    """Our side sends the sound, and the caller listens."""


def parse_offer(text: str) -> Offer:
    """Read an offer. Says nothing yet about whether it is one that we can serve."""
    if len(text) > MAX_OFFER_BYTES:
        raise ProtocolError(f"SDP offer of {len(text)} characters, expected at most {MAX_OFFER_BYTES}")
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if not lines or lines[0] != "v=0":
        raise ProtocolError(f"SDP begins with {_shown(lines[0]) if lines else 'nothing'}, expected v=0")
    for number, line in enumerate(lines, start=1):
        if len(line) < 2 or line[1] != "=" or not line.isprintable():
            raise ProtocolError(f"SDP line {number} is {_shown(line)}, expected <letter>=<value>")
    starts = [i for i, line in enumerate(lines) if line.startswith("m=")]
    if len(starts) > MAX_SECTIONS:
        raise ProtocolError(f"SDP has {len(starts)} media sections, expected at most {MAX_SECTIONS}")
    session = lines[: starts[0]] if starts else lines
    return Offer(
        tuple(_parse_section(lines[a:b], session) for a, b in pairwise([*starts, len(lines)])),
        bundled=any(line.startswith("a=group:BUNDLE ") for line in session),
    )


def accept(offer: Offer) -> Call:
    """The first audio section that sends Opus. OperatorError says what the offer lacks."""
    index, section, opus = _find(offer, "sends", lambda section: section.sends)
    if not section.sends:
        raise OperatorError(f"audio section {index} sends nothing, expected a=sendonly or a=sendrecv")
    return _call(offer, index, section, opus, to_them=False)


def accept_listener(offer: Offer) -> Call:
    """The first audio section that takes Opus. OperatorError says what the offer lacks."""
    index, section, opus = _find(offer, "takes", lambda section: section.receives)
    if not section.receives:
        raise OperatorError(f"audio section {index} takes nothing, expected a=recvonly or a=sendrecv")
    return _call(offer, index, section, opus, to_them=True)


def _find(offer: Offer, does: str, fits: Callable[[Section], bool]) -> tuple[int, Section, int]:
    """The audio section that fits best: its index, itself, and its payload type of Opus."""
    audio = [(i, section) for i, section in enumerate(offer.sections) if section.kind == "audio"]
    if not audio:
        raise OperatorError(f"offer has no audio section, expected one m=audio that {does} Opus")
    index, section = next(((i, s) for i, s in audio if s.opus is not None and fits(s)), audio[0])
    if section.opus is None:
        raise OperatorError(f"audio section {index} offers no codec we take, expected {OPUS}")
    return index, section, section.opus


def _call(offer: Offer, index: int, section: Section, opus: int, *, to_them: bool) -> Call:
    if not section.rtcp_mux:
        raise OperatorError(f"audio section {index} keeps RTCP apart, expected a=rtcp-mux")
    if section.ufrag is None or section.password is None:
        raise OperatorError(
            f"audio section {index} has no ICE credentials, expected a=ice-ufrag and a=ice-pwd"
        )
    if not section.fingerprints:
        expected = " or ".join(_FINGERPRINTS)
        raise OperatorError(f"audio section {index} has no fingerprint we know, expected {expected}")
    return Call(
        offer,
        index,
        payload_type=opus,
        ufrag=section.ufrag,
        fingerprints=section.fingerprints,
        active=section.setup == "passive",
        to_them=to_them,
    )


@dataclass(frozen=True, slots=True)
class Local:
    """Our end: ICE credentials, certificate and where datagrams may be sent, best first."""

    ufrag: str
    password: str = field(repr=False)
    fingerprint: Fingerprint
    addresses: Sequence[tuple[IPv4Address | IPv6Address, int]]
    ssrc: int | None = None
    """Of the stream that we send, if we do."""


def build_answer(call: Call, local: Local, session_number: int) -> str:
    """The answer: ICE-lite, the accepted section to be received (or sent), the others refused."""
    accepted = call.offer.sections[call.index]
    lines = ["v=0", f"o=- {session_number} 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=ice-lite"]
    if call.offer.bundled and accepted.mid is not None:
        lines.append(f"a=group:BUNDLE {accepted.mid}")
    for index, section in enumerate(call.offer.sections):
        lines += _accepted(call, section, local) if index == call.index else _refused(section)
    return "\r\n".join((*lines, ""))


def _accepted(call: Call, section: Section, local: Local) -> list[str]:
    address, port = local.addresses[0]
    lines = [
        f"m=audio {port} {section.protocol} {call.payload_type}",
        f"c=IN IP{address.version} {address}",
        *([f"a=mid:{section.mid}"] if section.mid is not None else []),
        *(["a=sendonly", "a=msid:loa loa"] if call.to_them else ["a=recvonly"]),
        *([f"a=ssrc:{local.ssrc} cname:{cname(local.ssrc)}"] if local.ssrc is not None else []),
        "a=rtcp-mux",
        f"a=rtpmap:{call.payload_type} {OPUS}",
        f"a=fmtp:{call.payload_type} {_SENT_AS if call.to_them else _RECEIVED_AS}",
        "a=ptime:20",
        "a=maxptime:20",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}",
        f"a=setup:{'active' if call.active else 'passive'}",
    ]
    for number, (candidate, port) in enumerate(local.addresses, start=1):
        preference = 65_536 - number
        priority = (126 << 24) + (preference << 8) + 255
        lines.append(f"a=candidate:{number} 1 udp {priority} {candidate} {port} typ host")
    return [*lines, "a=end-of-candidates"]


def _refused(section: Section) -> list[str]:
    formats = " ".join(section.formats)
    mid = [f"a=mid:{section.mid}"] if section.mid is not None else []
    return [f"m={section.kind} 0 {section.protocol} {formats}", "c=IN IP4 0.0.0.0", *mid, "a=inactive"]


def _parse_section(lines: Sequence[str], session: Sequence[str]) -> Section:
    words = lines[0][2:].split()
    if len(words) < 4:
        raise ProtocolError(f"SDP section {_shown(lines[0])}, expected m=<kind> <port> <protocol> <formats>")
    kind, port, protocol, *formats = words
    own = [line[2:] for line in lines if line.startswith("a=")]
    both = own + [line[2:] for line in session if line.startswith("a=")]
    refused = port == "0" and "bundle-only" not in own
    return Section(
        kind=kind,
        protocol=protocol,
        formats=tuple(formats),
        mid=_value(own, "mid"),
        opus=_opus(own, formats),
        sends=not refused and not {"recvonly", "inactive"}.intersection(own),
        receives=not refused and not {"sendonly", "inactive"}.intersection(own),
        rtcp_mux="rtcp-mux" in own,
        setup=_value(both, "setup"),
        ufrag=_value(both, "ice-ufrag"),
        password=_value(both, "ice-pwd"),
        fingerprints=tuple(_parse_fingerprints(both)),
    )


def _value(attributes: Sequence[str], name: str) -> str | None:
    values = (line[len(name) + 1 :] for line in attributes if line.startswith(f"{name}:"))
    return next((value for value in values if value), None)


def _opus(attributes: Sequence[str], formats: Sequence[str]) -> int | None:
    for line in attributes:
        number, _, codec = line.removeprefix("rtpmap:").partition(" ")
        named = line.startswith("rtpmap:") and number in formats and number.isascii() and number.isdigit()
        if named and codec.strip().lower() == OPUS and int(number) < 128:
            return int(number)
    return None


def _parse_fingerprints(attributes: Sequence[str]) -> list[Fingerprint]:
    found = []
    for line in attributes:
        algorithm, _, value = line.removeprefix("fingerprint:").partition(" ")
        if line.startswith("fingerprint:") and algorithm.lower() in _FINGERPRINTS:
            found.append(Fingerprint(algorithm.lower(), value.strip().upper()))
    return found


def _shown(line: str) -> str:
    return repr(line[:40])
