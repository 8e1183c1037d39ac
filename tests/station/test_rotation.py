"""Rotation and revocation as a speaker lives through them: never without a chain, rid of the old in time."""

from pathlib import Path

import pytest

from loa.errors import ConfigError, ConflictError, NotFoundError, RefusedError
from loa.station.keyring import Keyring, KeysEvent, open_ring, ring_path
from loa.station.ring import DAY_US, Office, Ring
from loa.station.rotation import MOST_RETIRED, OVERLAP_US
from loa.station.vault import FileVault
from loa.trust.grants import ChainStore, parse_grant
from loa.trust.keys import SigningKey, VerifyKey
from loa.trust.statements import Revocations, RootsOrder, open_statement

PLACE = "b" * 16
ANCESTRY = (PLACE,)
BELOW = (Office.NODE, Office.DRILL, Office.REGISTRAR)
RIGHTS = {Office.NODE: "air", Office.DRILL: "drill", Office.REGISTRAR: "place"}


class Speaker:
    """What a speaker keeps of the keys: it does as it is told, by whoever may tell it."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.pinned = {keyring.roots[0].key_id: keyring.roots[0]}
        self.store = ChainStore(self.pinned)
        self.listen()

    def listen(self) -> None:
        """A welcome, or the same after a change."""
        self._learn(self.keyring.grants)
        for statement in self.keyring.statements:
            try:
                content = open_statement(statement, self._key(statement.key_id))
            except RefusedError:
                continue
            if isinstance(content, RootsOrder):
                self.pinned = {root.key_id: root for root in content.roots}
                self.store.pin(content)
            elif isinstance(content, Revocations):
                self.store.revoke(self._key(statement.key_id), content)
        self._learn(self.keyring.other_grants)

    def believes(self, key: VerifyKey, right: str, now_us: int) -> bool:
        try:
            return bool(self.store.authority(key.key_id, right, ANCESTRY, now_us))
        except RefusedError:
            return False

    def _key(self, key_id: str) -> VerifyKey:
        return self.pinned.get(key_id) or self.store.key(key_id)

    def _learn(self, tokens: tuple[str, ...]) -> None:
        for token in tokens:
            try:
                self.store.learn(token)
            except RefusedError:
                continue


def ring(folder: Path, now_us: int) -> Ring:
    return open_ring(folder, FileVault(folder), PLACE, now_us)


def opened(folder: Path, now_us: int) -> Keyring:
    return Keyring(ring(folder, now_us), FileVault(folder), ring_path(folder), hand_over_s=0)


def keys_of(keyring: Keyring) -> dict[Office, VerifyKey]:
    return {office: keyring.ring.holder(office).key for office in BELOW}


def believed(speaker: Speaker, keys: dict[Office, VerifyKey], now_us: int) -> list[Office]:
    return [office for office, key in keys.items() if speaker.believes(key, RIGHTS[office], now_us)]


@pytest.mark.parametrize("which", ["node", "drill", "registrar", "authority", "root"])
async def test_a_speaker_believes_the_new_before_the_old_is_void(
    tmp_path: Path, now_us: int, which: str
) -> None:
    keyring = opened(tmp_path, now_us)
    linked, away = Speaker(keyring), Speaker(keyring)
    old = keys_of(keyring)

    def heard(event: KeysEvent) -> None:
        signing = keyring.node, keyring.drill, keyring.registrar
        keys = [key.public for key in signing if key is not None]
        assert keys == list(old.values()) if event is KeysEvent.TOLD else list(keys_of(keyring).values())
        linked.listen()
        for office, key in zip(BELOW, keys, strict=True):
            assert linked.believes(key, RIGHTS[office], now_us), "whoever signs is believed at every moment"

    keyring.subscribe(heard)
    await keyring.rotate(which, now_us=now_us)
    new = keys_of(keyring)
    assert believed(linked, old, now_us) == list(BELOW), "what is on air goes on"
    assert believed(linked, new, now_us) == list(BELOW)
    later_us = now_us + OVERLAP_US
    after = opened(tmp_path, later_us)
    for speaker in (linked, away, Speaker(after)):
        speaker.keyring = after
        speaker.listen()
        assert believed(speaker, new, later_us) == list(BELOW)
        left = [office for office in BELOW if office.value != which]
        assert believed(speaker, old, later_us) == left, "a day later the old key is void"
    assert after.ring.retired == ()


async def test_a_revoked_key_stays_void_with_the_next_revocation_and_over_restarts(
    tmp_path: Path, now_us: int
) -> None:
    keyring = opened(tmp_path, now_us)
    speaker = Speaker(keyring)
    stolen = [keyring.node.public]
    for step in range(1, 4):
        await keyring.rotate("node", now_us=now_us + step)
        await keyring.revoke(stolen[-1].key_id, now_us=now_us + step)
        stolen.append(keyring.node.public)
    again = opened(tmp_path, now_us + 10)
    fresh = Speaker(again)
    speaker.listen()
    for one in (speaker, fresh):
        assert [one.believes(key, "air", now_us + 10) for key in stolen] == [False, False, False, True]
    assert len(again.statements) == 2, "one announcement of roots, one list of the authority"


async def test_seven_generations_of_root_lead_a_speaker_that_slept_to_the_last(
    tmp_path: Path, now_us: int
) -> None:
    keyring = opened(tmp_path, now_us)
    boxed = Speaker(keyring)
    for step in range(1, 8):
        await keyring.rotate("root", now_us=now_us + step)
    boxed.listen()
    boxed.listen()
    assert tuple(boxed.pinned.values()) == keyring.roots
    assert believed(boxed, keys_of(keyring), now_us) == list(BELOW)
    assert [root.generation for root in keyring.ring.roots] == [8, 9]


async def test_a_new_root_needs_one_pinned_root_a_new_authority_all_of_them(
    tmp_path: Path, now_us: int
) -> None:
    ring(tmp_path, now_us)
    (tmp_path / "root.key").rename(tmp_path / "safe")
    keyring = opened(tmp_path, now_us)
    with pytest.raises(ConfigError, match=r"root\.key"):
        await keyring.rotate("authority", now_us=now_us)
    speaker = Speaker(keyring)
    await keyring.rotate("root", now_us=now_us)
    speaker.listen()
    assert believed(speaker, keys_of(keyring), now_us) == list(BELOW)
    assert [root.secret is not None for root in keyring.ring.roots] == [True, True]


async def test_without_the_authoritys_key_nothing_below_is_changed(tmp_path: Path, now_us: int) -> None:
    opened(tmp_path, now_us)
    (tmp_path / "authority.key").rename(tmp_path / "safe")
    keyring = opened(tmp_path, now_us)
    kept = keyring.ring
    for which in BELOW:
        with pytest.raises(ConfigError, match=r"authority\.key is away"):
            await keyring.rotate(which, now_us=now_us)
    assert keyring.ring is kept
    assert ring(tmp_path, now_us).grants() == kept.grants()


async def test_what_is_in_use_is_not_revoked_and_what_is_unknown_neither(tmp_path: Path, now_us: int) -> None:
    keyring = opened(tmp_path, now_us)
    for key in (*keyring.roots, *keys_of(keyring).values(), keyring.ring.holder(Office.AUTHORITY).key):
        with pytest.raises(ConflictError, match="in use"):
            await keyring.revoke(key.key_id, now_us=now_us)
    with pytest.raises(NotFoundError):
        await keyring.revoke(SigningKey.generate().public.key_id, now_us=now_us)
    with pytest.raises(NotFoundError, match="moon"):
        await keyring.rotate("moon", now_us=now_us)
    for _ in range(MOST_RETIRED):
        await keyring.rotate("drill", now_us=now_us)
    with pytest.raises(ConflictError, match="revoke them first"):
        await keyring.rotate("drill", now_us=now_us)


async def test_a_clock_set_back_gives_no_older_version(tmp_path: Path, now_us: int) -> None:
    keyring = opened(tmp_path, now_us)
    speaker = Speaker(keyring)
    versions = [keyring.ring.version]
    for which in ("node", "root", "node"):
        old = keyring.node.public
        await keyring.rotate(which, now_us=now_us - DAY_US)
        if which == "node":
            await keyring.revoke(old.key_id, now_us=now_us - DAY_US)
            speaker.listen()
            assert not speaker.believes(old, "air", now_us)
        versions.append(keyring.ring.version)
    assert versions == sorted(set(versions))
    speaker.listen()
    assert believed(speaker, keys_of(keyring), now_us) == list(BELOW)


async def test_a_rotation_that_was_cut_short_takes_its_key_up(tmp_path: Path, now_us: int) -> None:
    kept = opened(tmp_path, now_us)
    left = FileVault(tmp_path).create("node2")
    await kept.rotate("node", now_us=now_us)
    assert kept.node.public == left.public
    assert parse_grant(kept.node_token).subject == left.public
    assert ring(tmp_path, now_us).holder(Office.NODE).key == left.public, "on the disk before it signs"
