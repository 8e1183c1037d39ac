"""The vault: keys that never lie in clear, open with one secret only, and are never written over."""

import stat
from pathlib import Path

import pytest

from loa.errors import ConfigError, ConflictError
from loa.station.vault import FileVault

SECRET = "a secret of some length"


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_key_comes_back_as_it_was_and_lies_nowhere_in_clear(tmp_path: Path, secret: str | None) -> None:
    made = FileVault(tmp_path, secret=secret).create("node")
    again = FileVault(tmp_path, secret=secret).load("node")
    assert again is not None
    assert again.private_bytes() == made.private_bytes()
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert made.private_bytes() not in data
        assert made.private_bytes().hex().encode() not in data
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / "vault.key").exists() == (secret is None)
    assert SECRET not in repr(FileVault(tmp_path, secret=SECRET))


def test_no_key_is_none_and_a_key_is_never_written_over(tmp_path: Path) -> None:
    vault = FileVault(tmp_path)
    assert vault.load("node") is None
    vault.create("node")
    with pytest.raises(ConflictError, match="exists"):
        vault.create("node")


@pytest.mark.parametrize(
    ("secret", "says"), [(None, "sealed with LOA_KEY"), ("another secret of length", "LOA_KEY does not open")]
)
def test_a_key_opens_only_with_the_secret_that_sealed_it(
    tmp_path: Path, secret: str | None, says: str
) -> None:
    FileVault(tmp_path, secret=SECRET).create("node")
    with pytest.raises(ConfigError, match=says):
        FileVault(tmp_path, secret=secret).load("node")


def test_a_key_changed_or_under_another_name_does_not_open(tmp_path: Path) -> None:
    vault = FileVault(tmp_path)
    vault.create("node")
    path = tmp_path / "node.key"
    data = path.read_bytes()
    (tmp_path / "root.key").write_bytes(data)
    with pytest.raises(ConfigError, match="does not open"):
        vault.load("root")
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ConfigError, match=r"node\.key"):
            vault.load("node")
    for cut in (0, 20, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(ConfigError, match="no sealed key"):
            vault.load("node")


def test_a_key_file_that_others_can_read_is_gone_or_is_none_is_refused(tmp_path: Path) -> None:
    vault = FileVault(tmp_path)
    vault.create("node")
    key_file = tmp_path / "vault.key"
    kept = key_file.read_bytes()
    key_file.chmod(0o640)
    with pytest.raises(ConfigError, match="mode 640"):
        vault.load("node")
    key_file.chmod(0o600)
    for content, says in ((b"xyz", "not hexadecimal"), (b"abcd", "2 bytes")):
        key_file.write_bytes(content)
        with pytest.raises(ConfigError, match=says):
            vault.load("node")
    key_file.unlink()
    with pytest.raises(ConfigError, match="key file"):
        vault.load("node")
    with pytest.raises(ConfigError, match="missing, though"):
        vault.create("root")
    key_file.write_bytes(kept)
    key_file.chmod(0o600)
    assert vault.load("node") is not None


def test_the_key_file_may_lie_elsewhere_and_a_short_secret_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "usb" / "loa.key"
    FileVault(tmp_path / "keys", key_file=elsewhere).create("node")
    assert elsewhere.exists()
    assert FileVault(tmp_path / "keys", key_file=elsewhere).load("node") is not None
    with pytest.raises(ConfigError, match="LOA_KEY: 5"):
        FileVault(tmp_path, secret="short")
