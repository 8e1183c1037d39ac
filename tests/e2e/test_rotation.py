"""Keys are rotated and revoked while emergencies sound: a loudspeaker proves that it heard each of them."""

import time
from typing import Any

import numpy as np

from .conftest import House, until

TONE_US = 3_600_000
"""The warning's length: in any window of it there is sound."""


async def raised(house: House, place: str, *, drill: bool = False) -> str:
    """An emergency that the loudspeaker there reports to have played."""
    wanted = {"source": {"kind": "tone"}, "targets": [place], "severity": "extreme", "title": "Thử"}
    made: str = (await house.api("POST", "/emergencies", wanted | {"drill": drill}))["id"]

    async def heard() -> bool:
        return bool((await house.api("GET", f"/broadcasts/{made}/reach"))["reached"] == 1)

    await until(heard)
    return made


async def rotated(house: House, which: str) -> Any:
    """And whatever it replaced revoked at once. What is there afterwards."""
    await house.api("POST", "/keys/rotate", {"which": which})
    seen = await house.api("GET", "/keys")
    for old in {grant["key_id"] for grant in seen["grants"] if grant["retired"]}:
        seen = await house.api("POST", "/keys/revoke", {"key_id": old})
    return seen


async def test_emergencies_go_on_while_every_key_is_rotated_and_the_old_ones_are_revoked(
    house: House,
) -> None:
    province = (await house.api("GET", "/places"))[0]["id"]
    commune = await house.api.place("Xã Một", "commune", province)
    loudspeaker = await house.speaker(commune, "mot")
    rotations_us = []
    sounding = await raised(house, commune)
    for which in ("drill", "registrar", "root", "authority"):
        rotations_us.append(time.time_ns() // 1000)
        await rotated(house, which)
    seen = await house.api("GET", f"/broadcasts/{sounding}")
    assert seen["state"] == "playing", "what was on air is on air"
    for drill in (False, True):
        await house.api("DELETE", f"/emergencies/{sounding}")
        sounding = await raised(house, commune, drill=drill)
    await house.api("DELETE", f"/emergencies/{sounding}")
    seen = await rotated(house, "node")
    assert {one["key_id"] for one in seen["revoked"]}.isdisjoint(one["key_id"] for one in seen["grants"])
    assert [root["generation"] for root in seen["roots"]] == [2, 3]
    sounding = await raised(house, commune)
    await house.api("PATCH", f"/speakers/{loudspeaker.id}", {"place": province})
    await house.api("DELETE", f"/emergencies/{sounding}")
    await raised(house, province)
    recording = await loudspeaker.stop()
    for at_us in rotations_us:
        assert np.abs(recording.between(at_us, at_us + TONE_US)).max() > 0.05
