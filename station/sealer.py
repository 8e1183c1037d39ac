"""Small secrets at rest, in the database: sealed with one key of the vault, each for what it is about.

Laws: what was sealed about one thing does not open as being about another, so that rows cannot be exchanged;
a changed byte is noticed; a repr shows nothing. Pure but for the random nonce.

sealed  1 | nonce 12 | AES-256-GCM of the plain bytes, authenticated with it: "loa-sealed" 0 | about
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import ConfigError

KEY_BYTES = 32
_FORMAT = b"\1"
_NONCE_BYTES = 12
"""Random: 2^32 seals under one key are safe (NIST SP 800-38D, section 8.3), a country has fewer people."""
_ABOUT = b"loa-sealed\0"


class Sealer:
    """`key`: 32 secret bytes (`KeyVault.secret`)."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a sealer's key has {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "Sealer()"

    def __reduce__(self) -> str:
        raise TypeError("a sealer is not pickled: its key belongs to the vault")

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """29 bytes longer than `plain`. `about`: whose it is and what it is for, such as a row's id."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, _ABOUT + about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """ConfigError when it was not sealed with this key, about this, or was changed since."""
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] != _FORMAT or len(nonce) != _NONCE_BYTES:
                raise InvalidTag
            return self._cipher.decrypt(nonce, rest, _ABOUT + about)
        except InvalidTag as problem:
            raise ConfigError(
                f"sealed data about {about.decode('utf-8', 'replace')}: it does not open; expected the "
                "keys folder that belongs to this database"
            ) from problem
