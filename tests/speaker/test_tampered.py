"""Every byte of a signed datagram is protected: changed or cut off, it is refused once and makes no sound."""

from dataclasses import replace
from typing import Any

import pytest

from loa.wire.datagram import StartFlags

from .scene import Scene

PARTS: dict[str, tuple[int, str]] = {
    "magic": (0, "malformed"),
    "version": (1, "malformed"),
    "kind": (2, "malformed"),
    "flags": (3, "signature"),
    "program": (4, "signature"),
    "broadcast": (12, "signature"),
    "class": (20, "signature"),
    "detail": (21, "signature"),
    "level": (22, "signature"),
    "number of targets": (23, "malformed"),
    "began": (31, "signature"),
    "expires": (39, "signature"),
    "length of the grant": (41, "malformed"),
    "target": (42, "territory"),
    "grant's header": (55, "algorithm"),
    "audio's sequence": (452, "signature"),
    "media time": (460, "malformed"),
    "codec": (461, "malformed"),
    "number of frames": (462, "malformed"),
    "frame": (-100, "signature"),
    "signature": (-64, "signature"),
    "last byte": (-1, "signature"),
}


@pytest.fixture
def scene(world: Any, make_rig: Any) -> Scene:
    return Scene(world, make_rig, make_rig(world).fix())


def changed(data: bytes, at: int) -> bytes:
    flipped = bytearray(data)
    flipped[at] ^= 0x02
    return bytes(flipped)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_a_start_is_protected(scene: Scene, part: str) -> None:
    at, reason = PARTS[part]
    scene.strike(changed(scene.siren().start_datagram(), at))
    assert scene.sounded() == []
    assert scene.counted() == {f"refused_{reason}": 1}


@pytest.mark.parametrize("kind", ["start", "audio", "end"])
def test_any_changed_byte_and_any_missing_end_is_refused(scene: Scene, kind: str) -> None:
    siren = scene.siren(level=0)
    siren.start = replace(siren.start, flags=StartFlags.TEST)
    scene.rig.hear(siren.start_datagram())
    data: bytes = getattr(siren, f"{kind}_datagram")()
    others = [changed(data, at) for at in range(len(data))]
    shorter = [data[:size] for size in range(len(data))]
    scene.strike(*others, *shorter)
    assert scene.sounded() == []
    assert sum(scene.counted().values()) == len(others) + len(shorter)
