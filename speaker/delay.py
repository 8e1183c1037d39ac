"""How long after its media time a frame sounds: the zone's latency, and for a while a little more.

Laws: the target is the latency of the signed placement, so that neighbours do not echo. Only when everything
comes too late for it (a slow mobile network) is the delay stretched, for late is better than silent, and at
most by `MAX_EXTRA_US`; as soon as everything has been on time for `CALM_US`, it is the target again.

Pure: takes arrivals and `now_us`. Owned by the agent.
"""

from collections import deque

MAX_EXTRA_US = 2_000_000
"""Beyond two seconds a path is broken rather than slow."""

WATCH_US = 500_000
"""One datagram on time within this is proof that the target can be held."""

ENOUGH_LATE = 3
"""So many datagrams, all late, before the delay is stretched: 180 ms of audio at 60 ms packing."""

SPREAD_US = 100_000
"""And they must not have come all at once: that is the end of a stall, after which all is well again."""

HEADROOM_US = 60_000
"""Stretch by one datagram more than the worst seen, or the next one is late again."""

CALM_US = 600_000
"""All on time for so long: back to the target. Under a second, so that a glitch is over within one."""

_MOST_REMEMBERED = 128


class Delay:
    def __init__(self, latency_us: int) -> None:
        self._latency_us = latency_us
        self._extra_us = 0
        self._seen: deque[tuple[int, int]] = deque(maxlen=_MOST_REMEMBERED)

    @property
    def target_us(self) -> int:
        return self._latency_us

    @property
    def delay_us(self) -> int:
        """Media time + this = when it sounds."""
        return self._latency_us + self._extra_us

    def retarget(self, latency_us: int) -> None:
        self._latency_us = latency_us
        self.reset()

    def reset(self) -> None:
        """Another program sounds, or none: nothing is known of its way."""
        self._extra_us = 0
        self._seen.clear()

    def arrived(self, newest_media_us: int, now_us: int) -> bool:
        """A new datagram of the program that sounds came; its last frame begins at `newest_media_us`.

        True if `delay_us` changed.
        """
        late_us = now_us - newest_media_us - self._latency_us
        self._seen.append((now_us, late_us))
        before = self._extra_us
        if self._extra_us:
            self._relax(now_us)
        else:
            self._stretch(late_us, now_us)
        return self._extra_us != before

    def _stretch(self, late_us: int, now_us: int) -> None:
        if late_us <= 0:
            return
        recent = [(at_us, late) for at_us, late in self._seen if now_us - at_us <= WATCH_US]
        lates = [late for _, late in recent]
        if len(recent) >= ENOUGH_LATE and now_us - recent[0][0] >= SPREAD_US and min(lates) > 0:
            self._extra_us = min(max(lates) + HEADROOM_US, MAX_EXTRA_US)

    def _relax(self, now_us: int) -> None:
        calm = [late_us for at_us, late_us in self._seen if now_us - at_us <= CALM_US]
        if now_us - self._seen[0][0] >= CALM_US and max(calm) <= 0:
            self._extra_us = 0
        elif calm[-1] > self._extra_us:
            self._extra_us = min(calm[-1] + HEADROOM_US, MAX_EXTRA_US)
