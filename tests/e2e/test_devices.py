"""The life of a device: it joins and waits, is let in, is shut out for good, and another takes its place."""

import asyncio
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from .conftest import LOA, RATE, House, Loudspeaker, Sound, end, until

LOUD = 0.05
SILENT_WITHIN_US = 2_000_000


def now_us() -> int:
    return time.time_ns() // 1000


async def device(house: House, folder: Path, *, invitation: str = "", id: str = "") -> Loudspeaker:
    """A `loa speaker` that is told no more than what a QR code holds."""
    file = folder / f"heard-{time.monotonic_ns()}.wav"
    joins = ("--enrol", invitation) if invitation else ()
    process = await asyncio.create_subprocess_exec(
        *LOA, "speaker", *joins, "--state", str(folder / "state"), "--output", f"wav:{file}"
    )
    house.stack.push_async_callback(end, process)
    return Loudspeaker(id, "", file, process)


async def state_of(house: House) -> dict[str, Any]:
    """The only speaker there is."""
    found = await house.api("GET", "/speakers")
    assert len(found) <= 1
    return dict(found[0]) if found else {"state": "", "playing": None}


async def shows(house: House, state: str) -> dict[str, Any]:
    """Wait for it."""

    async def check() -> dict[str, Any] | None:
        found = await state_of(house)
        return found if found["state"] == state else None

    shown: dict[str, Any] = await until(check)
    return shown


async def sounds(house: House) -> None:
    """Until it has reported that it plays."""

    async def check() -> bool:
        return (await state_of(house))["playing"] is not None

    await until(check)


async def happened(house: House, event: str) -> None:
    async def check() -> bool:
        return await house.counted(event) > 0

    await until(check)


def loudest(sound: Sound) -> float:
    return float(np.max(np.abs(sound), initial=0.0))


async def loudest_ever(speaker: Loudspeaker) -> float:
    """Of one that never got as far as to know the time."""
    await end(speaker.process)
    return loudest(soundfile.read(speaker.file)[0]) if speaker.file.exists() else 0.0


async def a_tone_without_end(house: House, place: str) -> str:
    """A broadcast that is never silent."""
    wav = io.BytesIO()
    tone = 0.3 * np.sin(np.arange(10 * RATE) * 2 * np.pi * 440 / RATE)
    soundfile.write(wav, tone, RATE, format="WAV")
    program = await house.api.upload("Tiếng đều", wav.getvalue())
    source = {"kind": "file", "program": program, "repeat": True}
    return str((await house.api("POST", "/broadcasts", {"source": source, "targets": [place]}))["id"])


@pytest.mark.peer
async def test_a_device_waits_is_let_in_shut_out_and_replaced(house: House) -> None:
    api = house.api
    province = (await api("GET", "/places"))[0]["id"]
    commune = await api.place("Xã Bắc", "commune", province)
    await a_tone_without_end(house, commune)

    told = await api("POST", "/enrolments", {"place": commune, "name": "Cụm 1"})
    old = await device(house, house.folder / "old", invitation=told["text"])
    waiting = await shows(house, "pending")
    await happened(house, "ended_pending")
    approved_us = now_us()
    await api("POST", f"/speakers/{waiting['id']}/approve")
    await sounds(house)

    blocked_us = now_us()
    shut = await api("POST", f"/speakers/{waiting['id']}/block")
    assert (shut["state"], shut["via"]) == ("blocked", None)
    await house.restart()
    await until(lambda: _reached(blocked_us + SILENT_WITHIN_US + 1_000_000))
    heard = await old.stop()
    assert loudest(heard.between(0, approved_us)) == 0, "sounded before anybody had let it in"
    assert loudest(heard.between(approved_us, blocked_us)) > LOUD
    rest = heard.between(blocked_us + SILENT_WITHIN_US, now_us())
    assert len(rest) > RATE // 2
    assert loudest(rest) == 0, "sounded when it was blocked"

    again = await device(house, house.folder / "old")
    await happened(house, "ended_blocked")
    new_code = await api("POST", f"/speakers/{waiting['id']}/replacement", {"approved": True})
    new = await device(house, house.folder / "new", invitation=new_code["text"])
    replaced = await shows(house, "online")
    await sounds(house)
    assert (replaced["id"], replaced["name"], replaced["place"]) == (waiting["id"], "Cụm 1", commune)
    assert replaced["key"] != waiting["key"]
    assert loudest((await new.stop()).samples) > LOUD
    assert await loudest_ever(again) == 0

    late = await device(house, house.folder / "old")
    await happened(house, "ended_signature")
    assert await loudest_ever(late) == 0


async def _reached(at_us: int) -> bool:
    return now_us() > at_us


@pytest.mark.peer
async def test_a_captured_key_is_nobody_at_the_link_of_another(house: House) -> None:
    """The device's own id is replaced by its neighbour's in the captured memory."""
    api = house.api
    province = (await api("GET", "/places"))[0]["id"]
    places = [await api.place(name, "commune", province) for name in ("Xã Bắc", "Xã Nam")]
    south = await house.speaker(places[1], "nam")
    folder = house.folder / "captured"
    seat = {"place": places[0], "name": "bac", "approved": True}
    told = await api("POST", "/enrolments", seat)
    captured = await device(house, folder, invitation=told["text"])

    async def linked() -> bool:
        found = {s["name"]: s["state"] for s in await api("GET", "/speakers")}
        return found.get("bac") == "online"

    await until(linked)
    await end(captured.process)
    identity = folder / "state" / "identity.json"
    stored = json.loads(identity.read_text())
    identity.write_text(json.dumps(stored | {"speaker": south.id}))
    await a_tone_without_end(house, places[1])
    forger = await device(house, folder)
    await happened(house, "ended_signature")
    found = {s["name"]: s for s in await api("GET", "/speakers")}
    assert found["nam"]["state"] == "online", "nobody threw out the right one"
    assert await loudest_ever(forger) == 0


@pytest.mark.peer
async def test_a_speaker_is_muted_and_stays_so_when_it_comes_back(house: House) -> None:
    """The order of the place above does not wake it, and an emergency does."""
    api = house.api
    province = (await api("GET", "/places"))[0]["id"]
    commune = await api.place("Xã Bắc", "commune", province)
    speaker = await house.speaker(commune, "bac")
    await a_tone_without_end(house, commune)
    await sounds(house)
    muted_us = now_us()
    mute = {"volume_db": 0, "emergency_floor_db": -6, "muted": True}
    await api("PUT", f"/speakers/{speaker.id}/volume", mute)
    await api("PUT", f"/places/{province}/volume", mute | {"muted": False})
    await until(lambda: _reached(muted_us + SILENT_WITHIN_US + 500_000))
    before = await speaker.stop()
    assert loudest(before.between(0, muted_us)) > LOUD
    rest = before.between(muted_us + SILENT_WITHIN_US, now_us())
    assert len(rest) > 0
    assert loudest(rest) == 0
    await house.restart()
    back = await device(house, house.folder / "speaker-bac", id=speaker.id)
    await sounds(house)
    alert_us = now_us()
    alert = {"source": {"kind": "tone"}, "severity": "severe", "title": "X", "targets": [commune]}
    await api("POST", "/emergencies", alert)

    async def heard() -> bool:
        return (await state_of(house))["level_dbfs"] is not None

    await until(heard)
    after = await back.stop()
    assert loudest(after.between(0, alert_us)) == 0, "muted before anything sounded"
    assert loudest(after.between(alert_us, now_us())) > LOUD
