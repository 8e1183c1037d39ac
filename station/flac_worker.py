"""The process that turns recorded packets into FLAC: codec work, apart from the air.

`python -P -m loa.station.flac_worker` reads Opus packets of OPUS_PACKET_BYTES, end to end, from its standard
input and writes a FLAC file to its standard output as it goes. Laws: it ends when its input does, or its
reader is gone; it is the first to give way.
"""

import os
import sys
from typing import BinaryIO

import av
import numpy as np

from ..codecs.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, silence
from ..codecs.opus import OPUS_PACKET_BYTES, OpusDecoder
from ..errors import MediaError

NICENESS = 10
PACKETS_AT_ONCE = 50


class _Outlet:
    """What FFmpeg writes to: a pipe that cannot be rewound."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        return self._out.write(data)


def main() -> int:
    os.nice(NICENESS)
    try:
        convert(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        return 1
    return 0


def convert(packets: BinaryIO, flac: BinaryIO) -> None:
    """All packets; one that is none is silence."""
    decoder = OpusDecoder()
    with av.open(_Outlet(flac), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        at = 0
        while data := packets.read(PACKETS_AT_ONCE * OPUS_PACKET_BYTES):
            pcm = np.concatenate(
                [
                    _decode(decoder, data[n : n + OPUS_PACKET_BYTES])
                    for n in range(0, len(data), OPUS_PACKET_BYTES)
                ]
            )
            frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, at
            at += len(pcm)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _decode(decoder: OpusDecoder, packet: bytes) -> Pcm:
    try:
        return decoder.decode(packet)
    except MediaError:
        return silence(FRAME_SAMPLES)


if __name__ == "__main__":
    sys.exit(main())
