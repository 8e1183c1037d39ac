"""Ids: 16 lower-case hex digits in Python and JSON, 8 bytes on the wire.

Law: one spelling each way. Upper case, blanks and short ids are faults, so that two spellings of one id can
never be taken for two things.
"""

import re

ID_BYTES = 8
ID_PATTERN = re.compile(r"[0-9a-f]{16}")


def is_id(text: object) -> bool:
    return isinstance(text, str) and ID_PATTERN.fullmatch(text) is not None


def id_bytes(ident: str) -> bytes:
    """The 8 bytes of an id. ValueError when it is none (our own fault: ids from outside are parsed, not
    converted).
    """
    if not is_id(ident):
        raise ValueError(f"not an id: {ident!r} (expected 16 lower-case hex digits)")
    return bytes.fromhex(ident)
