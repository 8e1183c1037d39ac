"""Second factors and recovery codes: nothing readable at rest, nothing twice, nothing after its removal."""

import asyncio
import re
import urllib.parse
from pathlib import Path

import pyotp
import pytest

from loa.errors import ConfigError, ConflictError, DeniedError, NotFoundError
from loa.station.accounts import Account
from loa.station.factors import MAX_FACTORS, STEP_S, FactorKind, NewTotp
from loa.station.passkeys import Passkey
from loa.station.password import Passwords
from loa.station.recovery import CODES
from loa.station.station import Station

STEP_US = STEP_S * 1_000_000


@pytest.fixture
async def account(station: Station, now_us: int) -> Account:
    return (await station.accounts.add("Hồng", now_us=now_us)).account


@pytest.fixture
async def app(station: Station, account: Account, now_us: int) -> NewTotp:
    """Confirmed three minutes ago."""
    made = await station.factors.begin_totp(account.id, "Điện thoại", account_name="Hồng", now_us=now_us)
    before_us = now_us - 6 * STEP_US
    await station.factors.confirm_totp(account.id, made.id, code(made, before_us), now_us=before_us)
    return made


def code(app: NewTotp, at_us: int) -> str:
    return pyotp.TOTP(app.secret).at(at_us // 1_000_000)


async def test_a_factor_counts_once_its_first_code_was_shown(
    station: Station, account: Account, now_us: int
) -> None:
    first = await station.factors.begin_totp(account.id, "cũ", account_name="Hồng", now_us=now_us)
    made = await station.factors.begin_totp(account.id, "mới", account_name="Hồng", now_us=now_us)
    assert made.secret not in repr(made)
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(made.uri).query)["secret"] == [made.secret]
    assert await station.factors.of_account(account.id) == ()
    assert not await station.factors.uses_code(account.id, code(made, now_us), now_us=now_us)
    with pytest.raises(NotFoundError):
        await station.factors.confirm_totp(account.id, first.id, code(first, now_us), now_us=now_us)
    wrong = str((int(code(made, now_us)) + 1) % 1_000_000).zfill(6)
    with pytest.raises(DeniedError):
        await station.factors.confirm_totp(account.id, made.id, wrong, now_us=now_us)
    factor = await station.factors.confirm_totp(account.id, made.id, code(made, now_us), now_us=now_us)
    assert (factor.kind, factor.name) == (FactorKind.TOTP, "mới")
    assert await station.factors.of_account(account.id) == (factor,)
    assert await station.factors.accounts() == {account.id}
    with pytest.raises(ConflictError):
        await station.factors.confirm_totp(account.id, made.id, code(made, now_us), now_us=now_us)
    assert not await station.factors.uses_code(account.id, code(made, now_us), now_us=now_us), "used once"


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_phone_may_be_half_a_minute_off(
    station: Station, account: Account, app: NewTotp, now_us: int, steps: int, good: bool
) -> None:
    shown = code(app, now_us + steps * STEP_US)
    assert await station.factors.uses_code(account.id, shown, now_us=now_us) is good


async def test_a_code_is_used_once_and_an_older_one_not_any_more(
    station: Station, account: Account, app: NewTotp, now_us: int
) -> None:
    shown = code(app, now_us)
    tries = await asyncio.gather(
        *(station.factors.uses_code(account.id, shown, now_us=now_us) for _ in range(5))
    )
    assert sorted(tries) == [False] * 4 + [True]
    assert not await station.factors.uses_code(account.id, code(app, now_us - STEP_US), now_us=now_us)
    assert await station.factors.uses_code(account.id, code(app, now_us + STEP_US), now_us=now_us)


async def test_the_secret_is_in_no_file_and_opens_with_the_stations_key_only(
    station: Station,
    url: str,
    passwords: Passwords,
    account: Account,
    app: NewTotp,
    now_us: int,
    tmp_path: Path,
) -> None:
    stored = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))  # noqa: ASYNC240
    assert app.secret.encode() not in stored
    async with await Station.open(url, secret=bytes(32)) as stranger:
        with pytest.raises(ConfigError, match="does not open"):
            await stranger.factors.uses_code(account.id, code(app, now_us), now_us=now_us)


async def test_the_same_secret_opens_after_a_restart(url: str, now_us: int) -> None:
    async with await Station.open(url, secret=b"s" * 32) as before:
        account = (await before.accounts.add("Hồng", now_us=now_us)).account.id
        made = await before.factors.begin_totp(account, "x", account_name="Hồng", now_us=now_us)
        await before.factors.confirm_totp(account, made.id, code(made, now_us), now_us=now_us)
    later_us = now_us + STEP_US
    async with await Station.open(url, secret=b"s" * 32) as after:
        assert await after.factors.uses_code(account, code(made, later_us), now_us=later_us)
        assert before.key("factors") == after.key("factors") != after.key("browsers")


async def test_a_passkeys_counter_only_goes_up(station: Station, account: Account, now_us: int) -> None:
    made = Passkey("AAAA", b"key", 0)
    factor = await station.factors.add_passkey(account.id, "Khóa", made, now_us=now_us)
    (kept,) = await station.factors.passkeys(account.id)
    assert (kept.credential, kept.public_key, kept.factor) == ("AAAA", b"key", factor.id)
    for count, good in ((0, True), (0, True), (5, True), (5, False), (4, False), (0, False), (6, True)):
        used = Passkey("AAAA", b"key", count, factor.id)
        assert await station.factors.uses_passkey(used, now_us=now_us) is good, count
    other = (await station.accounts.add("Lan", now_us=now_us)).account
    with pytest.raises(ConflictError, match="already"):
        await station.factors.add_passkey(other.id, "Khóa", made, now_us=now_us)


async def test_the_last_factor_takes_the_recovery_codes_with_it(
    station: Station, account: Account, app: NewTotp, now_us: int
) -> None:
    await station.recovery.make(account.id, now_us=now_us)
    key = await station.factors.add_passkey(account.id, "Khóa", Passkey("AAAA", b"k", 0), now_us=now_us)
    await station.factors.remove(account.id, app.id, keep_one=True)
    assert await station.recovery.left(account.id) == CODES
    with pytest.raises(ConflictError, match="last one"):
        await station.factors.remove(account.id, key.id, keep_one=True)
    assert [factor.id for factor in await station.factors.of_account(account.id)] == [key.id]
    await station.factors.remove(account.id, key.id, keep_one=False)
    assert await station.factors.of_account(account.id) == ()
    assert await station.recovery.left(account.id) == 0


async def test_nobody_removes_or_confirms_somebody_elses(station: Station, app: NewTotp, now_us: int) -> None:
    other = (await station.accounts.add("Lan", now_us=now_us)).account
    with pytest.raises(NotFoundError):
        await station.factors.remove(other.id, app.id, keep_one=False)
    with pytest.raises(NotFoundError):
        await station.factors.confirm_totp(other.id, app.id, code(app, now_us), now_us=now_us)


async def test_an_account_has_ten_factors_at_most(station: Station, account: Account, now_us: int) -> None:
    for number in range(MAX_FACTORS):
        await station.factors.add_passkey(account.id, "Khóa", Passkey(f"A{number}", b"k", 0), now_us=now_us)
    with pytest.raises(ConflictError, match="room"):
        await station.factors.begin_totp(account.id, "x", account_name="Hồng", now_us=now_us)
    await station.factors.remove_all(account.id)
    assert await station.factors.passkeys(account.id) == ()


async def test_a_recovery_code_is_good_once_however_it_is_typed(
    station: Station, account: Account, now_us: int, tmp_path: Path
) -> None:
    codes = await station.recovery.make(account.id, now_us=now_us)
    assert len(set(codes)) == CODES == await station.recovery.left(account.id)
    assert all(re.fullmatch(r"([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}", one) for one in codes)
    stored = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))  # noqa: ASYNC240
    assert not any(one.encode() in stored or one.replace("-", "").encode() in stored for one in codes)
    tries = await asyncio.gather(
        *(station.recovery.use(account.id, codes[0], now_us=now_us) for _ in range(5))
    )
    assert sorted(tries) == [False] * 4 + [True]
    typed = f" {codes[1].upper().replace('-', ' ').replace('0', 'O').replace('1', 'l')} "
    assert await station.recovery.use(account.id, typed, now_us=now_us)
    assert await station.recovery.left(account.id) == CODES - 2
    other = (await station.accounts.add("Lan", now_us=now_us)).account
    for wrong in (codes[2][:-1], "", "x" * 10_000, "\ud800"):
        assert not await station.recovery.use(account.id, wrong, now_us=now_us)
    assert not await station.recovery.use(other.id, codes[2], now_us=now_us), "somebody else's"
    await station.recovery.make(account.id, now_us=now_us)
    assert not await station.recovery.use(account.id, codes[2], now_us=now_us), (
        "void since there are new ones"
    )
