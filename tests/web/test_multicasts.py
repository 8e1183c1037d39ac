"""Multicast groups over the API: added, seen, refused in words, removed, and told to the sender."""

from typing import Any

import pytest

from loa.web.services import Services

from .conftest import Land, Page

GROUP: dict[str, Any] = {
    "group": "239.10.0.1",
    "port": 5004,
    "codec": "g722",
    "classes": ["emergency", "ordinary"],
    "ttl": 4,
    "interface": "eth0",
}


async def test_a_group_is_added_seen_and_removed(page: Page, land: Land, services: Services) -> None:
    made = await page.post("/api/v1/multicasts", GROUP | {"place": land.north.id})
    assert made["classes"] == ["ordinary", "emergency"]
    assert (made["verified"], made["state"], made["fault"]) == (False, "off", "")
    assert "c=IN IP4 239.10.0.1/4\r\n" in made["sdp"]
    assert "m=audio 5004 RTP/AVP 9\r\n" in made["sdp"]
    assert len(services.multicast) == 1
    assert await page.get("/api/v1/multicasts") == [made]
    assert await page.get(f"/api/v1/multicasts?place={land.province.id}") == [made]
    assert await page.get(f"/api/v1/multicasts?place={land.south.id}") == []
    await page.call("DELETE", f"/api/v1/multicasts/{made['id']}", status=204)
    assert await page.get("/api/v1/multicasts") == []
    assert len(services.multicast) == 0
    await page.call("DELETE", f"/api/v1/multicasts/{made['id']}", status=404)


async def test_a_group_is_sent_to_once(page: Page, land: Land) -> None:
    await page.post("/api/v1/multicasts", GROUP | {"place": land.north.id})
    told = await page.post("/api/v1/multicasts", GROUP | {"place": land.south.id}, status=409)
    assert "239.10.0.1 port 5004 is sent to already" in str(told)
    await page.post("/api/v1/multicasts", GROUP | {"place": land.south.id, "port": 5006})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"group": "10.0.0.1"}, "10.0.0.1 is no group for sound"),
        ({"group": "224.0.0.5"}, "a multicast address, best one of 239"),
        ({"group": "nonsense"}, "no address"),
        ({"interface": "eth0; rm"}, "one such as eth0"),
        ({"port": 80}, "port"),
        ({"ttl": 0}, "ttl"),
        ({"classes": []}, "classes"),
        ({"codec": "mp3"}, "codec"),
    ],
)
async def test_what_is_no_group_is_told(page: Page, land: Land, change: dict[str, Any], told: str) -> None:
    answer = await page.send("POST", "/api/v1/multicasts", GROUP | {"place": land.north.id} | change)
    assert answer.status in (400, 422)
    assert told in await answer.text()
    assert await page.get("/api/v1/multicasts") == []
