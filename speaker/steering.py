"""Keeps a sound device at the target delay: how many samples to skip or to stretch in each block.

A device's clock drifts against network time (up to some 50 ppm, 200 ms an hour), and glitches happen: a
stalled host, a device that lost samples. Laws: a small error is steered out by at most `MAX_PPM`, which
nobody hears; one above `JUMP_US` is corrected at once, one above `NEAR_US` after `PATIENCE_US`; so the target
delay is back within a second of any glitch that could be heard as an echo between neighbours.

Pure: takes measured errors. Owned by the device output.
"""

from collections import deque

from ..codecs.frame import SAMPLE_RATE

MAX_PPM = 1_000
"""0.1 %: 1.7 cents of pitch, below what a trained ear notices."""

JUMP_US = 60_000
NEAR_US = 15_000
"""Echo between horns is heard from 20 to 30 ms (STACK.md)."""

PATIENCE_US = 500_000
"""Median over half a second before a middling error is believed: device clocks are read with jitter."""

DEAD_US = 200
"""Below a fifth of a millisecond there is nothing to win."""


class Steering:
    def __init__(self) -> None:
        self._errors: deque[tuple[int, int]] = deque()
        self._seen_us = 0
        self._owed = 0.0
        self.jumps = 0

    def correct(self, error_us: int, block_samples: int) -> int:
        """Samples to skip (positive) or to insert (negative) in this block of the device.

        `error_us`: how much later than it should the sound comes.
        """
        block_us = block_samples * 1_000_000 // SAMPLE_RATE
        self._seen_us += block_us
        self._errors.append((self._seen_us, error_us))
        while self._errors[0][0] < self._seen_us - PATIENCE_US:
            self._errors.popleft()
        steady_us = self._median()
        settled = self._seen_us - self._errors[0][0] >= PATIENCE_US - block_us
        if abs(error_us) > JUMP_US or (settled and abs(steady_us) > NEAR_US):
            return self._jump(error_us)
        if abs(steady_us) < DEAD_US:
            self._owed = 0.0
            return 0
        ppm = max(
            -MAX_PPM, min(MAX_PPM, steady_us)
        )  # 1 ppm per µs: closes an error in about a second or at MAX_PPM
        self._owed += block_samples * ppm / 1_000_000
        whole = int(self._owed)
        self._owed -= whole
        return whole

    def reset(self) -> None:
        """Sound began anew, aligned to the sample."""
        self._errors.clear()
        self._owed = 0.0

    def _jump(self, error_us: int) -> int:
        self.jumps += 1
        self.reset()
        return error_us * SAMPLE_RATE // 1_000_000

    def _median(self) -> int:
        values = sorted(error_us for _, error_us in self._errors)
        return values[len(values) // 2]
