"""Loudspeakers: joining by a one-time code, their state, moving and removing them."""

import base64
from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.station.codes import CODE_TTL_US
from loa.streamer.presence import Roll
from loa.trust.enrol import parse_code
from loa.trust.keys import SigningKey
from loa.web.desk import ENROL_BURST
from loa.web.services import Services
from loa.web.speakers import enrol_command

SPEAKERS = "/api/v1/speakers"


async def a_code(page: Any, place: str) -> Any:
    return await page.post("/api/v1/enrolments", {"place": place, "name": "Cụm 7"})


def device(code: str, key: SigningKey | None = None) -> dict[str, str]:
    key = key or SigningKey.generate()
    return {"secret": parse_code(code).secret.hex(), "public_key": key.public.raw.hex(), "serial": "A-1"}


async def test_a_device_joins_with_its_code_and_learns_whom_to_believe(
    page: Any, land: Any, services: Services, roll: Roll, network: Any
) -> None:
    told = await a_code(page, land.hamlet.id)
    root = services.credentials.roots()[0]
    assert parse_code(told["code"]).pins(root)
    assert told["code"] in told["command"]
    assert "loa speaker --node http://127.0.0.1" in told["command"]
    page.client.session.cookie_jar.clear()
    answer = await page.client.post("/enrol", json=device(told["code"]))
    assert answer.status == 200
    given = await answer.json()
    assert given["roots"] == [root.raw.hex()]
    assert given["chain"] == ["authority.grant", "node.grant"]
    assert given["link"] == "/speaker/link"
    assert base64.b64decode(given["placement"]).decode() == f"{given['speaker']} at {land.hamlet.id}"
    assert roll.states[given["speaker"]].seat.place == land.hamlet.id
    assert network.told == [f"changed {given['speaker']}"]


@pytest.mark.parametrize(
    ("asked", "own", "unchecked"),
    [
        ("https://loa.example:8443", True, True),
        ("https://loa.example", False, False),
        ("http://192.0.2.7:8080", True, False),
    ],
)
def test_the_command_fits_the_nodes_certificate(asked: str, own: bool, unchecked: bool) -> None:
    command = enrol_command(asked, "CODE", own_certificate=own)
    assert f"--node {asked} --enrol CODE " in command
    assert ("--no-check-tls" in command) == unchecked


async def test_the_new_speaker_shows_at_once(page: Any, land: Any) -> None:
    told = await a_code(page, land.hamlet.id)
    joined = await (await page.client.post("/enrol", json=device(told["code"]))).json()
    shown = await page.get(f"{SPEAKERS}?place={land.hamlet.id}")
    assert joined["speaker"] in {speaker["id"] for speaker in shown}
    assert (await page.get("/api/v1/places"))[0]["speakers"] == 7


async def test_a_code_opens_once_for_one_key_and_not_for_ever(
    page: Any, land: Any, clock: VirtualClock
) -> None:
    key = SigningKey.generate()
    told = await a_code(page, land.hamlet.id)
    first = await page.client.post("/enrol", json=device(told["code"], key))
    again = await page.client.post("/enrol", json=device(told["code"], key))
    assert (await first.json())["speaker"] == (await again.json())["speaker"]
    assert (await page.client.post("/enrol", json=device(told["code"]))).status == 403
    late = await a_code(page, land.hamlet.id)
    clock.advance(CODE_TTL_US + 1)
    assert (await page.client.post("/enrol", json=device(late["code"]))).status == 403
    assert len(await (await page.client.get("/metrics")).text()) > 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"secret": "00" * 10}, 403),
        ({"secret": "zz" * 10}, 400),
        ({"secret": "00"}, 400),
        ({"public_key": "00"}, 422),
        ({"public_key": "Z" * 64}, 422),
        ({"serial": "x" * 500}, 422),
        ({"place": "0123456789abcdef"}, 422),
    ],
)
async def test_a_device_that_asks_wrongly_gets_nothing(
    page: Any, land: Any, change: dict[str, str], status: int
) -> None:
    told = await a_code(page, land.hamlet.id)
    answer = await page.client.post("/enrol", json=device(told["code"]) | change)
    assert answer.status == status, await answer.text()
    assert set(await answer.json()) == {"what", "where", "expected"}
    assert len(await page.get(SPEAKERS)) == 6


async def test_who_guesses_codes_is_slowed(page: Any, land: Any) -> None:
    told = await a_code(page, land.hamlet.id)
    wrong = device(told["code"]) | {"secret": "00" * 10}
    for _ in range(ENROL_BURST):
        assert (await page.client.post("/enrol", json=wrong)).status == 403
    answer = await page.client.post("/enrol", json=device(told["code"]))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_speaker_that_moves_is_counted_where_it_is(page: Any, land: Any, roll: Roll) -> None:
    (name, other) = land.at(land.south)
    roll.linked(name)
    body = {"place": land.hamlet.id, "name": "Cụm mới", "notes": "trên cột", "lat": 10.4, "lon": 105.6}
    changed = await page.call("PATCH", f"{SPEAKERS}/{name}", body)
    assert {key: changed[key] for key in body} == body
    assert changed["state"] == "online"
    places = {place["id"]: place for place in await page.get("/api/v1/places")}
    assert (places[land.south.id]["speakers"], places[land.hamlet.id]["online"]) == (1, 1)
    assert roll.states[name].seat.place == land.hamlet.id
    assert [s["id"] for s in await page.get(f"{SPEAKERS}?place={land.south.id}")] == [other]
    await page.call("PATCH", f"{SPEAKERS}/{name}", {"lat": 10.4}, status=422)
    await page.call("PATCH", f"{SPEAKERS}/{name}", {"place": "0123456789abcdef"}, status=404)


async def test_a_removed_speaker_is_nobody(page: Any, land: Any, roll: Roll, network: Any) -> None:
    name = land.at(land.south)[0]
    roll.linked(name)
    await page.call("DELETE", f"{SPEAKERS}/{name}", status=204)
    assert name not in roll.states
    assert network.told == [f"removed {name}"]
    south = (await page.get("/api/v1/places"))[3]
    assert (south["speakers"], south["online"]) == (1, 0)
    await page.call("DELETE", f"{SPEAKERS}/{name}", status=404)


async def test_speakers_of_a_place_that_is_not_there(page: Any) -> None:
    await page.get(f"{SPEAKERS}?place=0123456789abcdef", status=404)
