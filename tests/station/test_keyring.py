"""The keyring: offices with a key each, grants that speakers believe for years, roots that outlive a key."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from loa.errors import ConfigError, RefusedError
from loa.station.keyring import Keyring, open_ring
from loa.station.ring import DAY_US, NODE_US, Office, Ring
from loa.station.vault import FileVault
from loa.trust.grants import ChainStore, Grant, Role, issue, parse_grant
from loa.trust.statements import Placement, RootsOrder, VolumeOrder, open_statement
from loa.trust.tokens import MAX_CLASS, MAX_LEVEL, RIGHTS

PLACE, BELOW = "b" * 16, "c" * 16
ANCESTRY = ("a" * 16, PLACE, BELOW)
PLACEMENT = Placement("1" * 16, 1, (PLACE, BELOW), 400)


def ring(folder: Path, now_us: int, vault: FileVault | None = None) -> Ring:
    return open_ring(folder, vault or FileVault(folder), PLACE, now_us)


async def keyring(folder: Path, now_us: int) -> Keyring:
    return await Keyring.open(folder, FileVault(folder), root_place=PLACE, now_us=now_us)


def store(ring: Ring) -> ChainStore:
    """A speaker's, that believes the first root."""
    speaker = ChainStore({ring.roots[0].key.key_id: ring.roots[0].key})
    assert all(speaker.learn(token) for token in ring.grants())
    return speaker


def ends_us(ring: Ring, office: Office) -> int:
    return ring.holder(office).grants[0].expires_us


async def test_each_office_has_a_key_of_its_own_and_only_the_rights_it_needs(
    tmp_path: Path, now_us: int
) -> None:
    made = await keyring(tmp_path, now_us)
    assert made.drill is not None
    believed = store(made.ring)
    expected = {
        made.node: (Role.NODE, frozenset({"air", "time"}), MAX_CLASS, MAX_LEVEL),
        made.drill: (Role.NODE, frozenset({"drill"}), MAX_CLASS, MAX_LEVEL),
        made.registrar: (Role.OPERATOR, frozenset({"place", "volume"}), 1, 0),
    }
    for key, terms in expected.items():
        (chain,) = believed.chains(key.public.key_id, now_us)
        assert (chain.role, chain.rights, chain.max_class, chain.level) == terms
        assert chain.covers(ANCESTRY)
        assert not chain.covers(ANCESTRY[:1])


def test_its_files_are_the_keys_and_one_of_public_things(tmp_path: Path, now_us: int) -> None:
    made = ring(tmp_path, now_us)
    names = {*(root.name for root in made.roots), *(holder.name for holder in made.holders)}
    assert names == {"root", "root2", "authority", "node", "drill", "registrar"}
    files = {f"{name}.key" for name in names} | {"vault.key", "chain.json"}
    assert {path.name for path in tmp_path.iterdir()} == files
    assert stat.S_IMODE((tmp_path / "chain.json").stat().st_mode) == 0o600


async def test_the_nodes_key_alone_neither_places_nor_mutes_nor_drills(tmp_path: Path, now_us: int) -> None:
    made = await keyring(tmp_path, now_us)
    believed = store(made.ring)
    for right in ("place", "volume", "drill"):
        with pytest.raises(RefusedError) as refused:
            believed.authority(made.node.public.key_id, right, ANCESTRY, now_us)
        assert refused.value.reason == "right"
    for content in (PLACEMENT, VolumeOrder(BELOW, 1, -6.0, 0.0, muted=False)):
        signed = made.sign(content)
        assert open_statement(signed, made.registrar.public) == content
        right = "place" if isinstance(content, Placement) else "volume"
        assert believed.authority(signed.key_id, right, ANCESTRY, now_us)


async def test_it_is_the_same_ever_after(tmp_path: Path, now_us: int) -> None:
    made = await keyring(tmp_path, now_us)
    again = await keyring(tmp_path, now_us + DAY_US)
    assert (again.grants, again.other_grants, again.roots, again.statements) == (
        made.grants,
        made.other_grants,
        made.roots,
        made.statements,
    )
    assert again.node.private_bytes() == made.node.private_bytes()
    assert again.root_place == PLACE


async def test_two_generations_of_root_are_pinned_and_either_leads_to_the_node(
    tmp_path: Path, now_us: int
) -> None:
    made = await keyring(tmp_path, now_us)
    (pinned,) = made.statements
    order = open_statement(pinned, made.roots[0])
    assert isinstance(order, RootsOrder)
    assert order.roots == made.roots
    assert len(set(made.roots)) == 2
    second = ChainStore({made.roots[1].key_id: made.roots[1]})
    for token in (*made.other_grants, *made.grants[1:]):
        assert second.learn(token)
    assert second.chains(made.node.public.key_id, now_us)


def test_another_territory_or_a_file_that_is_none_is_refused(tmp_path: Path, now_us: int) -> None:
    made = ring(tmp_path, now_us)
    with pytest.raises(ConfigError, match="same territory"):
        open_ring(tmp_path, FileVault(tmp_path), "c" * 16, now_us)
    path = tmp_path / "chain.json"
    kept = path.read_text()
    for wrong in (
        "",
        "[]",
        "{}",
        kept.replace('"version": 2', '"version": 3'),
        kept.replace(made.grants()[0], "x.y.z"),
        kept.replace(made.roots[0].key.raw.hex(), "00"),
        kept.replace('"drill"', '"node"'),
        kept.replace(made.holder(Office.DRILL).tokens[0], made.holder(Office.NODE).tokens[0]),
    ):
        assert wrong != kept
        path.write_text(wrong)
        with pytest.raises(ConfigError, match=r"chain\.json"):
            ring(tmp_path, now_us)
        assert path.read_text() == wrong


@pytest.mark.parametrize("name", ["node", "registrar"])
def test_a_key_that_is_gone_or_not_the_chains_is_refused_and_never_replaced(
    tmp_path: Path, now_us: int, name: str
) -> None:
    ring(tmp_path, now_us)
    (tmp_path / f"{name}.key").rename(tmp_path / "kept")
    with pytest.raises(ConfigError, match=f"{name}'s key is gone"):
        ring(tmp_path, now_us)
    assert not (tmp_path / f"{name}.key").exists()
    FileVault(tmp_path).create(name)
    with pytest.raises(ConfigError, match=f"{name}'s key is not"):
        ring(tmp_path, now_us)


async def test_the_key_for_drills_may_be_taken_away(tmp_path: Path, now_us: int) -> None:
    made = await keyring(tmp_path, now_us)
    (tmp_path / "drill.key").rename(tmp_path / "safe")
    alone = await keyring(tmp_path, now_us)
    assert (alone.drill, alone.grants) == (None, made.grants)
    assert alone.sign(PLACEMENT) == made.sign(PLACEMENT)


def test_roots_and_authority_may_be_taken_away_and_no_new_root_is_ever_made(
    tmp_path: Path, now_us: int
) -> None:
    made = ring(tmp_path, now_us)
    for name in ("root.key", "root2.key", "authority.key"):
        (tmp_path / name).rename(tmp_path / f"{name}.away")
    alone = ring(tmp_path, now_us + NODE_US - DAY_US)
    assert alone.grants() == made.grants()
    assert [root.secret for root in alone.roots] == [None, None]
    assert alone.holder(Office.AUTHORITY).secret is None
    with pytest.raises(ConfigError, match="no speaker would believe"):
        ring(tmp_path, now_us + NODE_US)
    (tmp_path / "authority.key.away").rename(tmp_path / "authority.key")
    renewed = ring(tmp_path, now_us + NODE_US)
    assert ends_us(renewed, Office.NODE) == pytest.approx(now_us + 2 * NODE_US, abs=2e6)


def test_over_thirty_years_of_starts_every_grant_is_valid_and_serials_grow(
    tmp_path: Path, now_us: int
) -> None:
    vault = FileVault(tmp_path)
    first = ring(tmp_path, now_us, vault)
    speaker, serials = store(first), []
    for month in range(0, 360, 2):
        at_us = now_us + month * 30 * DAY_US
        opened = ring(tmp_path, at_us, vault)
        for token in opened.grants():
            speaker.learn(token)
        for office in (Office.NODE, Office.DRILL, Office.REGISTRAR):
            assert speaker.chains(opened.holder(office).key.key_id, at_us)
            assert ends_us(opened, office) - at_us > 100 * DAY_US, "nobody is ever surprised by an expiry"
        assert [root.key for root in opened.roots] == [root.key for root in first.roots]
        serials.append(tuple(grant.serial for holder in opened.holders for grant in holder.grants))
    assert serials == sorted(serials)
    assert 15 < len(set(serials)) < 30, "renewed when it is time, and not at every start"


def test_a_first_start_with_a_wrong_clock_is_mended_by_the_next(tmp_path: Path, now_us: int) -> None:
    wrong = ring(tmp_path, now_us + 3000 * DAY_US)
    right = ring(tmp_path, now_us)
    assert [root.key for root in right.roots] == [root.key for root in wrong.roots]
    for office in Office:
        assert right.holder(office).grants[0].serial > wrong.holder(office).grants[0].serial
        assert store(right).chains(right.holder(office).key.key_id, now_us)
        assert all(grant.not_before_us <= now_us for grant in right.holder(office).grants)


def test_a_first_start_that_was_cut_short_is_taken_up(tmp_path: Path, now_us: int) -> None:
    vault = FileVault(tmp_path)
    kept = [vault.create(name).public for name in ("root", "root2", "authority", "node", "drill")]
    made = ring(tmp_path, now_us)
    offices = (Office.AUTHORITY, Office.NODE, Office.DRILL)
    assert [root.key for root in made.roots] + [made.holder(one).key for one in offices] == kept


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, now_us: int) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="file"):
        ring(tmp_path / "file" / "keys", now_us)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def first_version(folder: Path, now_us: int) -> tuple[str, str]:
    """What the first Loa left: one root, one authority, and a node with every right. The two grants."""
    root, authority, node = (FileVault(folder).create(name) for name in ("root", "authority", "node"))
    upper = Grant(
        root.public.key_id,
        authority.public,
        Role.AUTHORITY,
        MAX_CLASS,
        MAX_LEVEL,
        (PLACE,),
        now_us,
        now_us + 5 * NODE_US,
        now_us,
        RIGHTS,
    )
    lower = replace(upper, issuer=authority.public.key_id, subject=node.public, role=Role.NODE)
    lower = replace(lower, expires_us=now_us + NODE_US)
    chain = issue(upper, root), issue(lower, authority)
    fields = {"version": 1, "root_place": PLACE, "root": root.public.raw.hex(), "chain": chain}
    (folder / "chain.json").write_text(json.dumps(fields))
    return chain


def test_a_folder_of_the_first_version_is_completed_and_its_speakers_go_on_believing(
    tmp_path: Path, now_us: int
) -> None:
    before = first_version(tmp_path, now_us)
    root = FileVault(tmp_path).load("root")
    assert root is not None
    speaker = ChainStore({root.public.key_id: root.public})
    assert all(speaker.learn(token) for token in before)
    made = ring(tmp_path, now_us + DAY_US)
    for token in made.grants():
        speaker.learn(token)
    rights: dict[Office, frozenset[str]] = {}
    for office in (Office.NODE, Office.DRILL, Office.REGISTRAR):
        (chain,) = speaker.chains(made.holder(office).key.key_id, now_us + DAY_US)
        rights[office] = chain.rights
    assert rights[Office.NODE] == {"air", "time"}, "the speaker has let go of the older, wider grant"
    assert rights[Office.REGISTRAR] == {"place", "volume"}
    assert made.holder(Office.NODE).key == parse_grant(before[1]).subject
    assert len(made.pinned) == 1
    again = ring(tmp_path, now_us + DAY_US)
    assert (again.grants(), again.pinned) == (made.grants(), made.pinned)


def test_a_folder_of_the_first_version_without_the_authoritys_key_says_what_it_needs(
    tmp_path: Path, now_us: int
) -> None:
    first_version(tmp_path, now_us)
    kept = (tmp_path / "chain.json").read_text()
    (tmp_path / "authority.key").rename(tmp_path / "away")
    with pytest.raises(ConfigError, match=r"authority\.key is away"):
        ring(tmp_path, now_us)
    assert (tmp_path / "chain.json").read_text() == kept
    (tmp_path / "away").rename(tmp_path / "authority.key")
    (tmp_path / "root.key").rename(tmp_path / "away")
    made = ring(tmp_path, now_us)
    assert (len(made.roots), made.pinned) == (1, ()), "nobody could announce a second root"
    (tmp_path / "away").rename(tmp_path / "root.key")
    assert (len(ring(tmp_path, now_us).roots), len(ring(tmp_path, now_us).pinned)) == (2, 1)


def test_a_ring_shows_no_secret(tmp_path: Path, now_us: int) -> None:
    made = ring(tmp_path, now_us)
    secrets = [root.secret for root in made.roots] + [holder.secret for holder in made.holders]
    assert len(secrets) == 6
    assert all(key is not None and key.private_bytes().hex() not in repr(made) for key in secrets)
