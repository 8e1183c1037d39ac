"""Encoders that push, by the API: made, told live, refused at the door, sent away."""

import asyncio
import base64

import pytest

from loa.streamer.sources.pushes import Sender
from loa.web.desk import Desk
from loa.web.entrance import Entrance

from .conftest import App, Land, Page

API = "/api/v1/pushes"


async def made(page: Page, land: Land, name: str = "may-xa") -> dict[str, str]:
    new: dict[str, str] = await page.post(API, {"place": land.north.id, "name": name, "title": "Máy xã"})
    return new


def basic(password: str, user: str = "source") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_it_is_made_shown_changed_and_removed(page: Page, land: Land) -> None:
    new = await made(page, land)
    assert new["path"] == "/ingest/may-xa"
    assert new["url"].endswith("/ingest/may-xa")
    (listed,) = await page.get(API)
    assert "password" not in listed
    assert listed["source"] is None
    changed = await page.call("PATCH", f"{API}/{new['id']}", {"name": "may-hai"})
    assert changed["path"] == "/ingest/may-hai"
    await page.call("POST", API, {"name": "may-hai", "title": "b"}, status=409)
    await page.call("POST", API, {"name": "Máy", "title": "b"}, status=422)
    await page.call("DELETE", f"{API}/{new['id']}", status=204)
    await page.get(f"{API}/{new['id']}", status=404)


async def test_who_comes_with_a_wrong_password_is_told_slowed_and_shown(
    page: Page, app: App, land: Land, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loa.web.push_book.WRONG_PAUSE_S", 0.0)
    new = await made(page, land)
    statuses = []
    for _ in range(12):
        answer = await app.put(new["path"], headers=basic("sai"), data=b"")
        statuses.append(answer.status)
    assert statuses == [401] * 10 + [429] * 2
    assert int(answer.headers["Retry-After"]) > 0
    shown = await page.get(f"{API}/{new['id']}")
    assert shown["refused"]["why"] == "wrong password"
    assert await desk.pushes.admit("may-xa", "source", new["password"], "127.0.0.1") == new["id"]
    unknown = await app.put("/ingest/khong-co", headers=basic("sai"), data=b"")
    assert unknown.status == 401, "which names exist is nobody's business"


async def test_another_password_sends_away_who_pushes_with_the_old_one(
    page: Page, land: Land, desk: Desk
) -> None:
    new = await made(page, land)
    begun = asyncio.Event()

    async def read() -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    pushing = asyncio.create_task(desk.services.pushes.receive(new["id"], Sender("10.0.0.9", "máy"), read))
    await begun.wait()
    shown = await page.get(f"{API}/{new['id']}")
    assert shown["source"]["address"] == "10.0.0.9"
    assert shown["source"]["sounding"] is False
    other = await page.call("POST", f"{API}/{new['id']}/password")
    assert other["password"] != new["password"]
    assert (await pushing).why == "its password was changed"
    assert (await page.get(f"{API}/{new['id']}"))["source"] is None


async def test_what_does_not_exist_is_not_aired(page: Page, land: Land, desk: Desk) -> None:
    order = {"source": {"kind": "push", "push": "f" * 16}, "targets": [land.north.id]}
    await page.call("POST", "/api/v1/broadcasts", order, status=404)
    assert desk.air.on_air() == []


def test_an_encoder_pushes_in_clear_only_if_the_operator_says_so() -> None:
    for path in ("/ingest/may-xa", "/admin/metadata"):
        assert not Entrance().is_open(path)
        assert Entrance(allow_plain_push=True).is_open(path)
    assert not Entrance(allow_plain_push=True).is_open("/api/v1/pushes")
