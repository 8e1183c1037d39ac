"""Network time at a follower: from signed questions and answers to a clock that never steps while it holds.

Laws: an answer counts once, and only for a question of ours that is still open (`PendingAsks`); of a window
of answers the one with the smallest error bound speaks (half its round trip, plus what the local clock may
have drifted since); an answer whose interval does not meet the estimate's is an outlier and changes nothing;
network time as read from `FollowedClock` never runs backwards, and steps only at the first fix, at a new
clock id, or when the local clock itself was broken (a laptop that slept), which shows as a run of outliers
that agree with each other. Without answers it holds over, on the measured drift.

Pure: `local_us` is the follower's monotonic clock. Method: the clock filter and intersection idea of NTP
(RFC 5905, section 10), reduced to one server.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

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
UNKNOWN_DRIFT_PPM = 100
KNOWN_DRIFT_PPM = 15
"""Crystals are good for 50 ppm and change by a few with the weather."""
MAX_DRIFT_PPM = 200
MAX_SLEW_PPM = 500
MARGIN_US = 1_000
"""Time stamps are taken in user space, a scheduler away from the network."""
LOST_AFTER = 4
MIN_SPAN_US = 240_000_000
MAX_ASKS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """network = local + offset, within delay / 2."""

    at_us: int
    offset_us: int
    delay_us: int


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
    """A window of samples and what they say together."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=WINDOW)
        self._strays: list[Sample] = []
        self.drift_ppm = 0.0
        self._drift_known = False
        self.outliers = 0
        self.refused = 0
        self.resets = 0

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
        self._samples.append(sample)
        self._fit_drift()
        return True

    @property
    def young(self) -> bool:
        """Not half full: worth asking quickly."""
        return len(self._samples) < WINDOW // 2

    def estimate(self, local_us: int) -> Estimate | None:
        """None before the first fix."""
        if len(self._samples) < FIX_SAMPLES:
            return None
        return self._best(local_us)

    def reset(self) -> None:
        """Another clock speaks, or the local one broke: nothing before counts."""
        self._samples.clear()
        self._strays.clear()
        self.drift_ppm, self._drift_known = 0.0, False

    def _best(self, local_us: int) -> Estimate:
        best = min(self._samples, key=lambda sample: self._bound(sample, local_us))
        return Estimate(self._project(best, local_us), self._bound(best, local_us))

    def _bound(self, sample: Sample, local_us: int) -> int:
        ppm = KNOWN_DRIFT_PPM if self._drift_known else UNKNOWN_DRIFT_PPM
        return sample.delay_us // 2 + abs(local_us - sample.at_us) * ppm // 1_000_000 + MARGIN_US

    def _project(self, sample: Sample, local_us: int) -> int:
        return sample.offset_us + round((local_us - sample.at_us) * self.drift_ppm / 1_000_000)

    def _agrees(self, sample: Sample) -> bool:
        if not self._samples:
            return True
        known = self._best(sample.at_us)
        apart_us = abs(sample.offset_us - known.offset_us)
        return apart_us <= known.error_us + sample.delay_us // 2 + MARGIN_US

    def _stray(self, sample: Sample) -> bool:
        """A run of outliers that agree with each other is the truth, and the window is what is wrong."""
        first = self._strays[0] if self._strays else sample
        if abs(sample.offset_us - first.offset_us) > (sample.delay_us + first.delay_us) // 2 + 2 * MARGIN_US:
            self._strays.clear()
        self._strays.append(sample)
        if len(self._strays) < LOST_AFTER:
            return False
        found = tuple(self._strays)
        self.reset()
        self._samples.extend(found)
        self.resets += 1
        return True

    def _fit_drift(self) -> None:
        """Least squares over the samples that hardly queued, once they span four minutes."""
        least_us = min(sample.delay_us for sample in self._samples)
        good = [sample for sample in self._samples if sample.delay_us <= 2 * least_us + 2 * MARGIN_US]
        if good[-1].at_us - good[0].at_us < MIN_SPAN_US or len(good) < FIX_SAMPLES:
            return
        mid_at = sum(sample.at_us for sample in good) / len(good)
        mid_offset = sum(sample.offset_us for sample in good) / len(good)
        spread = sum((sample.at_us - mid_at) ** 2 for sample in good)
        slope = sum((s.at_us - mid_at) * (s.offset_us - mid_offset) for s in good) / spread * 1_000_000
        self.drift_ppm = max(-MAX_DRIFT_PPM, min(MAX_DRIFT_PPM, slope))
        self._drift_known = True


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
