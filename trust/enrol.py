"""The one-time code with which a speaker joins: a secret that proves it was invited, and the fingerprint of
the root it shall believe, so that not even the server that enrols it can slip in another root.

`XXXX-XXXX-XXXX-XXXX-XXXX-XXXX-XXXX-XXXX-CC`: 32 characters of Crockford's base32 (160 bits: 80 of secret, 80
of fingerprint) and two check characters, against slips of the finger only. Upper or lower case, blanks and
hyphens anywhere; O reads as 0, I and L as 1.

An *invitation* is the code and the node that made it, as a QR code shows them: `LOA:<node url>#<code>`, in
upper or lower case.

Laws: the secret is stored as a hash only and used once (whoever stores it sees to that); a repr never shows
it.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from ..errors import ProtocolError
from .keys import FINGERPRINT_BYTES, VerifyKey

SECRET_BYTES = 10
"""80 random bits: at 1,000 guesses a second, 10^13 years; and the server limits the rate."""
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_LETTERS = 32
_CHECK_LETTERS = 2
_PREFIX = "loa:"
_NODE = re.compile(r"https?://(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(:[0-9]{1,5})?")
"""A node is scheme, host and port, of which none knows upper case, so a scanner may write what it likes."""
MAX_INVITATION = 512


@dataclass(frozen=True, slots=True)
class Code:
    secret: bytes = field(repr=False)
    root_fingerprint: bytes

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES or len(self.root_fingerprint) != FINGERPRINT_BYTES:
            raise ValueError(
                f"a code is {SECRET_BYTES} bytes of secret and {FINGERPRINT_BYTES} of fingerprint"
            )

    def pins(self, root: VerifyKey) -> bool:
        return root.fingerprint == self.root_fingerprint

    def text(self) -> str:
        """As a human types it."""
        body = self.secret + self.root_fingerprint
        letters = _letters(int.from_bytes(body, "big"), _LETTERS) + _check(body)
        return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def make_code(root: VerifyKey) -> str:
    """A fresh code that pins `root`."""
    return Code(secrets.token_bytes(SECRET_BYTES), root.fingerprint).text()


def parse_code(text: str) -> Code:
    if len(text) > 200:
        raise ProtocolError(f"enrolment code: {len(text)} characters, expected {_LETTERS + _CHECK_LETTERS}")
    letters = [letter for letter in text.upper() if letter not in "- \t\r\n"]
    for letter in letters:
        if letter not in _VALUES:
            raise ProtocolError(
                f"enrolment code: {letter!r} is no letter of a code, expected 0-9 and A-Z without U"
            )
    if len(letters) != _LETTERS + _CHECK_LETTERS:
        raise ProtocolError(f"enrolment code: {len(letters)} letters, expected {_LETTERS + _CHECK_LETTERS}")
    values = [_VALUES[letter] for letter in letters]
    number = 0
    for value in values[:_LETTERS]:
        number = number << 5 | value
    body = number.to_bytes(SECRET_BYTES + FINGERPRINT_BYTES, "big")
    if [_VALUES[letter] for letter in _check(body)] != values[_LETTERS:]:
        raise ProtocolError(
            "enrolment code: the last two letters do not fit the rest, expected no typing error"
        )
    return Code(body[:SECRET_BYTES], body[SECRET_BYTES:])


@dataclass(frozen=True, slots=True)
class Invitation:
    """`node`: the URL of the node that made the code (scheme, host, port), "" when only the code is known."""

    node: str
    code: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.node and not _NODE.fullmatch(self.node):
            raise ValueError(f"node {self.node[:80]!r}, expected http(s)://HOST[:PORT] in lower case")
        try:
            parse_code(self.code)
        except ProtocolError as error:
            raise ValueError(str(error)) from error

    def text(self) -> str:
        """What a QR code holds; the bare code without a node."""
        return f"{_PREFIX.upper()}{self.node}#{self.code}" if self.node else self.code


def parse_invitation(text: str) -> Invitation:
    """A code as a person types it, or the text of a QR code as a scanner types it."""
    text = text.strip()
    if len(text) > MAX_INVITATION:
        raise ProtocolError(f"invitation: {len(text)} characters, expected at most {MAX_INVITATION}")
    if text[: len(_PREFIX)].lower() != _PREFIX:
        return Invitation("", parse_code(text).text())
    node, hash_sign, code = text[len(_PREFIX) :].partition("#")
    if not hash_sign:
        raise ProtocolError("invitation: no '#', expected LOA:<node url>#<code>")
    try:
        return Invitation(node.lower().rstrip("/"), parse_code(code).text())
    except ValueError as error:
        raise ProtocolError(f"invitation: {error}") from error


def hash_secret(secret: bytes) -> str:
    """For the database, in hex. A plain hash is enough: there is no dictionary of 80 random bits."""
    return hashlib.sha256(b"loa-enrol\0" + secret).hexdigest()


def _letters(number: int, count: int) -> str:
    return "".join(_ALPHABET[number >> 5 * at & 31] for at in reversed(range(count)))


def _check(body: bytes) -> str:
    return _letters(
        int.from_bytes(hashlib.sha256(b"loa-code\0" + body).digest()[:2], "big") >> 6, _CHECK_LETTERS
    )
