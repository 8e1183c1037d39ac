"""Parsing and signature checks, each done once for the same bytes.

A datagram reaches a speaker by UDP and by its link, and in a simulation a thousand speakers; its bytes are
the same everywhere, so the work need not be repeated. Laws: the key of the cache is the whole datagram; a
verdict belongs to one key; the cache is bounded and forgets the oldest. Pure; one thread.
"""

from collections import OrderedDict

from ..errors import ProtocolError
from ..trust.keys import VerifyKey
from ..wire.datagram import Parsed, parse_datagram

MAX_CACHED = 64
"""Enough for what is under way twice; a simulation asks for more."""


class Checked:
    """A datagram and what is known about its signature."""

    __slots__ = ("_verdicts", "parsed")

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self._verdicts: dict[VerifyKey, bool] = {}

    def signed_by(self, key: VerifyKey) -> bool:
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts[key] = key.verify(self.parsed.signature, self.parsed.signed)
        return verdict


class Checks:
    def __init__(self, most: int = MAX_CACHED) -> None:
        self._most = most
        self._known: OrderedDict[bytes, Checked | None] = OrderedDict()

    def parse(self, data: bytes) -> Checked | None:
        """None for bytes that are no datagram."""
        try:
            return self._known[data]
        except KeyError:
            checked = _parse(data)
        self._known[data] = checked
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return checked


def _parse(data: bytes) -> Checked | None:
    try:
        return Checked(parse_datagram(data))
    except ProtocolError:
        return None
