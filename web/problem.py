"""An error as the API tells it: a status and {"what", "where", "expected"}.

Laws: every error of the house has one status, by blame; the words of an internal error stay in the log, and
the caller gets a number to find them by; nothing of a password, token or file name of ours is ever
repeated.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ..errors import (
    BusyError,
    ConflictError,
    DeniedError,
    LoaError,
    MediaError,
    NotFoundError,
    OperatorError,
    ProtocolError,
    RefusedError,
)
from .model import Problem

_STATUS: Sequence[tuple[type[LoaError], int, str]] = (
    (DeniedError, 403, "an account that may do this there"),
    (NotFoundError, 404, "something that exists"),
    (ConflictError, 409, "an order that fits what is there now"),
    (BusyError, 503, "the same again a little later"),
    (OperatorError, 422, "an order that can be carried out"),
    (ProtocolError, 400, "bytes as the protocol says"),
    (RefusedError, 403, "what trust allows"),
    (MediaError, 422, "sound that can be read"),
)


class HttpError(OperatorError):
    """A request that HTTP itself has a status for."""

    def __init__(
        self, status: int, what: str, where: str, expected: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{where}: {what}, expected {expected}")
        self.status, self.headers = status, dict(headers or {})
        self.problem = Problem(what=what, where=where, expected=expected)


def too_many(what: str, where: str, wait_s: int) -> HttpError:
    """Somebody must wait, and is told how long."""
    return HttpError(429, what, where, f"another try in {wait_s} s", {"Retry-After": str(wait_s)})


def told(error: LoaError, where: str) -> tuple[int, Problem] | None:
    """Status and words for an error of the house; None for one that is our own fault."""
    if isinstance(error, HttpError):
        return error.status, error.problem
    for kind, status, expected in _STATUS:
        if isinstance(error, kind):
            what, better = in_words(error)
            return status, Problem(what=what, where=where, expected=better or expected)
    return None


def told_headers(error: LoaError) -> dict[str, str]:
    """What goes with the words: when to come again."""
    match error:
        case HttpError():
            return dict(error.headers)
        case BusyError():
            return {"Retry-After": str(max(1, error.retry_s))}
    return {}


def in_words(error: LoaError) -> tuple[str, str]:
    """What is wrong and what was expected, as the house writes its errors ("what, expected that")."""
    what, _, expected = str(error).rpartition("expected ")
    return (what.rstrip(" ,;"), expected) if what else (str(error), "")


def of_validation(error: ValidationError, where: str) -> HttpError:
    """The faults of a body or query, all at once: 400 when it is no JSON at all, else 422."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if any(fault["type"] == "json_invalid" for fault in faults):
        return HttpError(400, f"no JSON: {faults[0]['msg']}", where, "a JSON object")
    shown = faults[:5]
    what = "; ".join(f"{_path(fault['loc'])}: {fault['msg']}" for fault in shown)
    if len(faults) > len(shown):
        what += f"; and {len(faults) - len(shown)} more"
    places = ", ".join(dict.fromkeys(_path(fault["loc"]) for fault in shown))
    return HttpError(422, what, f"{where}: {places}", "what /api/v1/openapi.json says of it")


def _path(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location) or "body"
