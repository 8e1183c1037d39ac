"""What people type into a name, checked once and the same everywhere."""

import unicodedata

from ..errors import OperatorError


def clean_name(text: str, *, where: str, max_chars: int) -> str:
    """`text` composed (NFC), trimmed and with single spaces; OperatorError when empty, too long or with
    control characters.

    Vietnamese typed on different machines arrives composed or decomposed; stored one way, equal names are
    equal.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise OperatorError(f"{where}: it is empty; expected 1 to {max_chars} characters")
    if len(name) > max_chars:
        raise OperatorError(f"{where}: it has {len(name)} characters; expected at most {max_chars}")
    if any(unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} for char in name):
        raise OperatorError(
            f"{where}: {name!r} has a character that cannot be shown; expected letters and signs"
        )
    return name
