"""Ed25519 keys (RFC 8032): who signs, who is believed.

Laws: a secret never shows in a repr, a log or an error; a signature is either right or wrong (`verify`
returns a bool and raises nothing, whatever bytes it is given). A key is named by its `key_id`, the first 8
bytes of the SHA-256 of its 32 raw public bytes; a root is pinned by a longer `fingerprint`, since there an
attacker may search for years.
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..errors import ProtocolError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
FINGERPRINT_BYTES = 10
"""80 bits: a second key with the same fingerprint costs 2^80 key generations; 16 characters to type."""


_FIELD = 2**255 - 19
_WEAK = frozenset(
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
    )
)
"""The y of the eight points of small order: under such a key the signature of 64 zeros is right for some
data, so it proves nothing. RFC 8032 leaves it to the application to refuse them; OpenSSL does not.
"""


class VerifyKey:
    """A public key. Immutable, compared and hashed by its raw bytes. ValueError for what can be no honest
    key.
    """

    __slots__ = ("_digest", "_key", "key_id", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a public key has {KEY_BYTES} bytes, not {len(raw)}")
        if (int.from_bytes(raw, "little") & (1 << 255) - 1) % _FIELD in _WEAK:
            raise ValueError("a public key of small order: anyone could sign for it")
        self.raw = bytes(raw)
        self._key = Ed25519PublicKey.from_public_bytes(self.raw)
        self._digest = hashlib.sha256(self.raw).digest()
        self.key_id = self._digest[:8].hex()

    @property
    def fingerprint(self) -> bytes:
        """The first 10 bytes of the SHA-256 of the raw key: what an enrolment code pins."""
        return self._digest[:FINGERPRINT_BYTES]

    def verify(self, signature: bytes, data: bytes) -> bool:
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyKey) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"VerifyKey({self.key_id})"


class SigningKey:
    """A key pair. `private_bytes` is the only way the secret leaves."""

    __slots__ = ("_key", "public", "sign")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = VerifyKey(key.public_key().public_bytes_raw())
        self.sign = key.sign
        """`sign(data: bytes) -> bytes` of 64 bytes: bound once, for it runs for every datagram."""

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, seed: bytes) -> "SigningKey":
        """From the 32 secret bytes (RFC 8032's seed). ValueError for any other length."""
        if len(seed) != KEY_BYTES:
            raise ValueError(f"a secret key has {KEY_BYTES} bytes, not {len(seed)}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def private_bytes(self) -> bytes:
        return self._key.private_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key is not pickled: store private_bytes() where secrets are stored")


def key_mark(key_id: str) -> str:
    """A key as people compare it, on a device and on a console: "3f2a 91bc"."""
    return f"{key_id[:4]} {key_id[4:8]}"


def parse_key(raw: bytes) -> VerifyKey:
    """A public key from outside."""
    try:
        return VerifyKey(raw)
    except ValueError as error:
        raise ProtocolError(f"public key: {error}, expected {KEY_BYTES} bytes of Ed25519") from error
