"""Who may have a control link: the answer to a challenge, judged.

Laws: only an enrolled speaker that signs this link's own nonce, and this node's name, is let in, so that an
answer can be used neither twice nor elsewhere; whoever is refused is told why and when to come back. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..errors import ProtocolError, RefusedError
from ..trust.keys import VerifyKey
from ..trust.statements import Statement
from ..wire.control import Challenge, Control, Hello, hello_bytes

RETRY_S: Mapping[str, int] = {
    "unknown": 300,  # somebody may be enrolling it again just now
    "signature": 300,
    "version": 3600,  # until one of the two is updated
    "revoked": 3600,
    "pending": 5,  # a person stands in front of the console just now
    "blocked": 60,
    "replaced": 60,  # two devices with one identity must not throw each other out in a loop
    "protocol": 30,
    "flood": 30,
    "timeout": 5,
    "restart": 1,  # speakers spread this themselves
}
"""When a speaker should try again, by the reason of its `Bye`."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A speaker of this node: where it stands, the key it made itself, and its signed placement. `barred`:
    why it may not link now ("pending", "blocked"); empty when it may.
    """

    id: str
    name: str
    place: str
    key: VerifyKey
    placement: Statement
    barred: str = ""


class Roster(Protocol):
    """The enrolled speakers. Asked on the event loop: answers from memory."""

    def find(self, speaker_id: str) -> Enrolled | None:
        """None for one that is unknown or revoked."""
        ...


def admit(answer: Control, challenge: Challenge, roster: Roster) -> tuple[Enrolled, int]:
    """The speaker behind an answer and the version to speak with it.

    ProtocolError when it is no hello; RefusedError ("version", "unknown", "signature", or why it is barred)
    when it may not link. Whether it is barred is told to itself alone.
    """
    if not isinstance(answer, Hello):
        raise ProtocolError(f"{type(answer).__name__} before the link was opened, expected hello")
    common = set(answer.versions) & set(challenge.versions)
    if not common:
        raise RefusedError(
            "version",
            f"speaker {answer.speaker} speaks versions {sorted(answer.versions)}, "
            f"expected one of {sorted(challenge.versions)}",
        )
    enrolled = roster.find(answer.speaker)
    if enrolled is None:
        raise RefusedError("unknown", f"speaker {answer.speaker} is not enrolled here (or no longer)")
    if not enrolled.key.verify(answer.signature, hello_bytes(challenge.nonce, challenge.node)):
        raise RefusedError(
            "signature", f"speaker {answer.speaker}: expected a signature by key {enrolled.key.key_id}"
        )
    if enrolled.barred:
        raise RefusedError(enrolled.barred, f"speaker {answer.speaker} is {enrolled.barred}")
    return enrolled, max(common)
