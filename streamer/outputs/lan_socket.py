"""The socket of a multicast group, and the RTP that leaves by it.

Laws: nothing waits: what the system does not take at once is counted and lost, as anywhere on the way; a
group that cannot be sent to says why and is tried again. Owned by `Multicast`.
"""

import secrets
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from ..rtp import RtpPacket, build_rtp
from .group import Group

EXPEDITED = 46 << 2
"""DSCP EF (RFC 3246), where voice belongs on a LAN that sorts."""


@dataclass(slots=True)
class LanCounters:
    sent: int = 0
    unsent: int = 0


class LanSocket:
    """`fault` says why nothing leaves; empty while all is well."""

    def __init__(self, group: Group, counters: LanCounters) -> None:
        self.group = group
        self.fault = ""
        self.last_k = -1
        self._counters = counters
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._socket: socket.socket | None = None

    def send(self, k: int, data: bytes) -> None:
        """Frame `k`, whole; it is cut into as many packets as its form has."""
        if self._socket is None and not self._open():
            return
        form = self.group.form
        size = len(data) // form.packets
        for i in range(form.packets):
            stamp = k * form.ticks + i * form.ticks // form.packets
            part = data[i * size : (i + 1) * size]
            packet = RtpPacket(form.payload_type, self._sequence, stamp, self._ssrc, part)
            self._sequence += 1
            self._put(build_rtp(packet, marker=i == 0 and k != self.last_k + 1))
        self.last_k = k

    def retry(self) -> None:
        """Look anew at a group that could not be sent to."""
        if self.fault:
            self.close()

    def close(self) -> None:
        self.fault = ""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _put(self, datagram: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(datagram)
            self._counters.sent += 1
        except BlockingIOError:
            self._counters.unsent += 1
        except OSError as error:
            self._counters.unsent += 1
            self.fault = f"group {self.group.group}: {error.strerror}"

    def _open(self) -> bool:
        if self.fault:
            return False
        try:
            self._socket = open_group(self.group)
        except OSError as error:
            where = self.group.interface or "the system's choice"
            self.fault = f"interface {where}: {error.strerror or error}; expected one that reaches the group"
        return not self.fault


def open_group(group: Group) -> socket.socket:
    """OSError where the interface does not exist or nothing leads there."""
    four = group.address.version == 4
    made = socket.socket(
        socket.AF_INET if four else socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    )
    try:
        if four:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, group.ttl)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, group.ttl)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED)
        if group.interface:
            _leave_by(made, group.interface, four=four)
        made.connect((group.group, group.port))
    except OSError:
        made.close()
        raise
    return made


def _leave_by(made: socket.socket, interface: str, *, four: bool) -> None:
    try:
        address = ip_address(interface)
    except ValueError:
        index = socket.if_nametoindex(interface)
        if four:
            where = struct.pack("=4s4si", bytes(4), bytes(4), index)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, where)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        return
    if not four or not isinstance(address, IPv4Address):
        raise OSError("an address names interfaces of IPv4 groups only, expected a name")
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, address.packed)
