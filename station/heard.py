"""One stretch of sound that a speaker reports to have verified and played.

Law: it comes from outside, so it is checked on construction; a number that no column could hold is the
speaker's fault (ProtocolError), never a broken transaction for the others.
"""

import math
import re
from dataclasses import dataclass

from ..errors import ProtocolError
from ..trust.ids import is_id
from ..wire import report

MAX_TIME_US = 2**63 - 1
_DIGEST = re.compile(r"(?:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class Heard:
    """Times are network time. `digest` (hex, may be empty): SHA-256 over the hashes of the packets played.

    `started_at_us`: when the first datagram was verified; `sounded_at_us`: when its first frame left the
    output.
    """

    broadcast: str
    speaker: str
    program: str
    first_media_us: int
    last_media_us: int
    frames_played: int
    frames_concealed: int
    digest: str
    level_dbfs: float | None
    started_at_us: int
    sounded_at_us: int | None

    @classmethod
    def reported(cls, speaker: str, said: report.Heard) -> "Heard":
        """What the speaker at the other end of a link said in its report."""
        return cls(
            said.broadcast,
            speaker,
            said.program,
            said.first_media_us,
            said.last_media_us,
            said.frames_played,
            said.frames_concealed,
            said.digest.hex(),
            said.level_dbfs,
            said.started_at_us,
            said.sounded_at_us,
        )

    def __post_init__(self) -> None:
        for name in ("broadcast", "speaker", "program"):
            if not is_id(value := getattr(self, name)):
                raise ProtocolError(f"heard: {name} is {value!r}; expected 16 lower-case hex digits")
        for name in ("first_media_us", "last_media_us", "frames_played", "frames_concealed", "started_at_us"):
            self._check(name, getattr(self, name))
        if self.sounded_at_us is not None:
            self._check("sounded_at_us", self.sounded_at_us)
        if not _DIGEST.fullmatch(self.digest):
            raise ProtocolError(f"heard: digest is {self.digest[:80]!r}; expected 64 hex digits")
        if self.level_dbfs is not None and not math.isfinite(self.level_dbfs):
            raise ProtocolError(f"heard: level is {self.level_dbfs}; expected decibels below full scale")

    def _check(self, name: str, value: int) -> None:
        if not 0 <= value <= MAX_TIME_US:
            raise ProtocolError(f"heard: {name} is {value}; expected 0 to 2^63 - 1")

    def fields(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}
