"""The mint: sessions for what was ordered and nothing else; drills under a key of their own."""

from dataclasses import dataclass, replace

import pytest

from loa.clock import VirtualClock
from loa.errors import DeniedError
from loa.streamer.broadcast import Order, ToneSource
from loa.streamer.mint import MOST_PLACES, NodeMint
from loa.streamer.territory import Place, Territory
from loa.trust.grants import Grant, Role, issue, parse_grant
from loa.trust.keys import SigningKey
from loa.trust.tokens import MAX_LEVEL, SECOND_US
from loa.wire.rank import BroadcastClass

PROVINCE, NORTH, SOUTH = "1" * 16, "2" * 16, "3" * 16
HAMLETS = tuple(f"{n:016x}" for n in range(0x40, 0x40 + MOST_PLACES + 1))
LAND = Territory(
    [
        Place(PROVINCE, None, "Tỉnh", "tinh", "province"),
        Place(NORTH, PROVINCE, "Bắc", "bac", "commune", 1),
        *(Place(name, NORTH, f"Ấp {name[-2:]}", f"ap-{name[-2:]}", "hamlet") for name in HAMLETS),
        Place(SOUTH, PROVINCE, "Nam", "nam", "commune", 2),
    ]
)
DAY_US = 86_400 * SECOND_US


@dataclass
class Keys:
    """Of a node that was granted the north only, up to priority."""

    node: SigningKey
    node_token: str
    drill: SigningKey | None
    drill_token: str


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def keys(clock: VirtualClock) -> Keys:
    above, node, drill = (SigningKey.generate() for _ in range(3))
    now_us = clock.now_us()
    own = Grant(
        issuer=above.public.key_id,
        subject=node.public,
        role=Role.NODE,
        max_class=2,
        level=14,
        places=(NORTH,),
        not_before_us=now_us - DAY_US,
        expires_us=now_us + DAY_US,
        serial=1,
        rights=frozenset({"air", "time"}),
    )
    drills = replace(own, subject=drill.public, max_class=3, rights=frozenset({"drill"}))
    return Keys(node, issue(own, above), drill, issue(drills, above))


def order(clock: VirtualClock, *targets: str, **more: object) -> Order:
    values: dict[str, object] = {"cls": BroadcastClass.PRIORITY, "drill": False} | more
    return Order(
        id="a" * 16,
        program_id="b" * 16,
        title="Bản tin",
        targets=targets or (NORTH,),
        issuer_place=NORTH,
        expires_us=clock.now_us() + 600 * SECOND_US,
        source=ToneSource(),
        **values,  # type: ignore[arg-type]
    )


def minted(keys: Keys, clock: VirtualClock, wanted: Order, level: int = 14) -> Grant:
    token = NodeMint(keys, clock, lambda: LAND).session(SigningKey.generate().public, wanted, level)
    return parse_grant(token)


def test_a_session_may_do_what_was_ordered_and_no_more(keys: Keys, clock: VirtualClock) -> None:
    grant = minted(keys, clock, order(clock, HAMLETS[0], cls=BroadcastClass.ORDINARY), 12)
    assert (grant.issuer, grant.role, grant.rights) == (
        keys.node.public.key_id,
        Role.SESSION,
        frozenset({"air"}),
    )
    assert (grant.max_class, grant.level, grant.places) == (1, 12, (HAMLETS[0],))
    assert grant.expires_us <= clock.now_us() + 602 * SECOND_US
    assert minted(keys, clock, order(clock, *HAMLETS)).places == (NORTH,), "the nearest place above them all"


def test_a_drill_hangs_from_the_key_for_drills_and_may_sound_drills_only(
    keys: Keys, clock: VirtualClock
) -> None:
    assert keys.drill is not None
    grant = minted(keys, clock, order(clock, drill=True, cls=BroadcastClass.EMERGENCY))
    assert (grant.issuer, grant.rights) == (keys.drill.public.key_id, frozenset({"drill"}))


def test_without_the_key_for_drills_there_is_none_and_the_air_goes_on(
    keys: Keys, clock: VirtualClock
) -> None:
    keys.drill = None
    with pytest.raises(DeniedError, match="key for drills is away"):
        minted(keys, clock, order(clock, drill=True))
    assert minted(keys, clock, order(clock)).issuer == keys.node.public.key_id


@pytest.mark.parametrize(
    ("more", "level", "says"),
    [
        ({"cls": BroadcastClass.EMERGENCY}, 14, "class EMERGENCY"),
        ({}, MAX_LEVEL, "level 15"),
        ({"targets": (SOUTH,)}, 14, "Nam lies outside"),
        ({"targets": (NORTH, PROVINCE)}, 14, "Tỉnh lies outside"),
    ],
)
def test_what_the_node_was_not_granted_is_refused_in_words(
    keys: Keys, clock: VirtualClock, more: dict[str, object], level: int, says: str
) -> None:
    with pytest.raises(DeniedError, match=says):
        minted(keys, clock, replace(order(clock), **more), level)  # type: ignore[arg-type]


def test_a_key_that_was_rotated_signs_from_that_moment(keys: Keys, clock: VirtualClock) -> None:
    mint = NodeMint(keys, clock, lambda: LAND)
    fresh, above = SigningKey.generate(), SigningKey.generate()
    own = parse_grant(keys.node_token)
    keys.node = fresh
    keys.node_token = issue(replace(own, issuer=above.public.key_id, subject=fresh.public), above)
    token = mint.session(SigningKey.generate().public, order(clock), 14)
    assert parse_grant(token).issuer == fresh.public.key_id
