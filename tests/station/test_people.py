"""Accounts and sessions: nothing secret in the database, nothing chosen in advance, nothing for ever."""

import asyncio
import re
from pathlib import Path

import argon2
import pytest
import sqlalchemy as sa

from loa.errors import BusyError, ConflictError, DeniedError, NotFoundError, OperatorError
from loa.station.accounts import FIRST_ADMINISTRATOR, Account, OneTime
from loa.station.password import MAX_WAITING, MAX_WAITING_KNOWN, Passwords, one_time_password
from loa.station.people_schema import AccountRow, SessionRow
from loa.station.sessions import IDLE_US, SESSION_TTL_US
from loa.station.station import Station

NEW = "một mật khẩu dài"


@pytest.fixture
async def first(station: Station, now_us: int) -> OneTime:
    made = await station.accounts.ensure_administrator(now_us=now_us)
    assert made is not None
    return made


async def test_the_first_administrator_is_made_once_with_a_password_of_its_own(
    station: Station, first: OneTime, now_us: int
) -> None:
    assert (first.account.name, first.account.must_change) == (FIRST_ADMINISTRATOR, True)
    assert re.fullmatch(r"([2-9a-hjkmnp-z]{4}-){3}[2-9a-hjkmnp-z]{4}", first.password)
    assert first.password not in repr(first)
    assert await station.accounts.ensure_administrator(now_us=now_us) is None
    assert await station.accounts.list() == (first.account,)
    assert len({one_time_password() for _ in range(100)}) == 100


async def test_the_password_is_in_no_file(station: Station, first: OneTime, tmp_path: Path) -> None:
    await station.accounts.change_password(first.account.id, old=first.password, new=NEW)
    content = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))  # noqa: ASYNC240
    for secret in (first.password, NEW):
        assert secret.encode() not in content
    assert b"$argon2id$" in content


async def test_only_the_name_and_its_own_password_log_in(station: Station, first: OneTime) -> None:
    assert await station.accounts.log_in(FIRST_ADMINISTRATOR, first.password) == first.account
    assert await station.accounts.log_in(f" {FIRST_ADMINISTRATOR.upper()} ", first.password) == first.account
    words = set()
    for name, password in (
        (FIRST_ADMINISTRATOR, "wrong"),
        (FIRST_ADMINISTRATOR, ""),
        (FIRST_ADMINISTRATOR, "x" * 100_000),
        ("nobody", first.password),
        ("", first.password),
        ("a\x00b", first.password),
    ):
        with pytest.raises(DeniedError) as refusal:
            await station.accounts.log_in(name, password)
        words.add(str(refusal.value))
    assert len(words) == 1, "a refusal does not say which of the two was wrong"


async def test_changing_the_password_ends_the_other_sessions_and_the_old_password(
    station: Station, first: OneTime, now_us: int
) -> None:
    account = first.account.id
    mine, other = [await station.sessions.open(account, now_us=now_us) for _ in range(2)]
    for wrong, new in (("wrong", NEW), (first.password, "short"), (first.password, "x" * 257)):
        with pytest.raises((DeniedError, OperatorError)):
            await station.accounts.change_password(account, old=wrong, new=new)
    with pytest.raises(OperatorError, match="old one"):
        await station.accounts.change_password(account, old=first.password, new=first.password)
    changed = await station.accounts.change_password(
        account, old=first.password, new=NEW, keep_token=mine.token
    )
    assert not changed.must_change
    assert await station.sessions.find(mine.token, now_us=now_us) == mine.session
    assert await station.sessions.find(other.token, now_us=now_us) is None
    assert (await station.accounts.log_in(FIRST_ADMINISTRATOR, NEW)) == changed
    with pytest.raises(DeniedError):
        await station.accounts.log_in(FIRST_ADMINISTRATOR, first.password)


async def test_of_two_changes_at_once_one_succeeds(station: Station, first: OneTime) -> None:
    news = [f"{NEW} {number}" for number in range(2)]
    results = await asyncio.gather(
        *(station.accounts.change_password(first.account.id, old=first.password, new=new) for new in news),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {Account, ConflictError}
    winner = news[0] if isinstance(results[0], Account) else news[1]
    await station.accounts.log_in(FIRST_ADMINISTRATOR, winner)


async def test_a_lost_password_is_replaced_by_a_one_time_one(
    station: Station, first: OneTime, now_us: int
) -> None:
    opened = await station.sessions.open(first.account.id, now_us=now_us)
    await station.accounts.change_password(
        first.account.id, old=first.password, new=NEW, keep_token=opened.token
    )
    reset = await station.accounts.reset_password((await station.accounts.by_name("ADMIN")).id)
    assert reset.account.must_change
    assert await station.sessions.find(opened.token, now_us=now_us) is None
    await station.accounts.log_in(FIRST_ADMINISTRATOR, reset.password)


async def test_names_are_told_apart_without_regard_to_case_and_spelling(
    station: Station, now_us: int
) -> None:
    made = await station.accounts.add("Hồng", now_us=now_us)
    with pytest.raises(ConflictError, match="exists"):
        await station.accounts.add("  H\u00f4\u0300NG ", now_us=now_us)
    assert await station.accounts.get(made.account.id) == made.account
    for missing in (station.accounts.get("0" * 16), station.accounts.by_name("nobody")):
        with pytest.raises(NotFoundError):
            await missing


async def test_a_hash_with_old_parameters_is_renewed_at_log_in(
    station: Station, first: OneTime, url: str
) -> None:
    stronger = Passwords(argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    async with await Station.open(url, passwords=stronger) as later:
        await later.accounts.log_in(FIRST_ADMINISTRATOR, first.password)
        async with later.database.read() as session:
            assert "m=16,t=2" in str(await session.scalar(sa.select(AccountRow.password)))
        account = await later.accounts.log_in(FIRST_ADMINISTRATOR, first.password)
        assert account.must_change


async def test_the_parameters_used_by_default_are_those_of_the_rfc() -> None:
    passwords = Passwords()
    hashed = await passwords.hash("x")
    passwords.close()
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_too_many_at_once_are_turned_away_and_counted(passwords: Passwords) -> None:
    results = await asyncio.gather(
        *(passwords.matches(None, "x") for _ in range(MAX_WAITING + 5)), return_exceptions=True
    )
    assert sum(isinstance(result, BusyError) for result in results) == 5 == passwords.refused
    assert results[:MAX_WAITING] == [False] * MAX_WAITING
    strangers = [passwords.matches(None, "x") for _ in range(MAX_WAITING)]
    known = [passwords.matches(None, "x", known=True) for _ in range(MAX_WAITING_KNOWN - MAX_WAITING)]
    assert not any(await asyncio.gather(*strangers, *known)), "who is known finds room behind strangers"
    assert await passwords.matches(await passwords.hash("x"), "x")
    endless = "x" * 1000
    assert not await passwords.matches(await passwords.hash(endless), endless), "nobody types that"
    passwords.close()


async def test_a_session_is_known_by_its_token_until_it_ends(
    station: Station, first: OneTime, now_us: int
) -> None:
    new = await station.sessions.open(first.account.id, now_us=now_us)
    assert new.token not in repr(new)
    assert new.session.account == first.account.id
    end_us = now_us + IDLE_US
    assert await station.sessions.find(new.token, now_us=end_us - 1) == new.session
    for token, at_us in (
        (new.token, end_us),
        (new.token + "x", now_us),
        ("", now_us),
        ("x" * 99_999, now_us),
    ):
        assert await station.sessions.find(token, now_us=at_us) is None
    late_us = now_us + SESSION_TTL_US - 1
    await station.sessions.seen({new.session.id: late_us})
    assert await station.sessions.find(new.token, now_us=late_us) is not None
    assert await station.sessions.find(new.token, now_us=late_us + 1) is None, "a week, however busy"
    await station.sessions.close(new.token)
    await station.sessions.close(new.token)
    assert await station.sessions.find(new.token, now_us=now_us) is None


async def test_a_token_is_stored_as_its_hash_only(station: Station, first: OneTime, now_us: int) -> None:
    new = await station.sessions.open(first.account.id, now_us=now_us)
    async with station.database.read() as session:
        (row,) = (await session.scalars(sa.select(SessionRow))).all()
    assert len(row.hash) == 64
    assert new.token not in row.hash
    assert await station.sessions.find(row.hash, now_us=now_us) is None, "what is stored opens nothing"


async def test_expired_sessions_are_forgotten_and_all_of_an_account_can_be_ended(
    station: Station, first: OneTime, now_us: int
) -> None:
    old = await station.sessions.open(first.account.id, now_us=now_us, ttl_us=10)
    kept = await station.sessions.open(first.account.id, now_us=now_us)
    assert await station.sessions.purge(now_us + 10) == 1
    assert await station.sessions.find(old.token, now_us=now_us) is None
    assert await station.sessions.find(kept.token, now_us=now_us) == kept.session
    await station.sessions.close_all(first.account.id)
    assert await station.sessions.find(kept.token, now_us=now_us) is None
