"""What is written down while Loa runs, and that no secret is in it.

Laws: every line passes `mask`, those of the libraries too; a value is masked for its name (`password=`) or
for its shape (an API token, an enrolment code, a grant, a private key), however deep it lies; a traceback
shows the lines of the code and never the values of its variables. The one secret that must be read in a
log, the first log-in's password, says so by being `Shown`.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TextIO

import structlog

MASKED = "***"

_NAMES = re.compile(
    r"passw|secret|token|cookie|authorization|csrf|credential|otp|recovery|private(?!_networks)|\buri\b|\bcodes?\b|_codes?\b",
    re.I,
)
_LETTER = "[0-9A-TV-Z]"
_SHAPES = re.compile(
    "|".join(
        (
            r"\bloa_[\w-]{20,}",
            rf"(?<!\w)(?:{_LETTER}{{4}}[- ]){{8}}{_LETTER}{{2}}(?!\w)",
            rf"(?<!\w){_LETTER}{{34}}(?!\w)",
            r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
            r"otpauth(?:-migration)?://\S+",
            r"(?<=bearer )\S+",
            r"(?:__Host-)?loa_\w+=[^\s;,'\"]+",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            r"(?<=://)[^\s/@:]*:[^\s/@]*(?=@)",
        )
    ),
    re.I | re.S,
)
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Shown:
    """A secret that is meant for whoever reads the log."""

    text: str


def configure(level: str, file: TextIO = sys.stderr) -> None:
    """For a command that runs: Loa's own lines and those of the libraries, at `level` and above."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            mask,
            structlog.dev.ConsoleRenderer(
                colors=file.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file),
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_FromLibraries()], force=True)


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor."""
    return {name: _masked(value, name, 0) for name, value in event.items()}


def names_secret(name: str) -> bool:
    """A field of this name is not for showing."""
    return _NAMES.search(name) is not None


def masked_text(text: str) -> str:
    """`text` without what looks like a secret."""
    return _SHAPES.sub(MASKED, text)


def _masked(value: object, name: str, depth: int) -> object:
    if isinstance(value, Shown):
        return value.text
    if value is None or isinstance(value, bool | int | float):
        return MASKED if _NAMES.search(name) and value is not None and not isinstance(value, bool) else value
    if _NAMES.search(name):
        return MASKED
    if depth == _DEEPEST:
        return MASKED
    match value:
        case str():
            return masked_text(value)
        case Mapping():
            return {key: _masked(item, str(key), depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(item, "", depth + 1) for item in value]
    return masked_text(repr(value) if not isinstance(value, BaseException) else str(value))


class _FromLibraries(logging.Handler):
    """Lines of the standard library's logging, which aiohttp writes when it meets a fault."""

    def emit(self, record: logging.LogRecord) -> None:
        own = structlog.get_logger(record.name)
        own.log(record.levelno, record.getMessage(), library=record.name, exc_info=record.exc_info)
