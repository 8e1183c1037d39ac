"""The vault and the keyring: keys that never lie in clear, a chain that speakers believe for years."""

import stat
from pathlib import Path

import pytest

from loa.errors import ConfigError, ConflictError
from loa.station.keyring import DAY_US, NODE_US, Keyring, open_keyring
from loa.station.vault import FileVault
from loa.trust.grants import ChainStore, Grant, Role, verify_chain
from loa.trust.keys import SigningKey
from loa.trust.tokens import RIGHTS

PLACE = "b" * 16
SECRET = "a secret of some length"


def ring(folder: Path, now_us: int, vault: FileVault | None = None) -> Keyring:
    return open_keyring(folder, vault or FileVault(folder), PLACE, now_us)


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


async def test_the_chain_leads_from_the_root_to_the_node_and_is_the_same_ever_after(
    tmp_path: Path, now_us: int
) -> None:
    vault = FileVault(tmp_path)
    made = await Keyring.open(tmp_path, vault, root_place=PLACE, now_us=now_us)
    chain = verify_chain(made.chain, {made.root.key_id: made.root}, ("a" * 16, PLACE, "c" * 16), now_us)
    assert (chain.subject, chain.role, chain.max_class, chain.level) == (made.node.public, Role.NODE, 3, 15)
    assert chain.rights == RIGHTS
    assert not chain.covers(("a" * 16,))
    again = await Keyring.open(tmp_path, vault, root_place=PLACE, now_us=now_us + DAY_US)
    assert (again.chain, again.root) == (made.chain, made.root)
    assert again.node.private_bytes() == made.node.private_bytes()
    assert stat.S_IMODE((tmp_path / "chain.json").stat().st_mode) == 0o600


def test_a_speaker_believes_a_session_that_the_node_gives(tmp_path: Path, now_us: int) -> None:
    made = ring(tmp_path, now_us)
    session = SigningKey.generate()
    wanted = Grant(
        made.node.public.key_id,
        session.public,
        Role.SESSION,
        3,
        13,
        ("c" * 16,),
        now_us,
        now_us + 10 * NODE_US,
        now_us,
        frozenset({"air"}),
    )
    store = ChainStore({made.root.key_id: made.root})
    assert all(store.learn(token) for token in made.chain)
    verified = store.verify_session(made.session(wanted), now_us, (PLACE, "c" * 16))
    assert (verified.subject, verified.level, verified.expires_us) == (session.public, 13, made.expires_us)


def test_another_territory_or_a_chain_that_is_no_chain_is_refused(tmp_path: Path, now_us: int) -> None:
    made = ring(tmp_path, now_us)
    with pytest.raises(ConfigError, match="same territory"):
        open_keyring(tmp_path, FileVault(tmp_path), "c" * 16, now_us)
    path = tmp_path / "chain.json"
    kept = path.read_text()
    for wrong in (
        "",
        "[]",
        "{}",
        kept.replace(made.chain[0], "x.y.z"),
        kept.replace(made.root.raw.hex(), "00"),
    ):
        path.write_text(wrong)
        with pytest.raises(ConfigError, match=r"chain\.json"):
            ring(tmp_path, now_us)
        assert path.read_text() == wrong


def test_a_key_that_is_not_the_chains_is_refused_and_never_replaced(tmp_path: Path, now_us: int) -> None:
    ring(tmp_path, now_us)
    (tmp_path / "node.key").rename(tmp_path / "kept")
    with pytest.raises(ConfigError, match="node's key is gone"):
        ring(tmp_path, now_us)
    assert not (tmp_path / "node.key").exists()
    FileVault(tmp_path).create("node")
    with pytest.raises(ConfigError, match="node's key is not"):
        ring(tmp_path, now_us)


def test_root_and_authority_may_be_taken_away_and_no_new_root_is_ever_made(
    tmp_path: Path, now_us: int
) -> None:
    made = ring(tmp_path, now_us)
    for name in ("root.key", "authority.key"):
        (tmp_path / name).rename(tmp_path / f"{name}.away")
    alone = ring(tmp_path, now_us + NODE_US - DAY_US)
    assert (alone.chain, alone.root, alone.root_key, alone.authority_key) == (
        made.chain,
        made.root,
        None,
        None,
    )
    with pytest.raises(ConfigError, match="no speaker would believe"):
        ring(tmp_path, now_us + NODE_US)
    (tmp_path / "authority.key.away").rename(tmp_path / "authority.key")
    assert ring(tmp_path, now_us + NODE_US).expires_us == pytest.approx(now_us + 2 * NODE_US, abs=2e6)


def test_over_thirty_years_of_starts_the_chain_is_always_valid_and_serials_grow(
    tmp_path: Path, now_us: int
) -> None:
    vault = FileVault(tmp_path)
    store: ChainStore | None = None
    serials, root = [], None
    for month in range(0, 360, 2):
        at_us = now_us + month * 30 * DAY_US
        opened = ring(tmp_path, at_us, vault)
        root = root or opened.root
        store = store or ChainStore({root.key_id: root})
        for token in opened.chain:
            store.learn(token)
        assert store.chains(opened.node.public.key_id, at_us)
        assert opened.expires_us - at_us > 100 * DAY_US, "nobody is ever surprised by an expiry"
        assert opened.root == root
        serials.append((opened.authority_grant.serial, opened.node_grant.serial))
    assert serials == sorted(serials)
    assert 15 < len(set(serials)) < 30, "renewed when it is time, and not at every start"


def test_a_first_start_with_a_wrong_clock_is_mended_by_the_next(tmp_path: Path, now_us: int) -> None:
    wrong = ring(tmp_path, now_us + 3000 * DAY_US)
    right = ring(tmp_path, now_us)
    assert right.root == wrong.root
    assert right.node_grant.serial > wrong.node_grant.serial
    verify_chain(right.chain, {right.root.key_id: right.root}, (PLACE,), now_us)


def test_a_first_start_that_was_cut_short_is_taken_up(tmp_path: Path, now_us: int) -> None:
    kept = FileVault(tmp_path).create("root")
    assert ring(tmp_path, now_us).root == kept.public


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, now_us: int) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="file"):
        ring(tmp_path / "file" / "keys", now_us)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
