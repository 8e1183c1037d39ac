"""What a speaker keeps through a restart: who it is, whom it believes, where it stands, what it has acted on.

Laws: `identity.json` holds the secret key and is readable by its owner only; each file is written whole to
the side, synced and renamed, so that a power cut leaves the old one or the new one; a file that does not read
is an error that says so, never a fresh start that forgets what was refused.
Blocking: call from a thread. The directory belongs to one speaker process, which holds its lock.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError, ProtocolError
from ..trust.keys import SigningKey, VerifyKey, parse_key
from ..trust.statements import RootsOrder, Statement, build_statement, parse_statement

_IDENTITY = "identity.json"
_MEMORY = "memory.json"
_ENROLLING = "enrolling.json"
_LOCK = "lock"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Made at enrolment, never changed after. `node` is the URL it enrolled at, `link` the path of the
    control link."""

    speaker: str
    serial: str
    key: SigningKey = field(repr=False)
    roots: tuple[VerifyKey, ...]
    node: str
    link: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What changes: the highest media time acted on, grants and statements. `roots`: those that replaced
    the identity's, once some did."""

    floor_us: int = 0
    roots: RootsOrder | None = None
    revoked: tuple[Statement, ...] = ()
    chain: tuple[str, ...] = ()
    placement: Statement | None = None
    volumes: tuple[Statement, ...] = ()
    orders: tuple[Statement, ...] = ()


class StateFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock_fd: int | None = None

    def __repr__(self) -> str:
        return f"StateFolder({str(self._folder)!r})"

    @property
    def enrolled(self) -> bool:
        return (self._folder / _IDENTITY).exists()

    def lock(self) -> None:
        """Two processes with one key would cut each other's link. ConfigError when another holds the
        folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"state folder {self._folder}: {error}, expected a folder to write in"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise ConfigError(
                f"state folder {self._folder}: in use, expected one speaker per folder"
            ) from error
        self._lock_fd = fd

    def unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def enrolling_key(self) -> SigningKey:
        """A new key pair, stored before it is shown to a node; the same one until the enrolment has
        succeeded."""
        stored = self._read(_ENROLLING)
        if stored is None:
            key = SigningKey.generate()
            self._write(_ENROLLING, {"version": _VERSION, "key": key.private_bytes().hex()})
            return key
        try:
            return SigningKey.from_bytes(bytes.fromhex(_text(stored, "key")))
        except ValueError as error:
            raise self._damaged(_ENROLLING, error) from error

    def save_identity(self, identity: Identity) -> None:
        self._write(
            _IDENTITY,
            {
                "version": _VERSION,
                "speaker": identity.speaker,
                "serial": identity.serial,
                "key": identity.key.private_bytes().hex(),
                "roots": [root.raw.hex() for root in identity.roots],
                "node": identity.node,
                "link": identity.link,
            },
        )
        (self._folder / _ENROLLING).unlink(missing_ok=True)

    def load_identity(self) -> Identity:
        """ConfigError when there is none, or it does not read."""
        stored = self._read(_IDENTITY)
        if stored is None:
            raise ConfigError(
                f"{self._folder / _IDENTITY}: missing, expected an enrolled speaker (--enrol CODE)"
            )
        try:
            return Identity(
                speaker=_text(stored, "speaker"),
                serial=_text(stored, "serial"),
                key=SigningKey.from_bytes(bytes.fromhex(_text(stored, "key"))),
                roots=tuple(parse_key(bytes.fromhex(root)) for root in _texts(stored, "roots")),
                node=_text(stored, "node"),
                link=_text(stored, "link"),
            )
        except (ValueError, ProtocolError) as error:
            raise self._damaged(_IDENTITY, error) from error

    def save_memory(self, memory: Memory) -> None:
        self._write(
            _MEMORY,
            {
                "version": _VERSION,
                "floor_us": memory.floor_us,
                "roots": _roots_map(memory.roots) if memory.roots else None,
                "revoked": [build_statement(statement).hex() for statement in memory.revoked],
                "chain": list(memory.chain),
                "placement": build_statement(memory.placement).hex() if memory.placement else None,
                "volumes": [build_statement(statement).hex() for statement in memory.volumes],
                "orders": [build_statement(statement).hex() for statement in memory.orders],
            },
        )

    def load_memory(self) -> Memory:
        """An empty one when there is none yet; ConfigError when it does not read."""
        stored = self._read(_MEMORY)
        if stored is None:
            return Memory()
        try:
            placement = stored["placement"]
            return Memory(
                floor_us=_integer(stored["floor_us"]),
                roots=_roots(stored.get("roots")),
                revoked=tuple(_statement(item) for item in _texts({"revoked": []} | stored, "revoked")),
                chain=_texts(stored, "chain"),
                placement=None if placement is None else _statement(str(placement)),
                volumes=tuple(_statement(item) for item in _texts(stored, "volumes")),
                orders=tuple(_statement(item) for item in _texts(stored, "orders")),
            )
        except (KeyError, ValueError, ProtocolError) as error:
            raise self._damaged(_MEMORY, error) from error

    def _damaged(self, name: str, error: Exception) -> ConfigError:
        return ConfigError(
            f"{self._folder / name}: damaged ({error}), expected what this program wrote; "
            "restore it, or empty the folder and enrol again"
        )

    def _read(self, name: str) -> dict[str, object] | None:
        path = self._folder / name
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._damaged(name, error) from error
        if not isinstance(stored, dict) or stored.get("version") != _VERSION:
            raise self._damaged(name, ValueError(f"version is not {_VERSION}"))
        return stored

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        """ConfigError when the folder cannot be written."""
        path, aside = self._folder / name, self._folder / (name + ".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            _sync_folder(self._folder)
        except OSError as error:
            raise ConfigError(f"{path}: {error}, expected a folder to write in") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename last. Some file systems know no sync of a folder and need none."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)


def _roots_map(order: RootsOrder) -> dict[str, object]:
    return {"version": order.version, "keys": [root.raw.hex() for root in order.roots]}


def _roots(stored: object) -> RootsOrder | None:
    if stored is None:
        return None
    if not isinstance(stored, dict):
        raise ValueError("roots is no object")
    keys = tuple(parse_key(bytes.fromhex(key)) for key in _texts(stored, "keys"))
    return RootsOrder(_integer(stored.get("version")), keys)


def _statement(text: str) -> Statement:
    return parse_statement(bytes.fromhex(text))


def _text(stored: Mapping[str, object], name: str) -> str:
    value = stored.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _texts(stored: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = stored.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} is no list of texts")
    return tuple(value)


def _integer(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
