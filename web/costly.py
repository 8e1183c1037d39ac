"""The routes that cost much: how often one account, and one address, may call each of them.

Laws: this table is the only place where that is said, and no route that raises or ends an emergency is ever
in it; what one account uses up is taken from nobody else, short of the `SHARED` times as much that all
accounts behind one address have. Who must wait is told how long (429), and the audit log has it as refused. A
program of this machine stands behind no address. Owned by the desk.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..clock import Clock
from .hop import parse_address
from .problem import too_many
from .rate_limit import RateLimit, address_key, take

API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Cost:
    """So many calls at once, and one more every so many seconds; `why`: what a call takes of the node."""

    burst: int
    refill_s: float
    why: str


COSTS: Mapping[tuple[str, str], Cost] = {
    ("POST", f"{API}/programs"): Cost(100, 6.0, "disk, and minutes of a core for an hour of sound"),
    ("GET", f"{API}/programs/{{id}}/audio.mp3"): Cost(300, 0.5, "up to 230 MB; whoever seeks asks often"),
    ("GET", f"{API}/audit"): Cost(120, 0.5, "entries are read until enough lie in the scope"),
    ("GET", f"{API}/audit/export"): Cost(5, 60.0, "the whole log, read and sent"),
    ("POST", f"{API}/enrolments"): Cost(300, 2.0, "an entry in the database; a QR code is drawn"),
    ("POST", f"{API}/speakers/{{id}}/replacement"): Cost(300, 2.0, "the same"),
    ("POST", f"{API}/accounts"): Cost(60, 10.0, "Argon2: 64 MB and a fifth of a second"),
    ("POST", f"{API}/accounts/{{id}}/password"): Cost(30, 20.0, "Argon2"),
    ("POST", f"{API}/tokens"): Cost(20, 60.0, "an entry in the database that lives for up to a year"),
    ("POST", f"{API}/keys/rotate"): Cost(10, 60.0, "every speaker is told; replaced keys are kept"),
    ("POST", f"{API}/keys/revoke"): Cost(20, 60.0, "every speaker is told"),
}

SHARED = 8
"""So many people at work behind one address of an office may do the same thing at once."""


class CostlyRoutes:
    """See the module."""

    def __init__(self, clock: Clock, costs: Mapping[tuple[str, str], Cost] = COSTS) -> None:
        self._clock = clock
        self._accounts = {name: RateLimit(cost.burst, cost.refill_s) for name, cost in costs.items()}
        self._addresses = {
            name: RateLimit(cost.burst * SHARED, cost.refill_s / SHARED) for name, cost in costs.items()
        }
        self.refused = 0

    def spend(self, method: str, path: str, account: str, remote: str | None) -> None:
        """One call of this route; `path` as the table of routes writes it. 429 when there were too many."""
        name = method, path
        if name not in self._accounts:
            return
        limits = [(self._accounts[name], account)]
        address = parse_address(remote or "")
        if address is None or not address.is_loopback:
            limits.append((self._addresses[name], address_key(remote)))
        wait_s = take(limits, self._clock.now_us())
        if wait_s:
            self.refused += 1
            raise too_many("more of this than the node can do for one", f"{method} {path}", wait_s)
