"""Joining: codes made, listed, cancelled, used, used wrongly; a new device in the place of an old one."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.errors import DeniedError
from loa.station.act import Act
from loa.station.codes import CODE_TTL_US, HOUR_US
from loa.streamer.presence import Roll
from loa.trust.enrol import Invitation, make_code, parse_code, parse_invitation
from loa.trust.keys import SigningKey
from loa.web.desk import ENROL_BURST, Desk
from loa.web.enrolments import enrol_command
from loa.web.entrance import Entrance
from loa.web.qr import rows
from loa.web.services import Services

SPEAKERS, CODES = "/api/v1/speakers", "/api/v1/enrolments"


async def a_code(page: Any, place: str, **more: object) -> Any:
    return await page.post(CODES, {"place": place, "name": "Cụm 7"} | more)


def device(code: str, key: SigningKey | None = None) -> dict[str, str]:
    key = key or SigningKey.generate()
    return {"secret": parse_code(code).secret.hex(), "public_key": key.public.raw.hex(), "serial": "A-1"}


async def joined(page: Any, code: str, key: SigningKey | None = None) -> Any:
    answer = await page.client.post("/enrol", json=device(code, key))
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_a_device_joins_with_its_code_and_learns_whom_to_believe(
    page: Any, land: Any, services: Services, roll: Roll, network: Any
) -> None:
    told = await a_code(page, land.hamlet.id)
    root = services.credentials.roots()[0]
    assert parse_code(told["code"]).pins(root)
    assert told["code"] in told["command"]
    assert "loa speaker --node http://127.0.0.1" in told["command"]
    page.client.session.cookie_jar.clear()
    given = await joined(page, told["code"])
    assert given["state"] == "pending"
    assert given["roots"] == [root.raw.hex()]
    assert given["chain"] == ["authority.grant", "node.grant"]
    assert given["link"] == "/speaker/link"
    assert base64.b64decode(given["placement"]).decode() == f"{given['speaker']} at {land.hamlet.id}"
    assert roll.states[given["speaker"]].seat.place == land.hamlet.id
    assert network.told == [f"changed {given['speaker']}"]


async def test_the_qr_code_holds_all_that_the_device_needs(page: Any, land: Any) -> None:
    told = await a_code(page, land.hamlet.id)
    invitation = parse_invitation(told["text"])
    assert (invitation.code, invitation.node) == (told["code"], str(page.client.make_url("/").origin()))
    assert told["qr"] == rows(told["text"])


@pytest.mark.parametrize(
    ("ways_in", "host", "node"),
    [
        ({}, "localhost:8080", "http://localhost:8080"),
        ({"allow_plain": True}, "LOA.example:8080", "http://loa.example:8080"),
        ({"https_port": 8443, "allow_plain": True}, "loa.example:8080", "https://loa.example:8443"),
        ({"https_port": 8443, "names": ["loa.example"]}, "localhost:8080", "https://loa.example:8443"),
        ({"names": ["loa.example"], "allow_plain": True}, "evil.example:8080", "http://loa.example:8080"),
        ({"names": ["loa.example", "localhost"]}, "localhost:8080", "http://loa.example:8080"),
        ({"names": ["loa.example"], "allow_plain": True}, "192.0.2.7:8080", "http://192.0.2.7:8080"),
        ({"names": ["192.0.2.7"], "allow_plain": True}, "[::1]:8080", "http://192.0.2.7:8080"),
    ],
)
async def test_a_code_names_a_node_that_a_device_can_call(
    services: Services, page_of: Any, land: Any, ways_in: Any, host: str, node: str
) -> None:
    async with page_of(replace(services, entrance=Entrance(**ways_in))) as page:
        headers = {"X-CSRF-Token": page.csrf, "Host": host}
        answer = await page.client.post(CODES, json={"place": land.hamlet.id, "name": "X"}, headers=headers)
        assert answer.status == 201, await answer.text()
        told = await answer.json()
    assert parse_invitation(told["text"]).node == node
    assert f" --node {node} " in told["command"]


@pytest.mark.parametrize("host", ["x;reboot", "$(reboot)", "a b", "loa.example/x", "-", "user@x"])
async def test_a_host_that_would_run_something_makes_no_code(page: Any, land: Any, host: str) -> None:
    headers = {"X-CSRF-Token": page.csrf, "Host": host}
    answer = await page.client.post(CODES, json={"place": land.hamlet.id, "name": "X"}, headers=headers)
    assert answer.status == 400
    assert await page.get(CODES) == []


@pytest.mark.parametrize(
    ("asked", "own", "unchecked"),
    [
        ("https://loa.example:8443", True, True),
        ("https://loa.example", False, False),
        ("http://192.0.2.7:8080", True, False),
    ],
)
def test_the_command_fits_the_nodes_certificate(asked: str, own: bool, unchecked: bool) -> None:
    code = make_code(SigningKey.generate().public)
    command = enrol_command(Invitation(asked, code), own_certificate=own)
    assert f"--node {asked} --enrol {code} " in command
    assert ("--no-check-tls" in command) == unchecked


async def test_open_codes_are_listed_and_cancelled(page: Any, land: Any, clock: VirtualClock) -> None:
    short = await a_code(page, land.hamlet.id, hours=1)
    long = await a_code(page, land.south.id, hours=336, approved=True)
    assert [code["id"] for code in await page.get(CODES)] == [short["id"], long["id"]]
    (waiting,) = await page.get(f"{CODES}?place={land.south.id}")
    assert (waiting["approved"], waiting["replaces"], waiting["created_by"]) == (True, None, "admin")
    assert "code" not in waiting
    assert [code["id"] for code in await page.get(f"{CODES}?place={land.north.id}")] == [short["id"]]
    await page.call("DELETE", f"{CODES}/{long['id']}", status=204)
    await page.call("DELETE", f"{CODES}/{long['id']}", status=404)
    assert (await page.client.post("/enrol", json=device(long["code"]))).status == 403
    clock.advance(HOUR_US)
    assert await page.get(CODES) == []
    await page.get(f"{CODES}?place=0123456789abcdef", status=404)


@pytest.mark.parametrize("hours", [0, 337, 1.5])
async def test_a_code_holds_for_two_weeks_at_most(page: Any, land: Any, hours: float) -> None:
    await page.post(CODES, {"place": land.hamlet.id, "name": "X", "hours": hours}, status=422)


async def test_the_new_speaker_shows_at_once_and_counts_when_approved(page: Any, land: Any) -> None:
    waiting = await joined(page, (await a_code(page, land.hamlet.id))["code"])
    shown = {s["id"]: s["state"] for s in await page.get(f"{SPEAKERS}?place={land.hamlet.id}")}
    assert shown[waiting["speaker"]] == "pending"
    assert (await page.get("/api/v1/places"))[0]["speakers"] == 6
    let_in = await joined(page, (await a_code(page, land.hamlet.id, approved=True))["code"])
    assert let_in["state"] == "active"
    assert (await page.get("/api/v1/places"))[0]["speakers"] == 7


@pytest.mark.parametrize("replaces", [False, True])
async def test_who_may_not_approve_makes_no_code_that_is_approved(
    page: Any, land: Any, desk: Desk, monkeypatch: pytest.MonkeyPatch, replaces: bool
) -> None:
    path = f"{SPEAKERS}/{land.at(land.hamlet)[0]}/replacement" if replaces else CODES
    body: dict[str, object] = {} if replaces else {"place": land.hamlet.id, "name": "X"}
    allowed = desk.authority.require

    def without(person: Any, act: Act, places: Any) -> None:
        if act is Act.APPROVE_SPEAKER:
            raise DeniedError("may not approve, expected a role that may")
        allowed(person, act, places)

    monkeypatch.setattr(desk.authority, "require", without)
    await page.post(path, body | {"approved": True}, status=403)
    assert await page.get(CODES) == []
    await page.post(path, body)
    assert len(await page.get(CODES)) == 1


async def test_a_code_opens_once_for_one_key_and_not_for_ever(
    page: Any, land: Any, clock: VirtualClock
) -> None:
    key = SigningKey.generate()
    told = await a_code(page, land.hamlet.id)
    first, again = await joined(page, told["code"], key), await joined(page, told["code"], key)
    assert first["speaker"] == again["speaker"]
    assert (await page.client.post("/enrol", json=device(told["code"]))).status == 403
    late = await a_code(page, land.hamlet.id)
    clock.advance(CODE_TTL_US + 1)
    assert (await page.client.post("/enrol", json=device(late["code"]))).status == 403


async def test_a_device_enrols_once_whatever_code_it_holds(page: Any, land: Any) -> None:
    """At another's place too; and the words are those for a code that was never made."""
    key = SigningKey.generate()
    first = await joined(page, (await a_code(page, land.hamlet.id))["code"], key)
    elsewhere = await a_code(page, land.south.id, approved=True)
    answers = [
        await page.client.post("/enrol", json=device(elsewhere["code"], key) | change)
        for change in ({}, {"secret": "00" * 10})
    ]
    assert [answer.status for answer in answers] == [409, 409]
    assert (await answers[0].json()) == (await answers[1].json())
    (speaker,) = [s for s in await page.get(SPEAKERS) if s["id"] == first["speaker"]]
    assert (speaker["place"], speaker["state"]) == (land.hamlet.id, "pending")
    assert len(await page.get(CODES)) == 1


async def test_a_device_that_is_blocked_or_was_removed_stays_out(page: Any, land: Any) -> None:
    key = SigningKey.generate()
    told = await a_code(page, land.hamlet.id)
    name = (await joined(page, told["code"], key))["speaker"]
    await page.post(f"{SPEAKERS}/{name}/block", status=200)
    fresh = await a_code(page, land.hamlet.id, approved=True)
    words = set()
    for code in (told["code"], fresh["code"]):
        answer = await page.client.post("/enrol", json=device(code, key))
        assert answer.status == 403
        words.add(await answer.text())
    await page.call("DELETE", f"{SPEAKERS}/{name}", status=204)
    answer = await page.client.post("/enrol", json=device(fresh["code"], key))
    assert answer.status == 403
    assert {await answer.text()} == words


async def test_a_new_device_takes_the_place_of_an_old_one(page: Any, land: Any, network: Any) -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    name = (await joined(page, (await a_code(page, land.hamlet.id, approved=True))["code"], old))["speaker"]
    network.told.clear()
    told = await page.post(f"{SPEAKERS}/{name}/replacement", {"approved": True})
    assert (told["place"], told["name"]) == (land.hamlet.id, "Cụm 7")
    (waiting,) = await page.get(CODES)
    assert waiting["replaces"] == name
    assert network.told == [], "the old one goes on until then"
    given = await joined(page, told["code"], new)
    assert (given["speaker"], given["state"]) == (name, "active")
    assert network.told == [f"changed {name}"]
    (shown,) = [s for s in await page.get(SPEAKERS) if s["id"] == name]
    assert shown["key"].replace(" ", "") == new.public.key_id[:8]
    fresh = await a_code(page, land.hamlet.id)
    assert (await page.client.post("/enrol", json=device(fresh["code"], old))).status == 403
    await page.post(f"{SPEAKERS}/0123456789abcdef/replacement", {}, status=404)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"secret": "00" * 10}, 403),
        ({"secret": "zz" * 10}, 400),
        ({"secret": "00"}, 400),
        ({"public_key": "00"}, 422),
        ({"public_key": "00" * 32}, 422),
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
