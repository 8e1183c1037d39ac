"""What a pushed stream's worker says to the node over its pipe. Pure.

To the worker: the encoder's bytes as they came. From it, messages framed as those of `radio_pipe.py`: `P` is
20 ms of sound with its level, `S` how the stream stands, as JSON. The worker has had hostile bytes in its
hands, so `parse_news` believes nothing and raises ProtocolError alone.
"""

import json
from dataclasses import asdict, dataclass

from ...errors import ProtocolError
from .radio_icy import clean_title
from .radio_pipe import HEAD, STATE

MOST_COUNTED = 1 << 53


@dataclass(frozen=True, slots=True)
class PushNews:
    """`error`: why the stream is no sound (any more); empty while it is."""

    codec: str = ""
    faults: int = 0
    format_changes: int = 0
    error: str = ""


def build_news(news: PushNews) -> bytes:
    body = json.dumps(asdict(news)).encode()
    return HEAD.pack(STATE, len(body)) + body


def parse_news(body: bytes) -> PushNews:
    try:
        said = json.loads(body)
        faults, changes = int(said["faults"]), int(said["format_changes"])
        if not (0 <= faults < MOST_COUNTED and 0 <= changes < MOST_COUNTED):
            raise ValueError("counters out of bounds")
        return PushNews(clean_title(str(said["codec"])), faults, changes, clean_title(str(said["error"])))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ProtocolError(f"worker's news {body[:80]!r}: {error}; expected how it stands") from error
