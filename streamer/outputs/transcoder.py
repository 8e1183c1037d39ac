"""A program for telephones: its Opus packets, decoded once and encoded once for each codec that is wanted.

Laws: a frame is decoded and encoded once, however many groups send it; frames come in order, and one that
was done lately is given again. Belongs to one program, on the loop: 230 us a frame for G.722, decoding
included, 130 for G.711, 33 for L16 (2-core machine).
"""

from collections.abc import Callable

from ...codecs.decimate import Decimator
from ...codecs.frame import Pcm
from ...codecs.g711 import G711Encoder, Law
from ...codecs.g722 import G722Encoder
from ...codecs.l16 import encode_l16
from ...codecs.opus import OpusDecoder
from ...errors import MediaError
from .group import LanCodec

KEPT = 16
"""Frames that a group at another place may still ask for."""


class Transcoder:
    """See the module."""

    def __init__(self) -> None:
        self._decoder = OpusDecoder()
        self._encoders: dict[LanCodec, Callable[[Pcm], bytes]] = {}
        self._done: dict[int, tuple[Pcm, dict[LanCodec, bytes]]] = {}

    def frame(self, k: int, packet: bytes, codec: LanCodec) -> bytes | None:
        """Frame `k`, of which `packet` is the Opus; None for one that is older than `KEPT`."""
        if codec is LanCodec.OPUS:
            return packet
        if k not in self._done:
            if self._done and k < max(self._done):
                return None
            self._done[k] = self._decode(packet), {}
            self._done.pop(k - KEPT, None)
        pcm, made = self._done[k]
        if codec not in made:
            made[codec] = self._encoder(codec)(pcm)
        return made[codec]

    def close(self) -> None:
        self._decoder.close()

    def _decode(self, packet: bytes) -> Pcm:
        try:
            return self._decoder.decode(packet)
        except MediaError:
            return self._decoder.conceal()

    def _encoder(self, codec: LanCodec) -> Callable[[Pcm], bytes]:
        if codec not in self._encoders:
            self._encoders[codec] = _encoder(codec)
        return self._encoders[codec]


def _encoder(codec: LanCodec) -> Callable[[Pcm], bytes]:
    if codec is LanCodec.L16:
        return encode_l16
    if codec is LanCodec.G722:
        wide, g722 = Decimator(3), G722Encoder()
        return lambda pcm: g722.encode(wide(pcm))
    narrow, g711 = Decimator(6), G711Encoder(Law.MU if codec is LanCodec.PCMU else Law.A)
    return lambda pcm: g711.encode(narrow(pcm))
