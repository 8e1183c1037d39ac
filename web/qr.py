"""A text as a QR code, as rows of modules: whoever draws it needs no library.

Law: the rows hold the dark modules only, without the quiet zone; who draws leaves four modules of light
around.
"""

import segno

from ..errors import InternalError

MAX_CHARS = 1_000
"""Version 22 of 40: more cannot be read off a screen by an old phone."""


def rows(text: str) -> list[str]:
    """One string per row, "1" for a dark module and "0" for a light one; error correction M at least."""
    if not 0 < len(text) <= MAX_CHARS:
        raise InternalError(f"QR code: {len(text)} characters, expected 1 to {MAX_CHARS}")
    code = segno.make_qr(text, error="m")
    return ["".join("1" if module else "0" for module in row) for row in code.matrix]
