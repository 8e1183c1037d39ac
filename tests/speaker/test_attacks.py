"""Attacks on a loudspeaker: each makes zero samples sound, and is counted once, under its reason.

The attacker has the network, recordings of it, the node's clock, or somebody's keys; never a key of those who
may order here.
"""

import base64
import hmac
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loa.trust.grants import Role
from loa.trust.keys import SigningKey
from loa.trust.statements import (
    Placement,
    Revocations,
    Revoked,
    VolumeOrder,
    sign_statement,
    time_reply_bytes,
)
from loa.wire.control import Chain, Control, Placed, TimeReply, Volume
from loa.wire.control import Revoked as RevokedMessage
from loa.wire.datagram import StartFlags
from loa.wire.rank import BroadcastClass

from .scene import SECOND_US, Scene

DAY_US = 86_400 * SECOND_US
NATION, PROVINCE, COMMUNE, ZONE = (number.to_bytes(8, "big").hex() for number in (1, 2, 3, 4))
NEIGHBOUR = (99).to_bytes(8, "big").hex()
SPEAKER = (7).to_bytes(8, "big").hex()
EMERGENCY = {"cls": BroadcastClass.EMERGENCY, "detail": 4}
AIR, DRILL = frozenset({"air"}), frozenset({"drill"})


def strike_with(make: Callable[[Scene], bytes | Control]) -> Callable[[Scene], None]:
    return lambda scene: scene.strike(make(scene))


def a_start(session: Callable[[Any], Any] = lambda world: None, **changes: Any) -> Callable[[Scene], None]:
    return strike_with(lambda scene: scene.siren(session(scene.world), **changes).start_datagram())


# --- forged and damaged


def signed_by(key: Callable[[Scene], SigningKey]) -> Callable[[Scene], None]:
    def attack(scene: Scene) -> None:
        siren = scene.siren()
        siren.session = replace(siren.session, key=key(scene))
        scene.strike(siren.start_datagram())

    return attack


def unsigned(scene: Scene) -> None:
    scene.strike(scene.siren().start_datagram()[:-64] + bytes(64))


def audio_alone(scene: Scene) -> None:
    scene.strike(scene.siren().audio_datagram())


def with_token(change: Callable[[Any, str], str]) -> Callable[[Scene], None]:
    """A start whose session's grant is not what it was."""

    def attack(scene: Scene) -> None:
        siren = scene.siren()
        token = change(scene.world, siren.session.grant)
        scene.strike(siren.start_datagram(grant=token))

    return attack


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def alg_none(_world: Any, token: str) -> str:
    return ".".join((b64(b'{"alg":"none"}'), token.split(".")[1], ""))


def key_confusion(world: Any, token: str) -> str:
    """The public key taken for the secret of an HMAC."""
    signed = b64(b'{"alg":"HS256","typ":"loa-grant+jwt"}') + "." + token.split(".")[1]
    return signed + "." + b64(hmac.digest(world.node.public.raw, signed.encode(), "sha256"))


def wider_claims(_world: Any, token: str) -> str:
    header, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return ".".join((header, b64(json.dumps(said | {"plc": [NATION], "lvl": 15}).encode()), signature))


def swapped_link(scene: Scene) -> None:
    """The attacker's node, in the authority's name, under the signature of another link."""
    world, evil = scene.world, SigningKey.generate()
    good = world.chain()[1]
    header, claims, _ = world.grant(world.authority, evil.public, Role.NODE).split(".")
    scene.strike(Chain((f"{header}.{claims}.{good.split('.')[2]}",)))


def of_a_fresh_chain(scene: Scene) -> Any:
    return type(scene.world)(at_us=scene.world.at_us)


def fresh_chain_told(scene: Scene) -> None:
    scene.strike(Chain(of_a_fresh_chain(scene).chain()[:1]))


def fresh_chain_aired(scene: Scene) -> None:
    scene.strike(of_a_fresh_chain(scene).program(at_us=scene.rig.now_us).start_datagram())


def expired_chain(scene: Scene) -> None:
    world = scene.world
    ends_us = scene.rig.now_us + 5 * SECOND_US
    scene.rig.order(
        Chain((world.grant(world.authority, world.node.public, Role.NODE, serial=2, expires_us=ends_us),))
    )
    session = world.session(expires_us=ends_us)
    scene.rig.run(6)
    scene.strike(scene.siren(session).start_datagram())


def revoked_chain(scene: Scene) -> None:
    void = Revocations(1, (Revoked(scene.world.node.public.key_id, 1),))
    scene.rig.order(RevokedMessage(sign_statement(void, scene.world.authority)))
    scene.strike(scene.siren().start_datagram())


# --- heard before


def replayed_after(seconds: int) -> Callable[[Scene], None]:
    def attack(scene: Scene) -> None:
        tape = scene.record()
        scene.rig.now_us += seconds * SECOND_US
        scene.rig.carry_out(scene.rig.core.tick(scene.rig.local_us))
        scene.strike(tape[0])

    return attack


def replayed_after_a_reboot(scene: Scene) -> None:
    tape = scene.record()
    scene.reboot(10 * SECOND_US)
    scene.rig.fix()
    scene.strike(tape[0])


def replayed_before_the_time_is_known(scene: Scene) -> None:
    tape = scene.record()
    scene.reboot(0)
    scene.strike(tape[0])


def replayed_just_before_the_time_comes(scene: Scene) -> None:
    tape = scene.record()
    scene.reboot(0)
    scene.rig.hear(tape[0])
    scene.before, scene.struck_us = Counter(), scene.rig.now_us
    scene.rig.fix()
    scene.rig.run(3)


def set_back_a_day(scene: Scene) -> None:
    """The node's own key tells a restarted speaker the time of yesterday's recording."""
    scene.record()
    scene.reboot(-DAY_US)
    core, rig = scene.rig.core, scene.rig
    core.sync.linked(rig.local_us)
    ask = core.tick(rig.local_us)[0].message
    scene.strike(scene.world.time_reply(ask.t1, rig.now_us, rig.now_us))
    assert core.now_us(rig.local_us) is None


def set_back_while_it_runs(scene: Scene) -> None:
    scene.record()
    rig = scene.rig
    ask = rig.core.sync.ask(rig.local_us, playing=True)
    past_us = rig.now_us - 3600 * SECOND_US
    scene.strike(scene.world.time_reply(ask.t1, past_us, past_us, clock_id="dd" * 8))
    assert abs(rig.core.now_us(rig.local_us) - rig.now_us) < SECOND_US


def the_end_first(scene: Scene) -> None:
    siren = scene.siren()
    first = siren.start_datagram()
    scene.rig.hear(siren.start_datagram())
    scene.rig.hear(siren.end_datagram(at_us=scene.rig.now_us))
    scene.rig.run(1)
    scene.strike(first)


def held_back(scene: Scene) -> None:
    first = scene.siren().start_datagram()
    scene.rig.run(6)
    scene.strike(first)


# --- what one may not


def after_its_end(scene: Scene) -> None:
    session = scene.world.session(expires_us=scene.rig.now_us + 5 * SECOND_US)
    scene.rig.run(6)
    scene.strike(scene.siren(session).start_datagram())


def commune_node(scene: Scene, place: str) -> Any:
    """A captured server of a commune: its own key, its own grant, any session it likes."""
    world, node = scene.world, SigningKey.generate()
    grant = world.grant(world.authority, node.public, Role.NODE, places=(place,), level=12)
    scene.rig.order(Chain((grant,)))
    return world.session(issuer=node, places=(place,), level=12)


def provincial_alert_from_a_neighbour(scene: Scene) -> None:
    session = commune_node(scene, NEIGHBOUR)
    scene.strike(scene.siren(session, targets=(PROVINCE,), level=12, **EMERGENCY).start_datagram())


def provincial_alert_at_home(scene: Scene) -> None:
    session = commune_node(scene, COMMUNE)
    scene.strike(scene.siren(session, targets=(PROVINCE,), level=14, **EMERGENCY).start_datagram())


def captured(scene: Scene) -> SigningKey:
    """Another speaker's own key pair, which signs nothing but that speaker's hello."""
    return SigningKey.generate()


def captured_places(scene: Scene) -> Control:
    placed = Placement(SPEAKER, 9, (NATION, PROVINCE, NEIGHBOUR), 200)
    return Placed(sign_statement(placed, captured(scene)))


def captured_places_as_the_node(scene: Scene) -> Control:
    forged = sign_statement(Placement(SPEAKER, 9, (NATION, PROVINCE, NEIGHBOUR), 200), captured(scene))
    return Placed(replace(forged, key_id=scene.world.node.public.key_id))


def captured_tells_the_time(scene: Scene) -> Control:
    key, t3 = captured(scene), scene.rig.now_us + DAY_US
    signature = key.sign(time_reply_bytes(1, t3, t3, "dd" * 8))
    return TimeReply(1, t3, t3, "dd" * 8, signature, key.public.key_id)


def neighbour_takes(scene: Scene) -> None:
    """Who may place at a neighbour's takes no speaker from here."""
    world, registrar = scene.world, SigningKey.generate()
    rights = frozenset({"place", "volume"})
    grant = world.grant(world.authority, registrar.public, Role.OPERATOR, places=(NEIGHBOUR,), rights=rights)
    scene.rig.order(Chain((grant,)))
    placed = Placement(SPEAKER, 9, (NATION, PROVINCE, NEIGHBOUR), 200)
    scene.strike(Placed(sign_statement(placed, registrar)))


def without_the_right(scene: Scene) -> Any:
    """The node's key, when placing and muting is another's."""
    world, node = scene.world, SigningKey.generate()
    scene.rig.order(
        Chain((world.grant(world.authority, node.public, Role.NODE, rights=frozenset({"air", "time"})),))
    )
    return node


def node_moves(scene: Scene) -> None:
    node = without_the_right(scene)
    scene.strike(Placed(sign_statement(Placement(SPEAKER, 9, (NATION, PROVINCE), 200), node)))


def node_mutes(scene: Scene) -> None:
    node = without_the_right(scene)
    scene.strike(Volume(sign_statement(VolumeOrder(SPEAKER, 9, -60.0, -60.0, muted=True), node)))


ATTACKS: dict[str, tuple[str, Callable[[Scene], None]]] = {
    "unsigned": ("signature", unsigned),
    "audio without a start": ("unknown", audio_alone),
    "signed by a stranger": ("signature", signed_by(lambda _: SigningKey.generate())),
    "grant with alg none": ("algorithm", with_token(alg_none)),
    "grant signed with a public key as HMAC secret": ("algorithm", with_token(key_confusion)),
    "grant with wider claims under the old signature": ("signature", with_token(wider_claims)),
    "fresh chain, told ahead": ("issuer", fresh_chain_told),
    "fresh chain, on air": ("issuer", fresh_chain_aired),
    "link swapped": ("signature", swapped_link),
    "chain expired": ("expired", expired_chain),
    "chain revoked": ("revoked", revoked_chain),
    "session wider than its node": (
        "wider",
        a_start(lambda world: world.session(expires_us=world.at_us + 500 * DAY_US)),
    ),
    "replayed after a second": ("ended", replayed_after(1)),
    "replayed after an hour": ("replay", replayed_after(3600)),
    "replayed after a reboot": ("replay", replayed_after_a_reboot),
    "replayed before the time is known": ("clock", replayed_before_the_time_is_known),
    "replayed just before the time comes": ("replay", replayed_just_before_the_time_comes),
    "clock set back a day, rebooted": ("past", set_back_a_day),
    "clock set back while it runs": ("past", set_back_while_it_runs),
    "re-ordered: its start after its end": ("ended", the_end_first),
    "re-ordered: held back for six seconds": ("replay", held_back),
    "targets elsewhere": ("territory", a_start(targets=(NEIGHBOUR,))),
    "session outside its territory": ("territory", a_start(lambda world: world.session(places=(NEIGHBOUR,)))),
    "session above its class": ("class", a_start(lambda world: world.session(max_class=2), **EMERGENCY)),
    "session above its level": (
        "level",
        a_start(lambda world: world.session(level=3), level=14, **EMERGENCY),
    ),
    "session after its end": ("expired", after_its_end),
    "provincial alert of a neighbour's node": ("territory", provincial_alert_from_a_neighbour),
    "provincial alert of the commune's own node": ("level", provincial_alert_at_home),
    "captured speaker's key signs a start": ("signature", signed_by(captured)),
    "captured speaker's key places": ("issuer", strike_with(captured_places)),
    "captured speaker's key places in the node's name": (
        "signature",
        strike_with(captured_places_as_the_node),
    ),
    "captured speaker's key tells the time": ("issuer", strike_with(captured_tells_the_time)),
    "neighbour's registrar takes a speaker": ("territory", neighbour_takes),
    "node moves a speaker": ("right", node_moves),
    "node mutes a speaker": ("right", node_mutes),
    "drill key for real": ("right", a_start(lambda world: world.session(rights=DRILL))),
    "drill key for a real emergency": (
        "right",
        a_start(lambda world: world.session(rights=DRILL), **EMERGENCY),
    ),
    "real key for a drill": (
        "right",
        a_start(lambda world: world.session(rights=AIR), flags=StartFlags.DRILL),
    ),
    "a key for both, for real": ("right", a_start(lambda world: world.session(rights=AIR | DRILL))),
    "a key for both, as drill": (
        "right",
        a_start(lambda world: world.session(rights=AIR | DRILL), flags=StartFlags.DRILL),
    ),
}


@pytest.fixture
def scene(world: Any, make_rig: Any) -> Scene:
    return Scene(world, make_rig, make_rig(world).fix())


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_silent_and_counted_once(scene: Scene, name: str) -> None:
    reason, attack = ATTACKS[name]
    attack(scene)
    assert scene.sounded() == []
    assert scene.counted() == {f"refused_{reason}": 1}


def test_what_the_attacks_imitate_does_sound(scene: Scene) -> None:
    """Or their silence would prove nothing."""
    scene.strike(scene.siren().start_datagram())
    assert scene.sounded()
    drill = scene.world.session(rights=DRILL)
    exercise = scene.siren(drill, flags=StartFlags.DRILL, cls=BroadcastClass.PRIORITY)
    scene.strike(exercise.start_datagram())
    assert scene.sounded()
    scene.strike(scene.siren(commune_node(scene, COMMUNE), level=12, **EMERGENCY).start_datagram())
    assert scene.sounded()
    assert scene.counted() == {}
