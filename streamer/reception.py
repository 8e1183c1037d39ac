"""Reception: RTP packets of Opus become sound, in order, as early as they can.

Laws: a packet is decoded when it comes and never waits for one before it: what is missing is concealed at
once, since at 20 ms a packet one that was overtaken is later than the sound may be; what comes late or twice
is counted and dropped. Pure but for the decoder it owns. Belongs to one peer.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..codecs.frame import SAMPLE_RATE, Pcm
from ..codecs.opus import OpusDecoder
from ..errors import MediaError
from .rtp import ReceptionReport, RtpPacket, SenderReport

MAX_CONCEALED = 3
"""After a longer gap the FIFO has run dry: what would be put in its place now would only be delay."""

RESYNC_PACKETS = 3000
"""A jump of a minute is no loss: the sender began anew."""


@dataclass(slots=True)
class ReceptionCounters:
    received: int = 0
    concealed: int = 0
    late: int = 0
    undecodable: int = 0
    restarts: int = 0


class Reception:
    """`push` gets each stretch of sound (int16 mono 48 kHz) and the time it came."""

    def __init__(self, push: Callable[[Pcm, int], None]) -> None:
        self.counters = ReceptionCounters()
        self._push = push
        self._decoder = OpusDecoder()
        self._report: ReceptionReport | None = None
        self._ssrc: int | None = None
        self._next = 0

    def receive(self, packet: RtpPacket, now_us: int) -> bool:
        """True when there was sound in it."""
        report, ahead = self._place(packet)
        self.counters.received += 1
        report.add(self._next + ahead, packet.timestamp, now_us)
        if ahead < 0:
            self.counters.late += 1
            return False
        if ahead <= MAX_CONCEALED:
            for _ in range(ahead):
                self._conceal(now_us)
        self._next += ahead + 1
        return self._decode(packet.payload, now_us)

    def heard(self, sender: SenderReport, now_us: int) -> None:
        """The sender's own report: its time goes back to it, so that it knows the round trip."""
        if self._report is not None and sender.ssrc == self._ssrc:
            self._report.heard(sender, now_us)

    def report(self, our_ssrc: int, now_us: int) -> bytes | None:
        """An RTCP receiver report, once there is something to report."""
        return self._report.build(our_ssrc, now_us) if self._report is not None else None

    def close(self) -> None:
        self._decoder.close()

    def _place(self, packet: RtpPacket) -> tuple[ReceptionReport, int]:
        """How many packets ahead of the next one this is. A new sender, or a jump, begins at its own."""
        ahead = (packet.sequence - self._next + 0x8000) % 0x1_0000 - 0x8000
        if self._report is None or packet.ssrc != self._ssrc or abs(ahead) > RESYNC_PACKETS:
            self.counters.restarts += self._report is not None
            self._report = ReceptionReport(packet.ssrc, SAMPLE_RATE)
            self._ssrc, self._next, ahead = packet.ssrc, packet.sequence, 0
        return self._report, ahead

    def _decode(self, payload: bytes, now_us: int) -> bool:
        try:
            pcm = self._decoder.decode(payload)
        except MediaError:
            self.counters.undecodable += 1
            self._conceal(now_us)
            return False
        self._push(pcm, now_us)
        return True

    def _conceal(self, now_us: int) -> None:
        self.counters.concealed += 1
        self._push(self._decoder.conceal(), now_us)
