"""A multicast group as a place's sound is sent to it: what devices on a LAN are set to listen for.

Laws: values only; a form is what its receivers need to know, and is all in the SDP. RFC 3551 numbers the
telephone codecs for good, so that a device needs no SDP for them.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from ...wire.rank import BroadcastClass


class LanCodec(StrEnum):
    """In the order of how many devices know them."""

    PCMU = "pcmu"
    PCMA = "pcma"
    G722 = "g722"
    OPUS = "opus"
    L16 = "l16"


@dataclass(frozen=True, slots=True)
class Form:
    """`clock_hz`: of the time stamps (for G.722 it is 8,000, by an old mistake that everyone keeps)."""

    payload_type: int
    name: str
    clock_hz: int
    packets: int = 1
    """Of one 20 ms frame: L16 does not fit a datagram whole."""

    @property
    def ticks(self) -> int:
        """Of the clock, in 20 ms."""
        return self.clock_hz // 50


FORMS = {
    LanCodec.PCMU: Form(0, "PCMU/8000", 8_000),
    LanCodec.PCMA: Form(8, "PCMA/8000", 8_000),
    LanCodec.G722: Form(9, "G722/8000", 8_000),
    LanCodec.OPUS: Form(111, "opus/48000/2", 48_000),
    LanCodec.L16: Form(96, "L16/48000/1", 48_000, packets=2),
}


@dataclass(frozen=True, slots=True)
class Group:
    """`place`: whose sound. `classes`: while one of these is on air there. `interface`: a name or an IPv4
    address of ours; empty: the system's choice. `ttl`: how many routers it passes, and one more."""

    id: str
    place: str
    group: str
    port: int
    codec: LanCodec
    classes: frozenset[BroadcastClass]
    ttl: int = 1
    interface: str = ""

    @property
    def address(self) -> IPv4Address | IPv6Address:
        return ip_address(self.group)

    @property
    def form(self) -> Form:
        return FORMS[self.codec]

    def sdp(self) -> str:
        """What a receiver that takes a description is given (RFC 8866)."""
        form, version = self.form, self.address.version
        ttl = f"/{self.ttl}" if version == 4 else ""
        lines = [
            "v=0",
            f"o=- {int(self.id, 16)} 1 IN IP{version} {self.group}",
            f"s=Loa {self.place}",
            f"c=IN IP{version} {self.group}{ttl}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {form.payload_type}",
            f"a=rtpmap:{form.payload_type} {form.name}",
            f"a=ptime:{20 // form.packets}",
            "a=recvonly",
        ]
        return "\r\n".join((*lines, ""))
