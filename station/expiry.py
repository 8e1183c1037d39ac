"""What runs out, and how soon: warnings 90, 30 and 7 days ahead (ALERTING.md), and when it is over. Pure.

Law: whoever must bring a key back, or order a certificate, hears of it three times before anything stops.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .ring import DAY_US, Ring

Stage = Literal[90, 30, 7, 0]
STAGES: tuple[Stage, ...] = (0, 7, 30, 90)
"""Days ahead; 0: it has run out."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """`first_days`: warned of from so many days ahead; fewer for what renews itself before that."""

    what: str
    expires_us: int
    first_days: int = 90


@dataclass(frozen=True, slots=True)
class ExpiryWarning:
    """`stage`: the one of `STAGES` that it has come to. `days_left`: whole ones; below 0 when it is over."""

    what: str
    expires_us: int
    days_left: int
    stage: Stage


def expiring_grants(ring: Ring) -> tuple[Expiring, ...]:
    """Every grant in use; those of the authority are named with the root that made them."""
    roots = {root.key.key_id: root.name for root in ring.roots}
    found = []
    for holder in ring.holders:
        for grant in holder.grants:
            root = roots.get(grant.issuer)
            found.append(Expiring(f"{holder.name} by {root}" if root else holder.name, grant.expires_us))
    return tuple(found)


def expiry_warnings(now_us: int, items: Iterable[Expiring]) -> tuple[ExpiryWarning, ...]:
    """Of all that is due for one, the most pressing first."""
    found = []
    for item in sorted(items, key=lambda one: one.expires_us):
        days_left = (item.expires_us - now_us) // DAY_US
        if days_left < min(item.first_days, STAGES[-1]):
            stage = next(days for days in STAGES if days_left < days)
            found.append(ExpiryWarning(item.what, item.expires_us, days_left, stage))
    return tuple(found)
