"""L16 (RFC 3551, section 4.5.11): samples as they are, 16 bits, the high byte first. Pure."""

from .frame import Pcm


def encode_l16(pcm: Pcm) -> bytes:
    """Two bytes a sample."""
    return pcm.astype(">i2").tobytes()
