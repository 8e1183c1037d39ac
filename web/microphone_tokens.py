"""The tokens with which a microphone calls in: each is good for one program, and its first call for a short
time.

Laws: only the hash is kept; a token opens no other program and nothing else of the API; the first call must
come within `CALL_WITHIN_US`, later ones (to hang up, to call again after a cut) as long as the program
lives.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from ..clock import Clock

CALL_WITHIN_US = 60_000_000
"""Time for a browser to ask its user for the microphone; the air itself gives up after 30 s."""


@dataclass(slots=True)
class _Issued:
    digest: bytes
    expires_us: int
    used: bool = False


class MicrophoneTokens:
    """See the module. `check` is what the WHIP handlers call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, _Issued] = {}

    def issue(self, program_id: str) -> tuple[str, int]:
        """The token, and until when the first call must come (network time)."""
        token = secrets.token_urlsafe(24)
        expires_us = self._clock.now_us() + CALL_WITHIN_US
        self._issued[program_id] = _Issued(_digest(token), expires_us)
        return token, expires_us

    def check(self, program_id: str, token: str) -> bool:
        """Whether this bearer may speak as this program."""
        issued = self._issued.get(program_id)
        if issued is None or not hmac.compare_digest(issued.digest, _digest(token)):
            return False
        if not issued.used and self._clock.now_us() > issued.expires_us:
            return False
        issued.used = True
        return True

    def revoke(self, program_id: str) -> None:
        """The program is over."""
        self._issued.pop(program_id, None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
