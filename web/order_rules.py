"""How an order is read: where it sounds, as whom, of what origin, and until when. Pure.

Laws: containment: an empty, unknown or unreadable target is an error and never everybody; nobody orders
beyond the place they act as; a place beneath another target is covered by it and named once; every order
ends by itself.
"""

from collections.abc import Callable, Iterable, Sequence

from ..errors import OperatorError
from ..streamer.broadcast import MAX_DURATION_S
from ..streamer.territory import Territory
from ..wire.rank import BroadcastClass, Origin
from .model import MAX_TARGETS

ABOVE_COMMUNE = frozenset({"nation", "province", "area", "district"})
"""What comes from here is a relay to a commune, which ranks its own first."""

SHOWN = 5


def read_targets(
    targets: Iterable[str], territory: Territory, knows: Callable[[str], bool]
) -> tuple[str, ...]:
    """The smallest list of places that covers the same, in the order of the line.

    A place that the asker does not know is told as one that does not exist.
    """
    wanted = list(dict.fromkeys(targets))
    if not wanted:
        raise OperatorError(
            "targets: none, expected at least one place; an empty list is nobody, not everybody"
        )
    if len(wanted) > MAX_TARGETS:
        raise OperatorError(
            f"targets: {len(wanted)} places, expected at most {MAX_TARGETS}; name the places above"
        )
    unknown = [target for target in wanted if target not in territory or not knows(target)]
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        named = ", ".join(map(repr, unknown[:SHOWN]))
        raise OperatorError(f"targets: no such place as {named}{more}, expected ids of this territory")
    line = sorted((territory.slice(target) for target in wanted), key=lambda s: (s[0], -s[1]))
    covering: list[tuple[int, int]] = []
    for a, b in line:
        if not covering or a >= covering[-1][1]:
            covering.append((a, b))
    return tuple(territory.ids[a] for a, _ in covering)


def acting_place(
    at: str | None, targets: Sequence[str], territory: Territory, knows: Callable[[str], bool]
) -> str:
    """The place an order is issued for: as asked, else the lowest that covers all of its targets."""
    common = common_place(targets, territory)
    if at is None:
        if common is None:
            raise OperatorError("at: no place covers all of the targets, expected targets below one root")
        return common
    if at not in territory or not knows(at):
        raise OperatorError(f"at: no such place as {at!r}, expected the id of one of this territory")
    a, b = territory.slice(at)
    outside = [target for target in targets if not a <= territory.index(target) < b]
    if outside:
        name = territory.get(at).name
        raise OperatorError(
            f"targets: {', '.join(outside[:SHOWN])} not within {name!r},"
            " expected places at or below the one acted as"
        )
    return at


def common_place(targets: Sequence[str], territory: Territory) -> str | None:
    """The lowest place that is each target or above it."""
    common: list[str] | None = None
    for target in targets:
        above = territory.ancestry(target)
        shared = above if common is None else [p for p, q in zip(common, above, strict=False) if p == q]
        common = list(shared)
    return common[-1] if common else None


def origin_of(at: str, territory: Territory, *, live: bool, relayed: bool = False) -> Origin:
    """Local live comes before the local schedule, and that before what comes from above the commune."""
    if relayed or territory.get(at).kind in ABOVE_COMMUNE:
        return Origin.RELAY
    return Origin.LIVE if live else Origin.SCHEDULE


def lasting_s(cls: BroadcastClass, asked_s: int | None) -> int:
    """How long it may last: as asked, up to what its class allows."""
    most_s = MAX_DURATION_S[cls]
    if asked_s is not None and asked_s > most_s:
        raise OperatorError(
            f"max_s: {asked_s} s, expected at most {most_s} s for the class {cls.name.lower()!r}"
        )
    return asked_s or most_s
