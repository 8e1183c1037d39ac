"""Volume, the commune's order, placement, time: acted on once, by whoever may, and kept through a restart."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loa.trust.grants import Role
from loa.trust.keys import SigningKey
from loa.trust.statements import sign_statement
from loa.wire.control import Order, Placed, Problem, TimeAsk, UnknownKind, Volume
from loa.wire.rank import BroadcastClass

SECOND_US = 1_000_000
NATION, PROVINCE, COMMUNE, ZONE = (number.to_bytes(8, "big").hex() for number in (1, 2, 3, 4))
ELSEWHERE = (99).to_bytes(8, "big").hex()
EMERGENCY = {"cls": BroadcastClass.EMERGENCY, "detail": 4}


def loudest(rig: Any) -> int:
    return max((int(np.abs(frame.astype(int)).max()) for _, frame in rig.tape.frames[5:]), default=0)


def air(rig: Any, world: Any, **changes: Any) -> int:
    rig.tape.frames.clear()
    music = world.program(at_us=rig.now_us, **changes)
    rig.play([music], rig.now_us + SECOND_US)
    heard = loudest(rig)
    rig.hear(music.end_datagram())
    rig.run(0.5)
    return heard


def test_volume_makes_it_quieter(rig: Any, world: Any) -> None:
    full = air(rig, world)
    rig.order(Volume(world.volume(-20.0)))
    assert air(rig, world) == pytest.approx(full / 10, rel=0.1)


def test_muted_is_silent_but_an_emergency_has_its_floor(rig: Any, world: Any) -> None:
    full = air(rig, world)
    rig.order(Volume(world.volume(0.0, floor_db=-6.0, muted=True)))
    assert air(rig, world) == 0
    assert air(rig, world, **EMERGENCY) == pytest.approx(full / 2, rel=0.1)


def test_too_loud_is_clipped_not_wrapped(rig: Any, world: Any) -> None:
    rig.order(Volume(world.volume(20.0)))
    assert air(rig, world) == 32767 or air(rig, world) == 32768


def test_the_nearest_volume_rules(rig: Any, world: Any) -> None:
    full = air(rig, world)
    rig.order(Volume(world.volume(-20.0, target=COMMUNE)))
    rig.order(Volume(world.volume(-6.0)))
    assert air(rig, world) == pytest.approx(full / 2, rel=0.1)


def test_an_older_volume_is_ignored(rig: Any, world: Any) -> None:
    full = air(rig, world)
    rig.order(Volume(world.volume(-6.0, version=5)))
    rig.order(Volume(world.volume(-40.0, version=5)))
    rig.order(Volume(world.volume(-40.0, version=4)))
    assert air(rig, world) == pytest.approx(full / 2, rel=0.1)


def test_volume_for_another_place_is_refused(rig: Any, world: Any) -> None:
    rig.order(Volume(world.volume(-40.0, target=ELSEWHERE)))
    assert rig.count("refused_address") == 1


def test_volume_by_a_key_without_the_right_is_refused(make_rig: Any, world: Any) -> None:
    rig = make_rig(world, memory=world.memory(chain=world.chain(rights=frozenset({"air", "place", "time"}))))
    rig.fix()
    rig.order(Volume(world.volume(-40.0)))
    assert rig.count("refused_right") == 1


def test_a_forged_statement_is_refused(rig: Any, world: Any) -> None:
    forged = replace(world.volume(-40.0), signature=b"\1" * 64)
    rig.order(Volume(forged))
    assert rig.count("refused_signature") == 1


def test_the_commune_decides_the_order_of_the_priority_class(rig: Any, world: Any) -> None:
    first, second = (
        world.program(at_us=rig.now_us + at, cls=BroadcastClass.PRIORITY) for at in (0, FRAME_US_LATER)
    )
    rig.play([first, second], rig.now_us + SECOND_US)
    assert rig.core.timeline.tally.broadcast == first.broadcast
    rig.order(Order(world.order(COMMUNE, (second.broadcast,))))
    rig.play([first, second], rig.now_us + SECOND_US)
    assert rig.core.timeline.tally.broadcast == second.broadcast
    rig.order(Order(world.order(COMMUNE, (), version=2)))
    rig.play([first, second], rig.now_us + SECOND_US)
    assert rig.core.timeline.tally.broadcast == first.broadcast


FRAME_US_LATER = 20_000


def test_an_order_needs_a_chain_that_covers_its_place(make_rig: Any, world: Any) -> None:
    rig = make_rig(world, memory=world.memory(chain=world.chain(places=(COMMUNE,)))).fix()
    rig.order(Order(world.order(PROVINCE, ("0a" * 8,))))
    assert rig.count("refused_territory") == 1


def test_orders_outlive_a_restart(make_rig: Any, rig: Any, world: Any) -> None:
    rig.order(Volume(world.volume(0.0, muted=True, version=3)))
    rig.order(Order(world.order(COMMUNE, ("0a" * 8,), version=3)))
    again = make_rig(world, memory=rig.stored[-1]).fix()
    assert air(again, world) == 0
    again.order(Volume(world.volume(0.0, version=2)))
    assert air(again, world) == 0
    again.order(Order(world.order(COMMUNE, (), version=2)))
    assert len(again.core.memory().orders) == 1


def test_the_commune_s_order_rules_after_a_restart(make_rig: Any, rig: Any, world: Any) -> None:
    first, second = (
        world.program(at_us=rig.now_us + at, cls=BroadcastClass.PRIORITY) for at in (0, FRAME_US_LATER)
    )
    rig.order(Order(world.order(COMMUNE, (second.broadcast,))))
    again = make_rig(world, memory=rig.stored[-1]).fix()
    again.play([first, second], again.now_us + SECOND_US)
    assert again.core.timeline.tally.broadcast == second.broadcast


def test_a_new_latency_holds_at_once(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us)
    rig.play([music], rig.now_us + SECOND_US)
    rig.order(Placed(world.placement(latency_ms=500, version=2)))
    rig.play([music], rig.now_us + 2 * SECOND_US)
    at_us, _ = rig.tape.frames[-1]
    assert (at_us - 500_000 + 6_500) % 20_000 == 0
    assert rig.count("lost") == 0


def test_a_placement_of_another_speaker_is_refused(rig: Any, world: Any) -> None:
    rig.order(Placed(world.placement(version=9, speaker="0b" * 8)))
    assert rig.count("refused_address") == 1


def test_a_placement_where_its_signer_has_no_say_is_refused(make_rig: Any, world: Any) -> None:
    rig = make_rig(world, memory=world.memory(chain=world.chain(places=(COMMUNE,)))).fix()
    rig.order(Placed(world.placement(version=9, ancestry=(NATION, ELSEWHERE))))
    assert rig.count("refused_territory") == 1
    assert rig.core.mandate.ancestry[-1] == ZONE


def test_a_kind_of_a_later_version_is_answered_with_a_problem(rig: Any) -> None:
    rig.order(UnknownKind("teleport"))
    assert isinstance(rig.said[-1], Problem)
    assert "teleport" in rig.said[-1].what


# --- time


def question(rig: Any) -> int:
    rig.core.sync.linked(rig.local_us)
    asked = [effect.message for effect in rig.core.tick(rig.local_us)]
    (ask,) = (message for message in asked if isinstance(message, TimeAsk))
    return ask.t1


@pytest.mark.parametrize("shift_us", [3600 * SECOND_US, -3600 * SECOND_US])
def test_a_time_signed_by_a_stranger_moves_nothing(make_rig: Any, world: Any, shift_us: int) -> None:
    rig = make_rig(world)
    stranger = replace(world, node=SigningKey.generate())
    for _ in range(8):
        at_us = rig.now_us + shift_us
        rig.order(stranger.time_reply(question(rig), at_us, at_us))
    assert rig.core.now_us(rig.local_us) is None
    assert rig.count("refused_issuer") == 8


def test_a_changed_time_is_refused(make_rig: Any, world: Any) -> None:
    rig = make_rig(world)
    for _ in range(8):
        reply = world.time_reply(question(rig), rig.now_us, rig.now_us)
        rig.order(replace(reply, t3=reply.t3 + 1))
    assert rig.core.now_us(rig.local_us) is None
    assert rig.count("refused_signature") == 8


def test_an_answer_that_nobody_asked_for_is_ignored(make_rig: Any, world: Any) -> None:
    rig = make_rig(world)
    for number in range(8):
        rig.order(world.time_reply(number, rig.now_us, rig.now_us))
    assert rig.core.now_us(rig.local_us) is None


def test_a_time_before_what_was_acted_on_is_refused(make_rig: Any, world: Any) -> None:
    rig = make_rig(world, memory=world.memory(floor_us=world.at_us + 3600 * SECOND_US))
    rig.order(world.time_reply(question(rig), rig.now_us, rig.now_us))
    assert rig.count("refused_past") == 1


def test_a_time_before_the_grants_began_is_refused(make_rig: Any, world: Any) -> None:
    rig = make_rig(world)
    long_ago = world.at_us - 2 * 365 * 86_400 * SECOND_US
    rig.order(world.time_reply(question(rig), long_ago, long_ago))
    assert rig.count("refused_past") == 1


def test_time_needs_the_right_to_tell_it(make_rig: Any, world: Any) -> None:
    rig = make_rig(world, memory=world.memory(chain=world.chain(rights=frozenset({"air", "place"}))))
    rig.order(world.time_reply(question(rig), rig.now_us, rig.now_us))
    assert rig.count("refused_right") == 1


def test_a_chain_that_was_learned_outlives_a_restart(make_rig: Any, rig: Any, world: Any) -> None:
    from loa.wire.control import Chain

    neighbour = SigningKey.generate()
    rig.order(Chain((world.grant(world.authority, neighbour.public, Role.NODE),)))
    again = make_rig(world, memory=rig.stored[-1]).fix()
    rig.tape.frames.clear()
    sender = world.program(world.session(issuer=neighbour), at_us=again.now_us)
    again.play([sender], again.now_us + SECOND_US)
    assert again.tape.loud_us()


def test_a_broadcast_may_live_longer_by_a_later_start(rig: Any, world: Any) -> None:
    music = world.program(at_us=rig.now_us, lasts_us=SECOND_US)
    rig.play([music], rig.now_us + SECOND_US // 2)
    music.start = replace(music.start, expires_us=music.start.expires_us + 5 * SECOND_US)
    rig.hear(music.start_datagram())
    rig.play([music], rig.now_us + 2 * SECOND_US)
    assert rig.tape.loud_us()[-1] > music.start.started_us + 2 * SECOND_US


def test_what_is_no_statement_of_that_kind_is_refused(rig: Any, world: Any) -> None:
    order = world.order(COMMUNE, ())
    rig.order(Volume(order))
    rig.order(Order(world.volume(0.0)))
    rig.order(Placed(sign_statement(world_volume(), world.node)))
    assert rig.count("refused_address") == 2
    assert rig.count("refused_territory") == 1


def world_volume() -> Any:
    from loa.trust.statements import VolumeOrder

    return VolumeOrder(ZONE, 1, 0.0, 0.0, muted=False)
