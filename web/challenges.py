"""What was asked of somebody and not yet answered: the second factor of a log-in, a passkey to be made.

Laws: a challenge is 256 random bits, good for one account and one purpose, for `LASTS_US` and `TRIES` tries,
and once; at most `MAX_OPEN` are remembered, `MAX_EACH` of one account, the oldest forgotten first. In memory
only: after a restart one logs in again. Owned by the desk, used on the loop only.
"""

import base64
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

from ..errors import DeniedError

LASTS_US = 5 * 60 * 1_000_000
"""To find the phone; a stolen challenge is soon worth nothing."""
TRIES = 5
MAX_OPEN = 1_000
MAX_EACH = 5
"""Several windows of one person; more would only be tries."""


class Purpose(Enum):
    LOG_IN = "log-in"
    PASSKEY = "passkey"


@dataclass(slots=True)
class Challenge:
    """`name` is what the client sends back; its bytes are what an authenticator signs."""

    name: str
    account: str
    purpose: Purpose
    expires_us: int
    tries_left: int = TRIES

    @property
    def bytes(self) -> bytes:
        return base64.urlsafe_b64decode(self.name + "=")


class Challenges:
    """See the module."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Challenge] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, account: str, purpose: Purpose, *, now_us: int) -> Challenge:
        """A new one; the account's oldest goes when it has too many."""
        mine = [name for name, known in self._open.items() if known.account == account]
        for name in mine[: max(0, len(mine) - MAX_EACH + 1)]:
            del self._open[name]
        while len(self._open) >= MAX_OPEN:
            self._open.popitem(last=False)
        made = Challenge(secrets.token_urlsafe(32), account, purpose, now_us + LASTS_US)
        self._open[made.name] = made
        return made

    def attempt(self, name: str, purpose: Purpose, *, now_us: int) -> Challenge:
        """One try is spent before anything is looked at. DeniedError when it is not open (any more)."""
        known = self._open.get(name)
        if known is None or known.purpose is not purpose or known.expires_us <= now_us:
            raise _not_open()
        if known.tries_left <= 0:
            del self._open[name]
            raise _not_open()
        known.tries_left -= 1
        return known

    def close(self, challenge: Challenge) -> None:
        """It was answered. DeniedError when it was answered, or forgotten, meanwhile."""
        if self._open.pop(challenge.name, None) is None:
            raise _not_open()

    def close_all(self, account: str) -> None:
        """The account's are worth nothing any more."""
        for name in [name for name, known in self._open.items() if known.account == account]:
            del self._open[name]


def _not_open() -> DeniedError:
    return DeniedError("challenge: it is not open (any more); expected a new one")
