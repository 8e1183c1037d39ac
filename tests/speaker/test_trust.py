"""New roots and revocations at a speaker: at once, for good, and stored before they count."""

from dataclasses import replace
from typing import Any

import pytest

from loa.speaker.agent import SpeakerAgent, SpeakerConfig
from loa.trust.grants import Role
from loa.trust.keys import SigningKey
from loa.trust.statements import (
    Placement,
    PriorityOrder,
    Revocations,
    Revoked,
    RootsOrder,
    VolumeOrder,
    sign_statement,
)
from loa.wire.control import Bye, Chain, Order, Placed, Roots, Volume, Welcome
from loa.wire.control import Revoked as RevokedMessage
from loa.wire.rank import BroadcastClass

SECOND_US = 1_000_000
FRAME_US = 20_000
NATION, PROVINCE, COMMUNE, ZONE = (number.to_bytes(8, "big").hex() for number in (1, 2, 3, 4))
SPEAKER = (7).to_bytes(8, "big").hex()
LAST = 2**53 - 1
NEW_ROOT, NEWER_ROOT = SigningKey.from_bytes(b"2" * 32), SigningKey.from_bytes(b"3" * 32)


def void(issuer: SigningKey, key: SigningKey, serial: int = 1, version: int = 1) -> RevokedMessage:
    listed = Revocations(version, (Revoked(key.public.key_id, serial),))
    return RevokedMessage(sign_statement(listed, issuer))


def roots(signer: SigningKey, *pinned: SigningKey, version: int = 1) -> Roots:
    return Roots(sign_statement(RootsOrder(version, tuple(root.public for root in pinned)), signer))


def plays(rig: Any, world: Any, **changes: Any) -> bool:
    """Whether a new order of this world's node sounds."""
    session = world.session(**changes)
    siren = world.program(session, at_us=rig.now_us, cls=BroadcastClass.EMERGENCY, detail=4)
    begun_us = rig.now_us
    rig.hear(siren.start_datagram())
    rig.run(1)
    rig.hear(siren.end_datagram(at_us=rig.now_us))
    rig.run(0.3)
    return any(at > begun_us for at in rig.tape.loud_us())


def restarted(make_rig: Any, rig: Any) -> Any:
    rig.world.at_us = rig.now_us + SECOND_US
    return make_rig(rig.world, memory=rig.stored[-1])


# --- revoked


def test_what_sounds_under_a_revoked_chain_stops_at_once(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.tape.loud_us()
    rig.order(void(world.authority, world.node))
    revoked_us = rig.now_us
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.tape.loud_us()[-1] <= revoked_us + 2 * FRAME_US
    assert rig.count("refused_revoked") > 0


def test_a_revoked_session_stops_and_its_node_goes_on(rig: Any, world: Any) -> None:
    stolen = world.session()
    music = world.program(stolen, at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    rig.order(void(world.node, stolen.key))
    revoked_us = rig.now_us
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.tape.loud_us()[-1] <= revoked_us + 2 * FRAME_US
    assert plays(rig, world)


def test_a_revocation_survives_a_restart_and_the_chain_told_again(
    make_rig: Any, rig: Any, world: Any
) -> None:
    rig.order(void(world.authority, world.node))
    again = restarted(make_rig, rig)
    again.order(Chain(world.chain()))
    assert again.count("refused_revoked") >= 1
    assert [message.statement for message in [void(world.authority, world.node)]] == list(
        again.core.memory().revoked
    )
    again.core.sync.linked(again.local_us)
    ask = again.core.tick(again.local_us)[0].message
    again.order(world.time_reply(ask.t1, again.now_us, again.now_us))
    assert again.core.now_us(again.local_us) is None


def test_a_list_from_above_survives_with_the_one_it_voided(make_rig: Any, rig: Any, world: Any) -> None:
    rig.order(void(world.authority, world.node))
    rig.order(void(world.root, world.authority))
    again = restarted(make_rig, rig)
    again.order(Chain((world.grant(world.root, world.authority.public, Role.AUTHORITY, serial=2),)))
    assert not again.core.mandate.store.believes(world.node.public.key_id)


def test_a_new_grant_after_a_revocation_sounds(rig: Any, world: Any) -> None:
    rig.order(void(world.authority, world.node))
    assert not plays(rig, world)
    rig.order(Chain((world.grant(world.authority, world.node.public, Role.NODE, serial=2),)))
    assert plays(rig, world)


def test_an_older_list_brings_nothing_back(rig: Any, world: Any) -> None:
    rig.order(void(world.authority, world.node, version=2))
    rig.order(RevokedMessage(sign_statement(Revocations(1, ()), world.authority)))
    assert not plays(rig, world)


@pytest.mark.parametrize("forge", ["stranger", "signature", "kind"])
def test_a_forged_list_revokes_nothing(rig: Any, world: Any, forge: str) -> None:
    message, reason = {
        "stranger": (void(SigningKey.generate(), world.node), "issuer"),
        "signature": (
            RevokedMessage(replace(void(world.authority, world.node).statement, signature=bytes(64))),
            "signature",
        ),
        "kind": (RevokedMessage(world.volume(-3.0)), "address"),
    }[forge]
    rig.order(message)
    assert rig.count(f"refused_{reason}") == 1
    assert plays(rig, world)


def registrar(world: Any, rig: Any) -> SigningKey:
    key = SigningKey.generate()
    rights = frozenset({"place", "volume", "air"})
    rig.order(Chain((world.grant(world.authority, key.public, Role.OPERATOR, rights=rights),)))
    return key


def test_what_a_revoked_key_ordered_is_undone_and_its_last_word_is_not_the_last(rig: Any, world: Any) -> None:
    thief = registrar(world, rig)
    rig.order(Volume(sign_statement(VolumeOrder(SPEAKER, LAST, -60.0, -60.0, muted=True), thief)))
    rig.order(Order(sign_statement(PriorityOrder(COMMUNE, LAST, ("0a" * 8,)), thief)))
    rig.order(Placed(sign_statement(Placement(SPEAKER, LAST, (NATION, PROVINCE, COMMUNE), 300), thief)))
    assert rig.core.gain(BroadcastClass.ORDINARY) == 0
    assert rig.core.mandate.ancestry == (NATION, PROVINCE, COMMUNE)
    rig.order(Placed(world.placement(version=2)))
    assert rig.core.mandate.ancestry == (NATION, PROVINCE, COMMUNE)
    rig.order(void(world.authority, thief))
    assert rig.core.gain(BroadcastClass.ORDINARY) == 1
    assert rig.core.memory().orders == ()
    rig.order(Placed(world.placement(version=2)))
    assert rig.core.mandate.ancestry == (NATION, PROVINCE, COMMUNE, ZONE)
    rig.order(Volume(world.volume(-20.0, version=1)))
    assert rig.core.gain(BroadcastClass.ORDINARY) == pytest.approx(0.1)


def test_the_order_of_a_revoked_key_no_longer_rules(rig: Any, world: Any) -> None:
    thief = registrar(world, rig)
    first, second = (
        world.program(at_us=rig.now_us + at, cls=BroadcastClass.PRIORITY) for at in (0, FRAME_US)
    )
    rig.order(Order(sign_statement(PriorityOrder(COMMUNE, LAST, (second.broadcast,)), thief)))
    rig.play([first, second], rig.now_us + SECOND_US)
    assert rig.core.timeline.tally.broadcast == second.broadcast
    rig.order(void(world.authority, thief))
    rig.play([first, second], rig.now_us + SECOND_US)
    assert rig.core.timeline.tally.broadcast == first.broadcast


def test_a_volume_for_a_place_needs_a_chain_that_covers_that_place(rig: Any, world: Any) -> None:
    key = SigningKey.generate()
    rig.order(Chain((world.grant(world.authority, key.public, Role.OPERATOR, places=(COMMUNE,)),)))
    rig.order(Volume(sign_statement(VolumeOrder(PROVINCE, LAST, -60.0, -60.0, muted=True), key)))
    assert rig.count("refused_territory") == 1
    rig.order(Volume(sign_statement(VolumeOrder(COMMUNE, 1, -20.0, -20.0, muted=False), key)))
    assert rig.core.gain(BroadcastClass.ORDINARY) == pytest.approx(0.1)


# --- roots


def of_root(world: Any, root: SigningKey) -> Any:
    """The same territory, its authority granted by another root."""
    return replace(world, root=root)


def test_two_generations_are_pinned_and_the_older_is_swapped(rig: Any, world: Any) -> None:
    rig.order(roots(world.root, world.root, NEW_ROOT))
    rig.order(Chain(of_root(world, NEW_ROOT).chain()[:1]))
    rig.order(roots(NEW_ROOT, NEW_ROOT, NEWER_ROOT, version=2))
    assert plays(rig, world)
    rig.order(roots(NEWER_ROOT, NEWER_ROOT, version=3))
    assert not plays(rig, world)
    assert rig.core.memory().chain == ()


def test_what_sounds_under_a_root_that_is_swapped_out_stops(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    rig.order(roots(world.root, NEW_ROOT))
    swapped_us = rig.now_us
    rig.play([music], rig.now_us + SECOND_US)
    assert rig.tape.loud_us()[-1] <= swapped_us + 2 * FRAME_US


def test_new_roots_count_only_once_they_are_stored(rig: Any, world: Any) -> None:
    rig.slow_disk = True
    rig.order(roots(world.root, world.root, NEW_ROOT))
    assert rig.stored[-1].roots == RootsOrder(1, (world.root.public, NEW_ROOT.public))
    above = Chain(of_root(world, NEW_ROOT).chain()[:1])
    rig.order(above)
    assert rig.count("refused_issuer") == 1
    rig.slow_disk = False
    rig.sync_disk()
    rig.order(above)
    assert rig.count("refused_issuer") == 1


def test_roots_survive_a_restart(make_rig: Any, rig: Any, world: Any) -> None:
    rig.order(roots(world.root, NEW_ROOT, NEWER_ROOT))
    rig.order(Chain(of_root(world, NEW_ROOT).chain()))
    again = restarted(make_rig, rig)
    assert again.core.mandate.store.believes(world.node.public.key_id)
    again.order(Chain(world.chain()[:1]))
    assert again.count("refused_issuer") == 1
    again.order(roots(world.root, world.root, version=9))
    assert again.count("refused_root") == 1


def test_a_speaker_that_was_away_follows_step_by_step(rig: Any, world: Any) -> None:
    """Even while its disk is slow, and though the welcome came before the roots that it leads to."""
    new = of_root(world, NEWER_ROOT)
    rig.slow_disk = True
    moved = sign_statement(Placement(SPEAKER, 5, (NATION, PROVINCE, COMMUNE), 200), world.node)
    fresh = new.grant(NEWER_ROOT, world.authority.public, Role.AUTHORITY, serial=7)
    rig.order(Welcome(1, moved, (fresh, new.chain()[1]), (), bytes(16), "cc" * 8, 5))
    rig.order(roots(world.root, world.root, NEW_ROOT))
    rig.order(roots(NEW_ROOT, NEW_ROOT, NEWER_ROOT, version=2))
    rig.slow_disk = False
    rig.sync_disk()
    assert plays(rig, world)
    assert rig.stored[-1].chain[0] == fresh
    steps = rig.count("refused_root")
    rig.order(roots(world.root, world.root, NEW_ROOT))
    assert rig.count("refused_root") == steps == 0


@pytest.mark.parametrize("forge", ["stranger", "authority", "signature", "kind", "version"])
def test_forged_roots_are_refused(rig: Any, world: Any, forge: str) -> None:
    rig.order(roots(world.root, world.root, version=5))
    good = roots(world.root, NEW_ROOT, version=6).statement
    message, reason = {
        "stranger": (roots(NEW_ROOT, NEW_ROOT, version=6), "root"),
        "authority": (roots(world.authority, world.authority, version=6), "root"),
        "signature": (Roots(replace(good, signature=bytes(64))), "signature"),
        "kind": (Roots(sign_statement(Revocations(9, ()), world.root)), "address"),
        "version": (roots(world.root, NEW_ROOT, version=5), None),
    }[forge]
    rig.order(message)
    if reason:
        assert rig.count(f"refused_{reason}") == 1
    assert rig.core.mandate.roots == RootsOrder(5, (world.root.public,))
    assert plays(rig, world)


# --- the whole speaker


async def test_a_speaker_waits_for_approval_gently_says_so_once_and_is_welcome_then(
    node: Any, speakers: Any, wait_until: Any, capfd: Any
) -> None:
    """Pauses that grew, as after other goodbyes, would take a minute for these tries."""
    node.bye = Bye("pending", 0)
    agent = SpeakerAgent(SpeakerConfig(node=node.url, enrolled=node.enrol(SPEAKER)))
    speakers(agent.run())
    await wait_until(lambda: node.hellos >= 7)
    node.bye = None
    await wait_until(lambda: SPEAKER in node.links)
    await wait_until(lambda: agent.core.timeline is not None)
    assert "".join(capfd.readouterr()).count("waits for approval") == 1
