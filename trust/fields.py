"""MessagePack maps from outside, read field by field.

Laws: the only error is ProtocolError, and it names the message, the field, what was found and what was
expected; size, depth and every length are bounded before anything is used; unknown fields are ignored; a
field has one type (true is not 1). `Fields` owns nothing and changes nothing.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

import msgpack  # type: ignore[import-untyped]  # it ships no types; this file is the only one that needs it

from ..errors import ProtocolError
from .ids import ID_BYTES

MAX_MAP_BYTES = 256 * 1024
"""The largest control message is a list of targets: 16,384 places of 8 bytes are 128 KiB."""
MAX_DEPTH = 6
"""A report holds a list of maps: depth 3. Twice that leaves room for fields of later versions."""
MAX_ITEMS = 16_384

Choice = TypeVar("Choice", bound=StrEnum)


class Fields:
    """One map; `what` names it in errors ("hello", "report.heard[2]")."""

    __slots__ = ("_map", "what")

    def __init__(self, what: str, content: Mapping[str, object]) -> None:
        self.what = what
        self._map = content

    def has(self, name: str) -> bool:
        """Present and not nil."""
        return self._map.get(name) is not None

    def integer(self, name: str, low: int, high: int) -> int:
        value = self._map.get(name)
        if type(value) is not int or not low <= value <= high:
            raise self._fault(name, value, f"an integer from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float) -> float:
        value = self._map.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._fault(name, value, f"a number from {low} to {high}")
        if not (math.isfinite(value) and low <= value <= high):
            raise self._fault(name, value, f"a number from {low} to {high}")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._map.get(name)
        if not isinstance(value, bool):
            raise self._fault(name, value, "true or false")
        return value

    def text(self, name: str, most: int) -> str:
        value = self._map.get(name)
        if not isinstance(value, str) or len(value) > most:
            raise self._fault(name, value, f"a text of at most {most} letters")
        return value

    def raw(self, name: str, low: int, high: int) -> bytes:
        value = self._map.get(name)
        if not isinstance(value, bytes) or not low <= len(value) <= high:
            size = f"{low}" if low == high else f"{low} to {high}"
            raise self._fault(name, value, f"binary of {size} bytes")
        return value

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        value = self._map.get(name)
        for member in kind:
            if member.value == value:
                return member
        raise self._fault(name, value, "one of " + ", ".join(kind))

    def ident(self, name: str) -> str:
        return self.raw(name, ID_BYTES, ID_BYTES).hex()

    def idents(self, name: str, most: int) -> tuple[str, ...]:
        """Ids end to end in one binary: 8 bytes each, without a length or an object per id."""
        joined = self.raw(name, 0, most * ID_BYTES)
        if len(joined) % ID_BYTES:
            raise self._fault(name, joined, f"binary of a multiple of {ID_BYTES} bytes")
        return tuple(joined[at : at + ID_BYTES].hex() for at in range(0, len(joined), ID_BYTES))

    def items(self, name: str, most: int) -> list[object]:
        value = self._map.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self._fault(name, value, f"an array of at most {most}")
        return value

    def maps(self, name: str, most: int) -> list["Fields"]:
        return [
            Fields(f"{self.what}.{name}[{at}]", self._a_map(f"{name}[{at}]", item))
            for at, item in enumerate(self.items(name, most))
        ]

    def map(self, name: str, most: int, most_letters: int) -> Mapping[str, object]:
        value = self._a_map(name, self._map.get(name))
        if len(value) > most or any(len(key) > most_letters for key in value):
            raise self._fault(
                name, value, f"at most {most} entries with names of at most {most_letters} letters"
            )
        return value

    def names(self) -> Iterable[str]:
        return self._map.keys()

    def _a_map(self, name: str, value: object) -> Mapping[str, object]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self._fault(name, value, "a map with text keys")
        return value

    def _fault(self, name: str, value: object, expected: str) -> ProtocolError:
        return ProtocolError(f"{self.what}: field {name!r} is {_shown(value)}, expected {expected}")


def build_map(content: Mapping[str, object]) -> bytes:
    packed: bytes = msgpack.packb(content)
    return packed


def parse_map(data: bytes, what: str, most_bytes: int = MAX_MAP_BYTES) -> Fields:
    """One MessagePack map and nothing after it."""
    if len(data) > most_bytes:
        raise ProtocolError(f"{what}: {len(data)} bytes, expected at most {most_bytes}")
    try:
        value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_array_len=MAX_ITEMS,
            max_map_len=1024,
            max_ext_len=0,
        )
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise ProtocolError(
            f"{what}: not MessagePack ({error or type(error).__name__}), expected one map"
        ) from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ProtocolError(f"{what}: {_shown(value)}, expected a map with text keys")
    _check_depth(value, what)
    return Fields(what, value)


def _check_depth(value: object, what: str) -> None:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise ProtocolError(f"{what}: nested too deep, expected at most {MAX_DEPTH - 1} levels")


def _shown(value: object) -> str:
    """What a fault says about a value from outside: its kind and size, never all of it."""
    if value is None:
        return "missing"
    if isinstance(value, (str, bytes, list, dict)):
        return f"{type(value).__name__} of length {len(value)}"
    return f"{type(value).__name__} {str(value)[:40]}"
