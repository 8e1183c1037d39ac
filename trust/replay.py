"""What was heard before is not heard again.

`ReplayWindow`, one per program and session key: which sequence numbers were accepted. `Freshness`, one per
speaker: which media times may still sound, and which broadcasts are over.

Laws: both are asked before the signature is checked (cheap first) and told only after it (`accept`,
`acted`), so that forged bytes never move them; memory is bounded; without a trusted clock nothing at or
below the floor sounds, and the floor outlives a restart, since the speaker stores `floor_us` before it
sounds. Pure: `now_us` is network time, or None while it is not known.
"""

from ..errors import RefusedError

WINDOW = 1024
"""A minute at 60 ms, 20 s at 20 ms: longer than anything may be late."""
MAX_LATE_US = 5_000_000
MAX_EARLY_US = 10_000_000
"""A relay may send ahead what a far zone plays later; no more than this."""
MAX_ENDED = 4096


class ReplayWindow:
    """Sequence numbers seen, as a bitmap below the highest."""

    __slots__ = ("_bits", "_highest")

    def __init__(self) -> None:
        self._bits = 0
        self._highest = -1

    def is_new(self, sequence: int) -> bool:
        """Not seen, and not too old to tell."""
        behind = self._highest - sequence
        return behind < 0 or (behind < WINDOW and not self._bits >> behind & 1)

    def accept(self, sequence: int) -> bool:
        """Mark as seen; False when it was, or is too old to tell."""
        if not self.is_new(sequence):
            return False
        ahead = sequence - self._highest
        if ahead > 0:
            self._bits = (self._bits << min(ahead, WINDOW) | 1) & (1 << WINDOW) - 1
            self._highest = sequence
        else:
            self._bits |= 1 << -ahead
        return True


class Freshness:
    """`floor_us` is what was stored before the restart: the highest media time that had been acted on."""

    def __init__(self, floor_us: int = 0) -> None:
        self._stored_us = floor_us
        self._highest_us = floor_us
        self._ended: dict[str, int] = {}
        self.forgotten = 0
        """Ended broadcasts dropped for want of room: those that expire first."""

    @property
    def floor_us(self) -> int:
        """To be stored before what raised it sounds."""
        return self._highest_us

    def check(self, media_us: int, now_us: int | None) -> None:
        """RefusedError "replay" for what is too old to be meant for now, "future" for what cannot be yet."""
        if now_us is None:
            lowest_us = max(self._stored_us + 1, self._highest_us - MAX_LATE_US)
        else:
            lowest_us = now_us - MAX_LATE_US
            if media_us > now_us + MAX_EARLY_US:
                raise RefusedError(
                    "future", f"media time {media_us} us: expected at most {now_us + MAX_EARLY_US}"
                )
        if media_us < lowest_us:
            raise RefusedError("replay", f"media time {media_us} us: expected at least {lowest_us}")

    def acted(self, media_us: int) -> None:
        """A verified datagram of this media time was taken."""
        self._highest_us = max(self._highest_us, media_us)

    def end(self, broadcast: str, expires_us: int) -> None:
        """It is over; `expires_us` says until when its starts would otherwise be valid."""
        self._ended[broadcast] = max(expires_us, self._ended.get(broadcast, 0))
        if len(self._ended) > MAX_ENDED:
            del self._ended[min(self._ended, key=lambda one: self._ended[one])]
            self.forgotten += 1

    def is_ended(self, broadcast: str) -> bool:
        return broadcast in self._ended

    def expire(self, now_us: int) -> None:
        """Forget what its own expiry refuses by now."""
        self._ended = {one: until for one, until in self._ended.items() if until > now_us}
