"""Permanent ids: 16 lower-case hex digits in Python and JSON, 8 bytes on the wire (`trust.ids` says the
shape).

Law: an id says nothing about what it names, and is never given twice.
"""

import secrets

from ..errors import OperatorError
from ..trust.ids import is_id


def new_id() -> str:
    """A fresh id: 64 random bits, so that two of a billion collide with a chance of 3 %."""
    return secrets.token_hex(8)


def check_id(text: str, *, where: str) -> None:
    if not is_id(text):
        raise OperatorError(f"{where}: {text!r} is no id; expected 16 lower-case hex digits")
