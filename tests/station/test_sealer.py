"""Secrets in the database: each opens with the key and for the purpose it was sealed with, not otherwise."""

import pickle
from pathlib import Path

import pytest

from loa.errors import ConfigError
from loa.station.sealer import Sealer
from loa.station.vault import FileVault

PLAIN = b"a secret that is shared with a telephone"


def test_what_is_sealed_opens_again_and_never_looks_the_same() -> None:
    sealer = Sealer(bytes(32))
    one, other = sealer.seal(PLAIN, b"factor 1"), sealer.seal(PLAIN, b"factor 1")
    assert one != other
    assert PLAIN not in one
    assert sealer.open(one, b"factor 1") == sealer.open(other, b"factor 1") == PLAIN
    assert Sealer(bytes(32)).open(one, b"factor 1") == PLAIN, "the same after a restart"


def test_another_key_another_purpose_a_changed_or_missing_byte_do_not_open() -> None:
    sealer = Sealer(bytes(32))
    sealed = sealer.seal(PLAIN, b"factor 1")
    with pytest.raises(ConfigError, match="does not open"):
        Sealer(b"x" * 32).open(sealed, b"factor 1")
    with pytest.raises(ConfigError, match="about factor 2"):
        sealer.open(sealed, b"factor 2")
    for at in range(len(sealed)):
        with pytest.raises(ConfigError):
            sealer.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], b"factor 1")
        with pytest.raises(ConfigError):
            sealer.open(sealed[:at], b"factor 1")


def test_a_sealer_shows_and_gives_away_nothing() -> None:
    key = b"0123456789abcdef0123456789abcdef"
    assert "0123" not in repr(Sealer(key))
    with pytest.raises(TypeError):
        pickle.dumps(Sealer(key))
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(b"short")


@pytest.mark.parametrize("secret", [None, "a secret of some length"])
def test_a_vaults_secret_is_made_once_and_lies_nowhere_in_clear(tmp_path: Path, secret: str | None) -> None:
    made = FileVault(tmp_path, secret=secret).secret("data")
    assert len(made) == 32
    assert FileVault(tmp_path, secret=secret).secret("data") == made
    assert FileVault(tmp_path, secret=secret).secret("other") != made
    for path in tmp_path.iterdir():
        assert made not in path.read_bytes()
        assert made.hex().encode() not in path.read_bytes()


def test_a_secret_is_no_key_and_a_key_no_secret(tmp_path: Path) -> None:
    vault = FileVault(tmp_path)
    vault.secret("node")
    assert vault.load("node") is None
    (tmp_path / "node.secret").rename(tmp_path / "node.key")
    with pytest.raises(ConfigError, match="does not open"):
        vault.load("node")
    (tmp_path / "node.key").unlink()
    (tmp_path / "vault.key").rename(tmp_path / "kept")
    vault.secret("data")
    (tmp_path / "vault.key").unlink()
    with pytest.raises(ConfigError, match="missing, though"):
        vault.create("node")
