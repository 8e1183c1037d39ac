"""May this start sound? The checks every speaker makes, in one place, cheapest first.

Laws: whatever is not allowed is refused with a reason that can be counted; the signature is checked last,
for it costs the most, and nothing is acted on before it; whether the start is meant for one's own place is
a second question (`is_for`) with the same answer for whoever asks: an empty or unknown list of targets is
nobody.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..errors import RefusedError
from ..trust.grants import ChainStore, VerifiedSession
from ..trust.keys import VerifyKey
from .datagram import Parsed
from .messages import Audio, End, Start, StartFlags

START_AHEAD_US = 5_000_000
"""How far a start may lie after the media it carries: a program is announced at most this much before it
sounds. Without this bound an emergency could claim a start in the future, and win against every later
one.
"""


CheckSignature = Callable[[VerifyKey, bytes, bytes], bool]
"""Key, signature, data. A process that holds many speakers passes one that remembers what it has checked."""


@dataclass(frozen=True, slots=True)
class VerifiedStart:
    """`expires_us`: when it must fall silent, the grant's end included. `rank_key`: before any commune's
    list.
    """

    start: Start
    session: VerifiedSession
    rank_key: int
    expires_us: int


def verify_start(
    parsed: Parsed,
    chains: ChainStore,
    *,
    now_us: int | None,
    ancestry: Sequence[str] | None = None,
    check: CheckSignature = VerifyKey.verify,
) -> VerifiedStart:
    """Without a trusted clock (`now_us` None) the media time of the start stands for now: Freshness has
    seen to it that it is later than all that was heard before. `ancestry`: also refuse ("territory") what
    the grant does not cover there.
    """
    start = parsed.message
    if not isinstance(start, Start):
        raise RefusedError("kind", f"a {type(start).__name__.lower()} where a start was expected")
    now = start.audio.media_us if now_us is None else now_us
    session = chains.verify_session(start.grant, now, ancestry)
    if start.program != session.subject.key_id:
        raise RefusedError("key", f"program {start.program}: its grant is for key {session.subject.key_id}")
    _check_rank(start, session)
    if start.started_us > start.audio.media_us + START_AHEAD_US:
        raise RefusedError(
            "early", f"start at {start.started_us} us: after its media at {start.audio.media_us} us"
        )
    expires_us = min(start.expires_us, session.expires_us)
    if now >= expires_us:
        raise RefusedError("expired", f"broadcast {start.broadcast}: expired at {expires_us} us")
    if not check(session.subject, parsed.signature, parsed.signed):
        raise RefusedError(
            "signature", f"broadcast {start.broadcast}: not signed by {session.subject.key_id}"
        )
    return VerifiedStart(start, session, start.rank.key, expires_us)


def verify_signed(
    parsed: Parsed, session_key: VerifyKey, check: CheckSignature = VerifyKey.verify
) -> Audio | End:
    """Audio or an end, against the key of the verified start of its program."""
    message = parsed.message
    if not isinstance(message, Audio | End):
        raise RefusedError("kind", f"a {type(message).__name__.lower()} where audio or an end was expected")
    if message.program != session_key.key_id:
        raise RefusedError("key", f"program {message.program}: not the one of key {session_key.key_id}")
    if not check(session_key, parsed.signature, parsed.signed):
        raise RefusedError("signature", f"program {message.program}: not signed by {session_key.key_id}")
    return message


def is_for(start: Start, ancestry: Sequence[str], lists: Mapping[bytes, Collection[str]]) -> bool:
    """Whether the place at the end of `ancestry` is among the targets, or below one. A list that is not
    there raises RefusedError "targets": ask for it (`Want`), and stay silent.
    """
    targets: Collection[str]
    if isinstance(start.targets, bytes):
        if start.targets not in lists:
            raise RefusedError("targets", f"broadcast {start.broadcast}: the list of its targets is not here")
        targets = lists[start.targets]
    else:
        targets = start.targets
    return any(place in targets for place in ancestry)


def _check_rank(start: Start, session: VerifiedSession) -> None:
    if start.cls > session.max_class:
        raise RefusedError(
            "class", f"broadcast {start.broadcast}: class {start.cls}, granted {session.max_class}"
        )
    if start.level > session.level:
        raise RefusedError(
            "level", f"broadcast {start.broadcast}: level {start.level}, granted {session.level}"
        )
    drill = StartFlags.DRILL in start.flags
    if "air" not in session.rights and not (drill and "drill" in session.rights):
        raise RefusedError(
            "right", f"broadcast {start.broadcast}: the grant has {sorted(session.rights)}, not air"
        )
