"""Which of a radio's addresses is on air, which are open beside it, and when the next is tried.

Laws: pure (`now_us` comes in, what to open and close goes out); the first address is the wanted one, the
others stand by; a broken link and dead air are failures, quiet music is not; what stands by is opened while
the one on air is only suspected, so that the change takes no connecting; back to a better one only when that
has sounded for a while, longer each time that it failed; retried for ever, with a growing pause and jitter.
Dead air with nothing better stays on air. Owned by the worker of its radio.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_S = 1_000_000

SUSPECT_DRY_US = 400_000
DRY_US = 1 * _S
"""Without sound for so long, beyond its reserve, a link is broken. Suspected a little earlier."""

SUSPECT_QUIET_US = 6 * _S
DEAD_US = 10 * _S
"""Dead air. A pause of the announcer, or between two pieces, is shorter."""

LOUD_US = 1 * _S
"""What takes over from another must have sounded within the last second."""

STAGGER_US = 1 * _S
"""The next address is tried beside one that has not answered yet."""

PATIENCE_US = 15 * _S
"""From opening to the first sound; three segments of an HLS stream can take so long."""

SETTLE_US = 10 * _S
MOST_SETTLE_US = 300 * _S
STEADY_US = 60 * _S
"""On air for so long without a fault, an address has mended, and its failures are forgotten."""

FIRST_PAUSE_US = 500_000
MOST_PAUSE_US = 60 * _S
MOST_PAUSE_SILENT_US = 10 * _S
"""Between two attempts; the second while nothing at all is on air."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of an open link. `first_us`: when it first sounded; `dry_us`, `quiet_us`: for how long it
    has given no sound at all, and nothing but dead air. `lost`: why it is over."""

    first_us: int | None = None
    dry_us: int = 0
    quiet_us: int = 0
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now. `air` may be one that is open already, never one that is to be opened."""

    open: tuple[int, ...]
    close: tuple[int, ...]
    air: int | None


@dataclass(slots=True)
class Standing:
    """One address. `state`: "idle", "opening", "standby", "air"."""

    state: str = "idle"
    error: str = ""
    failures: int = 0
    flaps: int = 0
    opened_us: int = 0
    failed_us: int = 0
    next_us: int = 0


@dataclass
class Switch:
    """`count` addresses, best first. `jitter` gives 0 <= x < 1."""

    count: int
    jitter: Callable[[], float]
    air: int | None = None
    switches: int = 0
    """How often something else went on air than was there before."""
    last_air: int | None = None
    on_since_us: int = 0
    last_open_us: int = -(10**18)
    standings: list[Standing] = field(init=False)

    def __post_init__(self) -> None:
        self.standings = [Standing() for _ in range(self.count)]

    def step(self, now_us: int, links: Mapping[int, Heard]) -> Step:
        """`links`: those that were opened and not closed since."""
        live = dict(links)
        closing: list[int] = []
        for index, reason in self._failed(now_us, live):
            self._fail(index, reason, now_us)
            closing.append(index)
            del live[index]
        chosen = self._choose(now_us, live)
        if chosen != self.air:
            for index in self._take(chosen, now_us, live):
                closing.append(index)
                del live[index]
        for index in self._surplus(live):
            closing.append(index)
            del live[index]
        opening = self._open(now_us, live)
        self._name(live, opening)
        return Step(tuple(opening), tuple(closing), self.air)

    def _failed(self, now_us: int, live: Mapping[int, Heard]) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for index, heard in live.items():
            if heard.lost is not None:
                found.append((index, heard.lost))
            elif heard.first_us is not None and heard.dry_us >= DRY_US:
                found.append((index, "nothing comes any more"))
            elif heard.first_us is None and now_us - self.standings[index].opened_us >= PATIENCE_US:
                found.append((index, "no sound came"))
            elif index != self.air and heard.quiet_us >= DEAD_US:
                found.append((index, "dead air"))
        return found

    def _fail(self, index: int, reason: str, now_us: int) -> None:
        standing = self.standings[index]
        standing.error, standing.failed_us = reason, now_us
        standing.failures += 1
        if index == self.air:
            steady = now_us - self.on_since_us >= STEADY_US
            standing.flaps = 1 if steady else standing.flaps + 1
            standing.failures = 1 if steady else standing.failures
            self.air = None
        pause_us = min(MOST_PAUSE_US, FIRST_PAUSE_US << min(standing.failures - 1, 20))
        standing.next_us = now_us + int(pause_us * (0.5 + self.jitter() / 2))

    def _choose(self, now_us: int, live: Mapping[int, Heard]) -> int | None:
        """What is to be on air from now on."""
        sounding = [index for index, heard in sorted(live.items()) if heard.first_us is not None]
        loud = [index for index in sounding if live[index].quiet_us < LOUD_US and not live[index].dry_us]
        if self.air is None:
            return next(iter(loud or sounding), None)
        if live[self.air].quiet_us >= DEAD_US:
            return next((index for index in loud if index != self.air), self.air)
        settled = [index for index in loud if index < self.air and self._settled(now_us, index, live[index])]
        return settled[0] if settled else self.air

    def _settled(self, now_us: int, index: int, heard: Heard) -> bool:
        flaps = min(self.standings[index].flaps, 10)
        wait_us = min(MOST_SETTLE_US, SETTLE_US << max(0, flaps - 1))
        return heard.first_us is not None and now_us - heard.first_us >= wait_us

    def _take(self, chosen: int | None, now_us: int, live: Mapping[int, Heard]) -> list[int]:
        """Put another on air; what it replaces is closed."""
        before = self.air
        closing = [] if before is None else [before]
        if before is not None and live[before].quiet_us >= DEAD_US:
            self._fail(before, "dead air", now_us)
        self.air = chosen
        if chosen is not None:
            self.switches += self.last_air is not None and self.last_air != chosen
            self.last_air, self.on_since_us = chosen, now_us
            self.standings[chosen].error = ""
        return closing

    def _suspected(self, live: Mapping[int, Heard]) -> bool:
        if self.air is None:
            return True
        heard = live[self.air]
        return heard.dry_us >= SUSPECT_DRY_US or heard.quiet_us >= SUSPECT_QUIET_US

    def _surplus(self, live: Mapping[int, Heard]) -> list[int]:
        """Open and no use: worse than a sound one on air."""
        if self.air is None or self._suspected(live):
            return []
        return [index for index in live if index > self.air]

    def _open(self, now_us: int, live: Mapping[int, Heard]) -> list[int]:
        """At most one more at a time."""
        if self._suspected(live):
            others = [heard for index, heard in live.items() if index != self.air]
            if any(heard.first_us is not None and heard.quiet_us < LOUD_US for heard in others):
                return []
            if others and now_us - self.last_open_us < STAGGER_US:
                return []
            wanted = range(self.count)
        elif self.air is not None and all(index == self.air for index in live):
            wanted = range(self.air)
        else:
            return []
        due = [index for index in wanted if index not in live and self._due_us(index) <= now_us]
        if not due:
            return []
        self.last_open_us = self.standings[due[0]].opened_us = now_us
        return due[:1]

    def _due_us(self, index: int) -> int:
        standing = self.standings[index]
        most_us = standing.failed_us + MOST_PAUSE_SILENT_US
        return min(standing.next_us, most_us) if self.air is None else standing.next_us

    def _name(self, live: Mapping[int, Heard], opening: list[int]) -> None:
        for index, standing in enumerate(self.standings):
            if index == self.air:
                standing.state = "air"
            elif index in live and live[index].first_us is not None:
                standing.state = "standby"
            else:
                standing.state = "opening" if index in live or index in opening else "idle"
