"""A place as the station keeps it, and what is asked when one is made or changed. Values, valid from
construction.

Laws: the id is permanent; the path of slugs follows from the place's name and ancestors and may change.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from ..errors import OperatorError
from ..trust.ids import is_id
from .ids import check_id
from .slug import is_slug
from .text import clean_name

MAX_DEPTH = 15
"""The root is at depth 0. A rank on the wire holds the issuer's level, 15 - depth, in four bits."""
MAX_LATENCY_MS = 10_000
"""Above this nobody calls it live; a larger number is a typing mistake."""
PROFILES = frozenset({"wan", "lan"})

_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Unchanged(Enum):
    """Stands for 'leave it as it is' where None means something ('inherit')."""

    UNCHANGED = "unchanged"


UNCHANGED: Literal[Unchanged.UNCHANGED] = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class Place:
    """`latency_ms` and `profile` are None where the place inherits them from the one above."""

    id: str
    parent: str | None
    name: str
    slug: str
    kind: str
    position: int
    latency_ms: int | None
    profile: str | None
    path: str
    depth: int


@dataclass(frozen=True, slots=True)
class NewPlace:
    """A place to be made. `parent` None makes the root; without a slug one is derived from the name."""

    name: str
    kind: str
    parent: str | None = None
    slug: str | None = None
    position: int | None = None
    latency_ms: int | None = None
    profile: str | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_place_name(self.name))
        check_kind(self.kind)
        check_slug(self.slug)
        check_position(self.position)
        check_latency(self.latency_ms)
        check_profile(self.profile)
        if self.id is not None:
            check_id(self.id, where="place")


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """What to change; what is None (or UNCHANGED) stays. A place cannot be made a second root."""

    name: str | None = None
    parent: str | None = None
    kind: str | None = None
    slug: str | None = None
    position: int | None = None
    latency_ms: int | Unchanged | None = UNCHANGED
    profile: str | Unchanged | None = UNCHANGED

    def __post_init__(self) -> None:
        if self.name is not None:
            object.__setattr__(self, "name", clean_place_name(self.name))
        if self.kind is not None:
            check_kind(self.kind)
        check_slug(self.slug)
        check_position(self.position)
        if not isinstance(self.latency_ms, Unchanged):
            check_latency(self.latency_ms)
        if not isinstance(self.profile, Unchanged):
            check_profile(self.profile)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What holds at a place when its own settings and those above it are put together; None: nobody said."""

    latency_ms: int | None
    profile: str | None


def inherited(places: Mapping[str, Place], place_id: str) -> Inherited:
    """The nearest setting on the way from the place up to the root."""
    latency_ms: int | None = None
    profile: str | None = None
    at: str | None = place_id
    while at is not None:
        place = places[at]
        latency_ms = place.latency_ms if latency_ms is None else latency_ms
        profile = profile or place.profile
        at = place.parent
    return Inherited(latency_ms, profile)


def depth_first(places: Iterable[Place]) -> tuple[Place, ...]:
    """The territory as a line: each place directly before those inside it, siblings by position."""
    inside: defaultdict[str | None, list[Place]] = defaultdict(list)
    for place in places:
        inside[place.parent].append(place)
    for siblings in inside.values():
        siblings.sort(key=lambda place: (place.position, place.id), reverse=True)
    line: list[Place] = []
    waiting = inside[None]
    while waiting:
        place = waiting.pop()
        line.append(place)
        waiting.extend(inside[place.id])
    return tuple(line)


def clean_place_name(name: str) -> str:
    return clean_name(name, where="name of the place", max_chars=120)


def check_kind(kind: str) -> None:
    if not _KIND.fullmatch(kind):
        raise OperatorError(
            f"kind of place {kind!r}: expected a short lower-case word such as 'province' or 'commune'"
        )


def check_slug(slug: str | None) -> None:
    if slug is not None and (not is_slug(slug) or is_id(slug)):
        raise OperatorError(
            f"slug {slug!r}: expected up to 63 of a-z, 0-9 and single hyphens, such as 'cao-lanh'; no id"
        )


def check_position(position: int | None) -> None:
    if position is not None and not 0 <= position < 2**31:
        raise OperatorError(f"position among siblings {position}: expected 0 or more, below 2^31")


def check_latency(latency_ms: int | None) -> None:
    if latency_ms is not None and not 0 < latency_ms <= MAX_LATENCY_MS:
        raise OperatorError(f"latency {latency_ms} ms: expected 1 to {MAX_LATENCY_MS}, or none to inherit it")


def check_profile(profile: str | None) -> None:
    if profile is not None and profile not in PROFILES:
        raise OperatorError(f"network profile {profile!r}: expected 'wan' or 'lan', or none to inherit it")
