"""What outlives a restart, and what a damaged folder says."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from loa.errors import ConfigError
from loa.speaker.state import Memory, StateFolder
from loa.trust.statements import Revocations, Revoked, RootsOrder, sign_statement

COMMUNE = (3).to_bytes(8, "big").hex()


def test_all_of_it_comes_back(world: Any, tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "deep" / "state")
    identity = world.identity("http://node")
    memory = Memory(
        floor_us=123,
        roots=RootsOrder(4, (world.root.public, world.node.public)),
        revoked=(sign_statement(Revocations(2, (Revoked("0b" * 8, 9),)), world.root),),
        chain=world.chain(),
        placement=world.placement(),
        volumes=(world.volume(-3.0),),
        orders=(world.order(COMMUNE, ("0a" * 8,)),),
    )
    folder.save_identity(identity)
    folder.save_memory(memory)
    again = StateFolder(tmp_path / "deep" / "state")
    loaded = again.load_identity()
    assert again.load_memory() == memory
    assert loaded.key.private_bytes() == identity.key.private_bytes()
    assert (loaded.speaker, loaded.roots, loaded.node, loaded.link) == (
        identity.speaker,
        identity.roots,
        identity.node,
        identity.link,
    )


def test_the_secret_is_for_its_owner_only(world: Any, tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.save_identity(world.identity())
    folder.enrolling_key()
    for file in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert world.identity().key.private_bytes().hex() not in repr(folder.load_identity())


def test_a_new_folder_has_no_identity_and_an_empty_memory(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    assert not folder.enrolled
    assert folder.load_memory() == Memory()
    with pytest.raises(ConfigError, match="--enrol CODE"):
        folder.load_identity()


def test_the_key_of_an_enrolment_stays_until_it_has_succeeded(world: Any, tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    first = folder.enrolling_key()
    assert folder.enrolling_key().private_bytes() == first.private_bytes()
    folder.save_identity(world.identity())
    assert folder.enrolling_key().private_bytes() != first.private_bytes()


DAMAGE = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe",
    "no object": b"[]",
    "another version": b'{"version": 2}',
    "nothing in it": b'{"version": 1}',
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_said_and_nothing_is_forgotten(tmp_path: Path, name: str) -> None:
    folder = StateFolder(tmp_path)
    for file in ("memory.json", "identity.json", "enrolling.json"):
        (tmp_path / file).write_bytes(DAMAGE[name])
    for load in (folder.load_memory, folder.load_identity, folder.enrolling_key):
        with pytest.raises(ConfigError, match="damaged"):
            load()
    assert (tmp_path / "memory.json").read_bytes() == DAMAGE[name]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("floor_us", -1),
        ("floor_us", "1"),
        ("floor_us", True),
        ("chain", "x"),
        ("chain", [1]),
        ("placement", "zz"),
        ("placement", "80"),
        ("placement", 5),
        ("volumes", ["c0"]),
    ],
)
def test_a_field_that_is_wrong_is_damage(world: Any, tmp_path: Path, field: str, value: object) -> None:
    folder = StateFolder(tmp_path)
    folder.save_memory(world.memory())
    stored = json.loads((tmp_path / "memory.json").read_text("utf-8"))
    (tmp_path / "memory.json").write_text(json.dumps(stored | {field: value}), encoding="utf-8")
    with pytest.raises(ConfigError, match="damaged"):
        folder.load_memory()


def test_a_power_cut_while_writing_leaves_the_old_one(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.save_memory(Memory(floor_us=1))
    (tmp_path / "memory.json.new").write_text('{"version"', encoding="utf-8")
    assert folder.load_memory().floor_us == 1
    folder.save_memory(Memory(floor_us=2))
    assert folder.load_memory().floor_us == 2


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    folder = StateFolder(tmp_path / "file" / "state")
    for act in (folder.lock, lambda: folder.save_memory(Memory())):
        with pytest.raises(ConfigError, match="folder to write in"):
            act()


def test_one_process_holds_a_folder(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path), StateFolder(tmp_path)
    first.lock()
    with pytest.raises(ConfigError, match="in use"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_a_memory_from_before_roots_could_change_still_reads(world: Any, tmp_path: Path) -> None:
    folder, memory = StateFolder(tmp_path), Memory(floor_us=9, chain=world.chain())
    folder.save_memory(memory)
    file = tmp_path / "memory.json"
    stored = json.loads(file.read_text("utf-8"))
    del stored["roots"], stored["revoked"]
    file.write_text(json.dumps(stored), "utf-8")
    assert folder.load_memory() == memory


@pytest.mark.parametrize(
    "roots", [[], {"version": 1}, {"version": 1, "keys": []}, {"version": -1, "keys": ["aa" * 32]}]
)
def test_damaged_roots_are_an_error_not_the_old_ones(tmp_path: Path, roots: object) -> None:
    folder = StateFolder(tmp_path)
    folder.save_memory(Memory())
    file = tmp_path / "memory.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"roots": roots}), "utf-8")
    with pytest.raises(ConfigError, match="damaged"):
        folder.load_memory()
