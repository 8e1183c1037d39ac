"""The node's keys through the API: seen, rotated, revoked, and watched as they expire."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from loa.clock import VirtualClock
from loa.station.ring import DAY_US, NODE_US
from loa.web.certificate import Certificate
from loa.web.desk import Desk
from loa.web.entrance import Entrance
from loa.web.services import Services

from .conftest import own_keyring

KEYS = "/api/v1/keys"


def of(seen: Any, what: str) -> Any:
    return next(grant for grant in seen["grants"] if grant["what"] == what)


async def test_all_that_speakers_believe_is_shown_and_nothing_secret(
    page: Any, services: Services, land: Any
) -> None:
    seen = await page.get(KEYS)
    assert [(root["generation"], root["secret_here"]) for root in seen["roots"]] == [(1, True), (2, True)]
    assert [grant["what"] for grant in seen["grants"]] == [
        "authority",
        "authority",
        "node",
        "drill",
        "registrar",
    ]
    assert of(seen, "registrar")["rights"] == ["place", "volume"]
    assert of(seen, "node")["issuer"] == of(seen, "authority")["key_id"]
    assert {tuple(grant["places"]) for grant in seen["grants"]} == {(land.province.id,)}
    assert (seen["revoked"], seen["certificate"], seen["warnings"]) == ([], None, [])
    for holder in services.keyring.ring.holders:
        assert holder.secret is not None
        assert holder.secret.private_bytes().hex() not in str(seen)


@pytest.mark.parametrize("which", ["node", "drill", "registrar", "authority"])
async def test_a_rotated_key_is_another_and_the_old_one_can_be_revoked(page: Any, which: str) -> None:
    old = of(await page.get(KEYS), which)["key_id"]
    problem = await page.post(f"{KEYS}/revoke", {"key_id": old}, status=409)
    assert "rotate" in problem["what"] + problem["expected"]
    seen = await page.post(f"{KEYS}/rotate", {"which": which}, status=200)
    assert of(seen, f"{which}2")["key_id"] != old
    assert of(seen, which)["retired"]
    seen = await page.post(f"{KEYS}/revoke", {"key_id": old}, status=200)
    assert old not in {grant["key_id"] for grant in seen["grants"]}
    assert {one["key_id"] for one in seen["revoked"]} == {old}
    await page.post(f"{KEYS}/revoke", {"key_id": old}, status=404)


async def test_the_next_root_takes_the_place_of_the_oldest(page: Any) -> None:
    before = (await page.get(KEYS))["roots"]
    after = (await page.post(f"{KEYS}/rotate", {"which": "root"}, status=200))["roots"]
    assert [root["generation"] for root in after] == [2, 3]
    assert after[0] == before[1]


async def test_a_key_in_a_safe_is_asked_for_by_name(
    services: Services, page_of: Any, tmp_path: Path, clock: VirtualClock
) -> None:
    (tmp_path / "keys" / "root2.key").rename(tmp_path / "safe")
    taken = own_keyring(tmp_path / "keys", services.keyring.root_place, clock)
    object.__setattr__(services, "keyring", taken)
    async with page_of(services) as page:
        assert [root["secret_here"] for root in (await page.get(KEYS))["roots"]] == [True, False]
        problem = await page.post(f"{KEYS}/rotate", {"which": "authority"}, status=409)
        assert "root2.key" in problem["what"] + problem["expected"]
        await page.post(f"{KEYS}/rotate", {"which": "moon"}, status=422)


async def test_what_expires_is_told_ninety_thirty_and_seven_days_ahead(
    app: Any, desk: Desk, services: Services, clock: VirtualClock
) -> None:
    ends_us = services.keyring.ring.holders[1].grants[0].expires_us
    assert NODE_US > 91 * DAY_US
    for days, stage in ((91, None), (89, 90), (29, 30), (6, 7), (-1, 0)):
        clock.advance(ends_us - days * DAY_US - clock.now_us())
        found = {one.what: (one.stage, one.days_left) for one in desk.expiry.warnings()}
        names = ("node", "drill", "registrar")
        assert found == ({} if stage is None else dict.fromkeys(names, (stage, days)))
        metrics = await (await app.get("/metrics")).text()
        (left,) = re.findall(r'loa_expires_seconds{what="node"} (\S+)', metrics)
        assert float(left) == days * 86_400


async def test_the_certificate_is_watched_and_the_log_says_so(
    services: Services, page_of: Any, clock: VirtualClock
) -> None:
    ends = datetime.fromtimestamp(clock.now_us() // 1_000_000, UTC) + timedelta(days=29, hours=1)
    shown = Certificate(Path("a"), Path("b"), ends, ("loa.example",), "00", ours=False, vouched=True)
    object.__setattr__(services, "entrance", Entrance(certificate=lambda: shown))
    with structlog.testing.capture_logs() as told:
        async with page_of(services) as page:
            seen = await page.get(KEYS)
    assert seen["certificate"]["names"] == ["loa.example"]
    assert [(one["what"], one["stage"]) for one in seen["warnings"]] == [("certificate", 30)]
    assert [(one["what"], one["days_left"]) for one in told if one["event"] == "expires"] == [
        ("certificate", 29)
    ]
