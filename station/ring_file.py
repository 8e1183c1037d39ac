"""The ring on the disk: `chain.json` beside the keys. Public things only; the secrets are the vault's.

Laws: replaced as a whole; what does not fit the keys beside it, or was not written by Loa, is refused and
left as it is. Version 1 (one root, one node with every right) is read, and completed by its reader.
"""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, LoaError
from ..trust.grants import parse_grant
from ..trust.keys import SigningKey, VerifyKey
from ..trust.statements import Statement, build_statement, parse_statement
from .durable import replace_file
from .ring import Holder, Office, Retired, Ring, Root, vault_name
from .vault import KeyVault

VERSION = 2


def write_ring(path: Path, ring: Ring) -> None:
    """On the disk when this returns."""
    fields = {
        "version": VERSION,
        "root_place": ring.root_place,
        "roots": [{"generation": root.generation, "key": root.key.raw.hex()} for root in ring.roots],
        "holders": [_holder_fields(holder) for holder in ring.holders],
        "retired": [{**_holder_fields(one.holder), "since_us": one.since_us} for one in ring.retired],
        "pinned": [_text(statement) for statement in ring.pinned],
        "revoked": [_text(statement) for statement in ring.revoked],
        "statements_version": ring.version,
    }
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(path, json.dumps(fields, indent=1).encode())


def read_ring(path: Path, vault: KeyVault) -> Ring:
    """ConfigError when it cannot be read, or a key is not the one it names."""
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        read = _READERS[fields["version"]]
        return read(fields, vault)
    except ConfigError as problem:
        raise ConfigError(f"keyring {path}: {problem}") from problem
    except (OSError, ValueError, KeyError, TypeError, LoaError) as problem:
        raise ConfigError(f"keyring {path}: {problem}; expected the file as Loa wrote it") from problem


def _read_first(fields: Mapping[str, Any], vault: KeyVault) -> Ring:
    root = VerifyKey(bytes.fromhex(fields["root"]))
    upper, lower = (str(token) for token in fields["chain"])
    return Ring(
        str(fields["root_place"]),
        (Root(root, 1, _secret(vault, "root", root)),),
        (_held(vault, Office.AUTHORITY, 1, (upper,)), _held(vault, Office.NODE, 1, (lower,))),
    )


def _read_second(fields: Mapping[str, Any], vault: KeyVault) -> Ring:
    roots = tuple(_read_root(one, vault) for one in fields["roots"])
    holders = tuple(_read_holder(one, vault) for one in fields["holders"])
    if not roots or [holder.office for holder in holders] != list(Office):
        raise ValueError("a root or an office is missing")
    return Ring(
        str(fields["root_place"]),
        roots,
        holders,
        tuple(Retired(_read_holder(one, vault), int(one["since_us"])) for one in fields["retired"]),
        tuple(map(_statement, fields["pinned"])),
        tuple(map(_statement, fields["revoked"])),
        int(fields["statements_version"]),
    )


_READERS: Mapping[object, Callable[[Mapping[str, Any], KeyVault], Ring]] = {1: _read_first, 2: _read_second}


def _read_root(fields: Mapping[str, Any], vault: KeyVault) -> Root:
    key, generation = VerifyKey(bytes.fromhex(fields["key"])), int(fields["generation"])
    return Root(key, generation, _secret(vault, vault_name("root", generation), key))


def _read_holder(fields: Mapping[str, Any], vault: KeyVault) -> Holder:
    tokens = tuple(str(token) for token in fields["tokens"])
    return _held(vault, Office(fields["office"]), int(fields["generation"]), tokens)


def _held(vault: KeyVault, office: Office, generation: int, tokens: tuple[str, ...]) -> Holder:
    subjects = {parse_grant(token).subject for token in tokens}
    if len(subjects) != 1:
        raise ValueError(f"the grants of the {office} name {len(subjects)} keys, expected one")
    key = subjects.pop()
    return Holder(office, generation, key, tokens, _secret(vault, vault_name(office, generation), key))


def _secret(vault: KeyVault, name: str, public: VerifyKey) -> SigningKey | None:
    key = vault.load(name)
    if key is not None and key.public != public:
        raise ConfigError(f"the {name}'s key is not the chain's; expected the one it names")
    return key


def _holder_fields(holder: Holder) -> dict[str, object]:
    return {"office": holder.office.value, "generation": holder.generation, "tokens": holder.tokens}


def _text(statement: Statement) -> str:
    return base64.b64encode(build_statement(statement)).decode()


def _statement(text: str) -> Statement:
    return parse_statement(base64.b64decode(text, validate=True))
