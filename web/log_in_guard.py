"""How often a log-in may fail: per account and per address for strangers, per browser for who is known.

Laws: who waits is told how long; a log-in that succeeds gives its tries back; nothing here says whether an
account exists. A browser that has logged in to the account before has tries of its own, which no stranger can
use up: a guesser slows the guessers, not the announcer at five in the morning. Owned by the desk.
"""

from ..clock import Clock
from ..station.accounts import name_key
from .problem import too_many
from .rate_limit import RateLimit, take

ADDRESS_BURST, ADDRESS_REFILL_S = 20, 6.0
"""An office behind one address logs in at seven in the morning; a guesser gets 10 tries a minute."""
ACCOUNT_BURST, ACCOUNT_REFILL_S = 10, 30.0
"""An announcer with cold fingers; a guesser with a thousand addresses gets 2 tries a minute."""
SECOND_BURST, SECOND_REFILL_S = 10, 300.0
"""For who knows the password already: of the three codes in a million that hold, one is met by 288 tries a
day with a chance below 1 in 1,000.
"""


class LogInGuard:
    """See the module. `browser`: its name, when it has logged in to this account before."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._addresses = RateLimit(ADDRESS_BURST, ADDRESS_REFILL_S)
        self._accounts = RateLimit(ACCOUNT_BURST, ACCOUNT_REFILL_S)
        self._second = RateLimit(SECOND_BURST, SECOND_REFILL_S)
        self.refused = 0

    def begin(self, account: str, address: str, browser: str | None = None) -> None:
        """A try: counted before the password is looked at, so that many at once are counted too."""
        limits = [(self._accounts, _key(account, browser))]
        if browser is None:
            limits.append((self._addresses, address))
        self._spend(limits)

    def begin_second(self, account: str, browser: str | None = None) -> None:
        """A try of the second factor, by somebody who has shown the password."""
        self._spend([(self._second, _key(account, browser))])

    def succeeded(self, account: str, browser: str | None = None) -> None:
        """All that was asked has been shown."""
        key = _key(account, browser)
        self._accounts.forgive(key)
        self._second.forgive(key)

    def _spend(self, limits: list[tuple[RateLimit, str]]) -> None:
        wait_s = take(limits, self._clock.now_us())
        if wait_s:
            self.refused += 1
            raise too_many("too many log-ins have failed", "session", wait_s)


def _key(account: str, browser: str | None) -> str:
    name = name_key(account)[:200]
    return name if browser is None else f"{browser} {name}"
