"""How often a log-in may fail: per account, and per address whatever the account.

Laws: who waits is told how long; a log-in that succeeds gives the account its tries back; nothing here says
whether an account exists. Owned by the desk.
"""

from ..clock import Clock
from .problem import HttpError
from .rate_limit import RateLimit

ADDRESS_BURST, ADDRESS_REFILL_S = 20, 6.0
"""An office behind one address logs in at seven in the morning; a guesser gets 10 tries a minute."""
ACCOUNT_BURST, ACCOUNT_REFILL_S = 10, 30.0
"""An announcer with cold fingers; a guesser with a thousand addresses gets 2 tries a minute."""


class LogInGuard:
    """See the module."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._addresses = RateLimit(ADDRESS_BURST, ADDRESS_REFILL_S)
        self._accounts = RateLimit(ACCOUNT_BURST, ACCOUNT_REFILL_S)
        self.refused = 0

    def begin(self, account: str, address: str) -> None:
        """A try: counted before the password is looked at, so that many at once are counted too."""
        now_us = self._clock.now_us()
        name = account.casefold()[:200]
        wait_s = max(self._addresses.wait_s(address, now_us), self._accounts.wait_s(name, now_us))
        if wait_s:
            self.refused += 1
            raise HttpError(
                429,
                "too many log-ins have failed",
                "session",
                f"another try in {wait_s} s",
                {"Retry-After": str(wait_s)},
            )
        self._addresses.spend(address, now_us)
        self._accounts.spend(name, now_us)

    def succeeded(self, account: str) -> None:
        self._accounts.forgive(account.casefold()[:200])
