"""How often somebody may try: a bucket of tokens per key (pure: the caller brings the time).

Laws: a key that has tried `burst` times waits; it gets one try back every `refill_s`. At most `max_keys` are
remembered; beyond that the one that was quiet longest is forgotten, and counted.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence

MAX_KEYS = 10_000
"""About 2 MB. An attacker with more addresses than this costs us the memory of the quietest, no more."""


class RateLimit:
    """See the module. Owned by whoever asks; times in microseconds of any clock that never runs backwards."""

    def __init__(self, burst: int, refill_s: float, max_keys: int = MAX_KEYS) -> None:
        self._burst, self._refill_us, self._max_keys = burst, int(refill_s * 1e6), max_keys
        self._full_at_us: OrderedDict[str, int] = OrderedDict()
        self.forgotten = 0

    def wait_s(self, key: str, now_us: int) -> int:
        """Whole seconds until `key` may try again; 0: now. Costs nothing."""
        over_us = self._debt_us(key, now_us) - (self._burst - 1) * self._refill_us
        return max(0, -(-over_us // 1_000_000))

    def spend(self, key: str, now_us: int) -> None:
        """One try of `key`."""
        self._full_at_us[key] = now_us + self._debt_us(key, now_us) + self._refill_us
        self._full_at_us.move_to_end(key)
        while len(self._full_at_us) > self._max_keys:
            self._full_at_us.popitem(last=False)
            self.forgotten += 1

    def forgive(self, key: str) -> None:
        """All tries of `key` are given back."""
        self._full_at_us.pop(key, None)

    def _debt_us(self, key: str, now_us: int) -> int:
        return max(0, self._full_at_us.get(key, 0) - now_us)


def take(limits: Sequence[tuple[RateLimit, str]], now_us: int) -> int:
    """One try of every key, if each has one left: 0. Otherwise none is spent, and these are the whole seconds
    until they all will have one.
    """
    wait_s = max(limit.wait_s(key, now_us) for limit, key in limits)
    if not wait_s:
        for limit, key in limits:
            limit.spend(key, now_us)
    return wait_s


def address_key(remote: str | None) -> str:
    """Who stands behind an address: an IPv6 site has 2**64 of them, so it counts as one."""
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
