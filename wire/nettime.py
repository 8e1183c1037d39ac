"""Network time at a follower: from signed questions and answers to a clock that never steps while it holds.

Laws: an answer counts once, and only for a question of ours that is still open (`PendingAsks`); of a window
of answers the one with the smallest error bound speaks (half its round trip, plus what the local clock may
have drifted since); an answer whose interval does not meet the estimate's is an outlier and changes nothing;
network time as read from `FollowedClock` never runs backwards, and steps only at the first fix, at a new
clock id, or when the local clock itself was broken (a laptop that slept), which shows as a run of outliers
that agree with each other. Without answers it holds over, on the drift that was measured.

Pure: `local_us` is the follower's monotonic clock. Method: the clock filter and intersection idea of NTP
(RFC 5905, section 10), reduced to one server.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import combinations

WINDOW = 16
FIX_SAMPLES = 4
"""The first fix takes the best of four, 0.8 s after the link is up: later errors are slewed, which takes
long.
"""
BURST_EVERY_US = 200_000
STEADY_EVERY_US = 64_000_000
"""About 300 bytes an exchange with all headers: 12 of the 50 MB that an idle speaker has a month."""
MAX_DELAY_US = 2_000_000
"""A round trip longer than this says too little; and whoever holds answers back can shift a clock by half
of it.
"""
MAX_DRIFT_PPM = 100
"""What a crystal may be off by; most are good for 50."""
WANDER_PPM = 5
"""What its drift may change by with the weather while the samples in hand are good."""
ANCHORS = 12
ANCHOR_EVERY_US = 600_000_000
"""Two hours of one good sample each ten minutes: a 60 ms round trip then bounds the drift to about 8 ppm."""
MAX_SLEW_PPM = 500
MARGIN_US = 1_000
"""Time stamps are taken in user space, a scheduler away from the network."""
LOST_AFTER = 4
MAX_ASKS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """network = local + offset, within delay / 2."""

    at_us: int
    offset_us: int
    delay_us: int

    @property
    def half_us(self) -> int:
        return self.delay_us // 2 + MARGIN_US


@dataclass(frozen=True, slots=True)
class Estimate:
    offset_us: int
    error_us: int


class PendingAsks:
    """Questions that wait for their answer: nonce to local time sent."""

    def __init__(self) -> None:
        self._sent: OrderedDict[int, int] = OrderedDict()

    def ask(self, nonce: int, local_us: int) -> None:
        """`nonce` is the random `t1` of the question; the oldest of more than eight is given up."""
        self._sent[nonce] = local_us
        if len(self._sent) > MAX_ASKS:
            self._sent.popitem(last=False)

    def take(self, nonce: int) -> int | None:
        """When this question was sent; None when it was not ours, or was answered."""
        return self._sent.pop(nonce, None)


class OffsetFilter:
    """A window of samples, older anchors, and what they say together: an offset, a drift, and how far off
    both may be.

    The error is a bound, not a guess: half a round trip holds the truth whatever way the delay was shared
    out, and two such intervals bound the drift between them.
    """

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=WINDOW)
        self._anchors: deque[Sample] = deque(maxlen=ANCHORS)
        self._strays: list[Sample] = []
        self.drift_ppm = 0.0
        self._drift_error_ppm = float(MAX_DRIFT_PPM)
        self.outliers = 0
        self.refused = 0
        self.resets = 0

    @property
    def young(self) -> bool:
        """Not half full: worth asking quickly."""
        return len(self._samples) < WINDOW // 2

    def feed(self, t1_us: int, t2_us: int, t3_us: int, t4_us: int) -> bool:
        """t1 sent and t4 received on the local clock, t2 received and t3 sent on the network's. False: not
        used.
        """
        delay_us = (t4_us - t1_us) - (t3_us - t2_us)
        if t4_us < t1_us or t3_us < t2_us or not -MARGIN_US <= delay_us <= MAX_DELAY_US:
            self.refused += 1
            return False
        sample = Sample(t4_us, ((t2_us - t1_us) + (t3_us - t4_us)) // 2, max(0, delay_us))
        if not self._agrees(sample):
            self.outliers += 1
            return self._stray(sample)
        self._strays.clear()
        self._keep(sample)
        return True

    def estimate(self, local_us: int) -> Estimate | None:
        """None before the first fix."""
        if len(self._samples) < FIX_SAMPLES:
            return None
        return self._best(local_us)

    def reset(self) -> None:
        """Another clock speaks, or the local one broke: nothing before counts."""
        self._samples.clear()
        self._anchors.clear()
        self._strays.clear()
        self.drift_ppm, self._drift_error_ppm = 0.0, float(MAX_DRIFT_PPM)

    def _keep(self, sample: Sample) -> None:
        self._samples.append(sample)
        if not self._anchors or sample.at_us - self._anchors[-1].at_us >= ANCHOR_EVERY_US:
            self._anchors.append(min(self._samples, key=lambda one: self._bound(one, sample.at_us)))
        self._bound_drift()

    def _best(self, local_us: int) -> Estimate:
        best = min(self._samples, key=lambda sample: self._bound(sample, local_us))
        offset_us = best.offset_us + round((local_us - best.at_us) * self.drift_ppm / 1_000_000)
        return Estimate(offset_us, self._bound(best, local_us))

    def _bound(self, sample: Sample, local_us: int) -> int:
        return sample.half_us + round(abs(local_us - sample.at_us) * self._drift_error_ppm / 1_000_000)

    def _agrees(self, sample: Sample) -> bool:
        """Two intervals that both hold the truth meet."""
        if not self._samples:
            return True
        known = self._best(sample.at_us)
        return abs(sample.offset_us - known.offset_us) <= known.error_us + sample.half_us

    def _stray(self, sample: Sample) -> bool:
        """A run of outliers that agree with each other is the truth, and the window is what is wrong."""
        if self._strays and abs(sample.offset_us - self._strays[0].offset_us) > 2 * MARGIN_US + max(
            sample.half_us, self._strays[0].half_us
        ):
            self._strays.clear()
        self._strays.append(sample)
        if len(self._strays) < LOST_AFTER:
            return False
        found = tuple(self._strays)
        self.reset()
        for one in found:
            self._keep(one)
        self.resets += 1
        return True

    def _bound_drift(self) -> None:
        """Every two samples bound it by the steepest and the flattest line through both their intervals."""
        low, high = -float(MAX_DRIFT_PPM), float(MAX_DRIFT_PPM)
        points = sorted((one.at_us, one.offset_us, one.half_us) for one in (*self._anchors, *self._samples))
        for (a_us, a_offset_us, a_half_us), (b_us, b_offset_us, b_half_us) in combinations(points, 2):
            gone_us = b_us - a_us
            if gone_us < BURST_EVERY_US:
                continue
            rise_us, spread_us = b_offset_us - a_offset_us, a_half_us + b_half_us
            low = max(low, (rise_us - spread_us) * 1_000_000 / gone_us - WANDER_PPM)
            high = min(high, (rise_us + spread_us) * 1_000_000 / gone_us + WANDER_PPM)
        self.drift_ppm = (low + high) / 2
        self._drift_error_ppm = max(abs(high - low) / 2, float(WANDER_PPM))


class FollowedClock:
    """Network time from the local clock; `clock_id` is that of the timescale it follows."""

    def __init__(self) -> None:
        self._filter = OffsetFilter()
        self.clock_id: str | None = None
        self._fixed = False
        self._pending = True
        self._base_us = 0
        self._offset_us = 0
        self._slew_us = 0
        self._rate_ppm = 0.0
        self._resets = 0
        self.steps = 0
        """How often it was set at once: 1 after the first fix."""

    @property
    def outliers(self) -> int:
        return self._filter.outliers

    def feed(self, clock_id: str, t1_us: int, t2_us: int, t3_us: int, t4_us: int) -> bool:
        """One verified answer; False when it was not used."""
        if clock_id != self.clock_id:
            self._filter.reset()
            self.clock_id, self._pending = clock_id, True
        used = self._filter.feed(t1_us, t2_us, t3_us, t4_us)
        estimate = self._filter.estimate(t4_us)
        if not used or estimate is None:
            return used
        lost = self._filter.resets != self._resets
        self._resets = self._filter.resets
        if lost or self._pending:
            self._set(t4_us, estimate.offset_us, 0)
            self._fixed, self._pending = True, False
            self.steps += 1
        else:
            here_us = self._offset_at(t4_us)
            self._set(t4_us, here_us, estimate.offset_us - here_us)
        return True

    def now_us(self, local_us: int) -> int | None:
        """Network time; None before the first fix. A new clock id changes it only once it has a fix of its
        own.
        """
        return local_us + self._offset_at(local_us) if self._fixed else None

    def error_us(self, local_us: int) -> int | None:
        """How far off it may be: the estimate's bound and what is still to be slewed."""
        estimate = self._filter.estimate(local_us)
        if estimate is None or not self._fixed:
            return None
        return estimate.error_us + abs(estimate.offset_us - self._offset_at(local_us))

    def next_ask_us(self, last_ask_us: int) -> int:
        """When (local) to ask again: quickly until the window is half full, then rarely."""
        return last_ask_us + (BURST_EVERY_US if self._filter.young else STEADY_EVERY_US)

    def _set(self, local_us: int, offset_us: int, slew_us: int) -> None:
        self._base_us, self._offset_us, self._slew_us = local_us, offset_us, slew_us
        self._rate_ppm = self._filter.drift_ppm

    def _offset_at(self, local_us: int) -> int:
        gone_us = local_us - self._base_us
        most_us = max(0, gone_us) * MAX_SLEW_PPM / 1_000_000
        slewed_us = max(-most_us, min(most_us, self._slew_us))
        return self._offset_us + round(gone_us * self._rate_ppm / 1_000_000 + slewed_us)
