"""What this speaker really did: counters of what came in, and per broadcast what was heard.

Laws: a report says what was verified and played, not what was ordered; the digest covers each packet that was
played, in order: SHA-256 over the SHA-256 of each. Counters only rise. Pure; owned by the agent.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

from ..codecs.frame import FRAME_US
from ..wire.report import SILENCE_DBFS, Heard
from .selector import Active


class Tally:
    """What was played of one broadcast in one stretch."""

    def __init__(self, active: Active, first_k: int) -> None:
        self.broadcast, self.program = active.broadcast, active.program
        self._verified_us = active.verified_us
        self.sounded_at_us = 0
        self.frames_played = 0
        self.frames_concealed = 0
        self.level_dbfs = SILENCE_DBFS
        self._first_k = self._last_k = first_k
        self._hash = hashlib.sha256()

    def played(self, k: int, packet: bytes, sounds_at_us: int) -> None:
        if not self.frames_played:
            self._first_k, self.sounded_at_us = k, sounds_at_us
        self._last_k = k
        self.frames_played += 1
        self._hash.update(hashlib.sha256(packet).digest())

    def heard(self) -> Heard:
        """Before anything was played it says that the broadcast was verified, and nothing more."""
        return Heard(
            broadcast=self.broadcast,
            program=self.program,
            first_media_us=self._first_k * FRAME_US,
            last_media_us=self._last_k * FRAME_US,
            frames_played=self.frames_played,
            frames_concealed=self.frames_concealed,
            digest=self._hash.digest(),
            level_dbfs=self.level_dbfs,
            started_at_us=self._verified_us,
            sounded_at_us=self.sounded_at_us,
        )


class Counters:
    """How often what happened, by name: `verified`, `lost`, `late`, `duplicate`, `refused_<reason>`, ..."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        self._counts[name] += count

    def refused(self, reason: str, count: int = 1) -> None:
        self._counts[f"refused_{reason}"] += count

    def refused_each(self, reasons: Mapping[str, int]) -> None:
        """So many, by reason."""
        for reason, count in reasons.items():
            self.refused(reason, count)

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def snapshot(self) -> Mapping[str, int]:
        return dict(self._counts)
