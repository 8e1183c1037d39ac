"""Every error that Loa raises on purpose, split by who can mend it.

    LoaError
    ├── OperatorError        the person or script that asked: a wrong order, a bad setting
    │   ├── ConfigError      a setting; all faults of a file are collected into one
    │   ├── DeniedError      the asker may not do that
    │   ├── NotFoundError    no such place, speaker, program, broadcast
    │   ├── ConflictError    it clashes with what is already there
    │   └── BusyError        too much is asked at once; later it will do
    ├── PeerError            the other end of a link
    │   ├── ProtocolError    its bytes do not parse
    │   └── RefusedError     its bytes parse, and trust says no
    ├── MediaError           audio that cannot be read, is empty, is too long
    └── InternalError        we broke our own law; a bug

Each message says what is wrong, where, and what was expected.
"""


class LoaError(Exception):
    """Root of the tree."""


class OperatorError(LoaError):
    """The request cannot be carried out as it was made."""


class ConfigError(OperatorError):
    """One or more settings are wrong; the message lists every one."""


class DeniedError(OperatorError):
    """The asker has no right to do this here."""


class NotFoundError(OperatorError):
    """What was named does not exist (or no longer does)."""


class ConflictError(OperatorError):
    """The request contradicts the present state."""


class BusyError(OperatorError):
    """There is no room for this now; the same request succeeds after about `retry_s` seconds."""

    def __init__(self, message: str, retry_s: int) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class PeerError(LoaError):
    """The other end of a link is at fault."""


class ProtocolError(PeerError):
    """Bytes from outside do not parse. The only error of any `parse_...` function."""


class RefusedError(PeerError):
    """Bytes parse, but signature, grant, time, territory or class do not allow them.

    `reason` is a short stable word ("signature", "territory", "class", "expired", "replay", ...), so that
    refusals can be counted by kind.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MediaError(LoaError):
    """Audio that cannot be decoded, is empty, silent or too long."""


class InternalError(LoaError):
    """A law of the house was broken from inside: a bug, never the fault of who called."""
