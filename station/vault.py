"""Where secret keys are kept. Today files, sealed; a hardware token fills the same seam later.

Laws: a secret never lies in clear on the disk, nor in an error; a sealed key opens only with the secret it
was sealed with, under the name it was sealed for; a key that exists is never written over.

name.key, name.secret  "LOAKEY1\\0" | sealing u8 | salt 16 | nonce 12 | AES-256-GCM of the 32 secret bytes
sealing 1: key file, HKDF-SHA256; 2: LOA_KEY, scrypt. Authenticated with it: all before the nonce, then the
name (of a .secret: "secret" 0 name, so that neither passes for the other).
"""

import os
import secrets
import stat
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ..errors import ConfigError, ConflictError
from ..trust.keys import SigningKey
from .durable import replace_file

MIN_SECRET_CHARS = 16
"""What `openssl rand -base64 12` gives: the file may be copied, and then only this stands."""
_MAGIC = b"LOAKEY1\0"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_HEAD_BYTES = len(_MAGIC) + 1 + _SALT_BYTES
_SECRET_BYTES = 32
_SEALED_BYTES = _HEAD_BYTES + _NONCE_BYTES + _SECRET_BYTES + 16
_SCRYPT_N = 2**15
"""32 MiB and some 80 ms (OWASP's first recommendation for r=8 is 2^17 with p=1; a random secret needs less).
"""


class KeyVault(Protocol):
    """Keys by name. Calls may take a second: never on the event loop."""

    def load(self, name: str) -> SigningKey | None:
        """None when there is no such key. ConfigError when it is there and cannot be opened."""
        ...

    def create(self, name: str) -> SigningKey:
        """A fresh key, kept when this returns. ConflictError when there is one already."""
        ...

    def secret(self, name: str) -> bytes:
        """32 random bytes for data at rest: made at the first call, the same ever after."""
        ...


class Sealing(IntEnum):
    KEY_FILE = 1
    SECRET = 2


class FileVault:
    """A folder of sealed keys. `secret` (LOA_KEY) seals when given, otherwise the key file does.

    The key file (by default `vault.key` in the folder; better on another disk) is made with the first key.
    """

    def __init__(self, folder: Path, *, secret: str | None = None, key_file: Path | None = None) -> None:
        if secret is not None and len(secret) < MIN_SECRET_CHARS:
            raise ConfigError(
                f"LOA_KEY: {len(secret)} characters; expected at least {MIN_SECRET_CHARS}, random ones"
            )
        self._folder = folder
        self._secret = secret
        self._key_file = key_file or folder / "vault.key"

    def __repr__(self) -> str:
        return f"FileVault({self._folder})"

    def load(self, name: str) -> SigningKey | None:
        plain = self._read(self._path(name), name.encode())
        return None if plain is None else SigningKey.from_bytes(plain)

    def create(self, name: str) -> SigningKey:
        path = self._path(name)
        if path.exists():
            raise ConflictError(f"key {path}: it exists; expected to make a new one")
        key = SigningKey.generate()
        self._write(path, name.encode(), key.private_bytes())
        return key

    def secret(self, name: str) -> bytes:
        path, bound = self._folder / f"{name}.secret", b"secret\0" + name.encode()
        kept = self._read(path, bound)
        if kept is None:
            kept = secrets.token_bytes(_SECRET_BYTES)
            self._write(path, bound, kept)
        return kept

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def _read(self, path: Path, bound: bytes) -> bytes | None:
        try:
            sealed = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise ConfigError(
                f"key {path}: {problem.strerror}; expected a file that can be read"
            ) from problem
        return self._open(path, sealed, bound)

    def _write(self, path: Path, bound: bytes, plain: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(path, self._seal(bound, plain))
        except OSError as problem:
            raise ConfigError(f"key {path}: {problem.strerror}; expected a folder to write in") from problem

    def _seal(self, bound: bytes, plain: bytes) -> bytes:
        sealing = Sealing.KEY_FILE if self._secret is None else Sealing.SECRET
        salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
        head = _MAGIC + bytes([sealing]) + salt
        if sealing is Sealing.KEY_FILE and not self._key_file.exists():
            self._make_key_file()
        return head + nonce + AESGCM(self._key(sealing, salt)).encrypt(nonce, plain, head + bound)

    def _open(self, path: Path, sealed: bytes, bound: bytes) -> bytes:
        if len(sealed) != _SEALED_BYTES or not sealed.startswith(_MAGIC):
            raise ConfigError(f"key {path}: it is no sealed key of ours; expected {_SEALED_BYTES} bytes")
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        try:
            sealing = Sealing(head[len(_MAGIC)])
        except ValueError as problem:
            raise ConfigError(
                f"key {path}: sealed in a way we do not know; expected a newer Loa"
            ) from problem
        if sealing is Sealing.SECRET and self._secret is None:
            raise ConfigError(f"key {path}: sealed with LOA_KEY; expected LOA_KEY in the environment")
        key = self._key(sealing, head[-_SALT_BYTES:])
        try:
            return AESGCM(key).decrypt(nonce, sealed[_HEAD_BYTES + _NONCE_BYTES :], head + bound)
        except InvalidTag as problem:
            which = "LOA_KEY" if sealing is Sealing.SECRET else f"the key file {self._key_file}"
            raise ConfigError(
                f"key {path}: {which} does not open it; expected the one that sealed it"
            ) from problem

    def _key(self, sealing: Sealing, salt: bytes) -> bytes:
        if sealing is Sealing.SECRET:
            assert self._secret is not None  # noqa: S101 - both callers looked
            return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=8, p=1).derive(self._secret.encode())
        return HKDF(SHA256(), 32, salt, b"loa-vault").derive(self._read_key_file())

    def _make_key_file(self) -> None:
        if any(self._folder.glob("*.key")) or any(self._folder.glob("*.secret")):
            raise ConfigError(
                f"key file {self._key_file}: missing, though keys are in {self._folder}; expected it back"
            )
        self._key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(self._key_file, secrets.token_hex(32).encode() + b"\n")

    def _read_key_file(self) -> bytes:
        try:
            with self._key_file.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read(200)
        except OSError as problem:
            raise ConfigError(
                f"key file {self._key_file}: {problem.strerror}; expected to read it"
            ) from problem
        if mode & 0o077:
            raise ConfigError(f"key file {self._key_file}: mode {mode:o}, others can get at it; expected 600")
        try:
            key = bytes.fromhex(text.decode("ascii").strip())
        except ValueError as problem:
            raise ConfigError(
                f"key file {self._key_file}: not hexadecimal; expected 64 hex digits"
            ) from problem
        if len(key) != 32:
            raise ConfigError(f"key file {self._key_file}: {len(key)} bytes; expected 32, as 64 hex digits")
        return key
