"""API tokens: shown once, stored as hashes, with an end, and gone with their account."""

from pathlib import Path

import pytest

from loa.errors import ConflictError, DeniedError, NotFoundError, OperatorError
from loa.station.accounts import Account, AccountState
from loa.station.act import Act
from loa.station.api_tokens import MAX_LIFE_US, MAX_TOKENS, NewApiToken
from loa.station.place import Place
from loa.station.station import Station

DAY_US = 86_400 * 1_000_000


@pytest.fixture
async def account(station: Station, now_us: int) -> Account:
    return (await station.accounts.add("Hồng", now_us=now_us)).account


async def make(station: Station, account: Account, place: Place, now_us: int) -> NewApiToken:
    return await station.api_tokens.add(
        account.id,
        "Lịch phát",
        acts=[Act.SEE, Act.AIR, Act.SEE],
        places=[place.id],
        expires_us=now_us + DAY_US,
        now_us=now_us,
    )


async def test_a_token_is_known_until_its_end_and_nowhere_written(
    station: Station, account: Account, commune: Place, now_us: int, tmp_path: Path
) -> None:
    made = await make(station, account, commune, now_us)
    assert made.token.startswith("loa_")
    assert len(made.token) == 47
    assert made.token not in repr(made)
    stored = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))  # noqa: ASYNC240
    assert made.token.encode() not in stored
    found = await station.api_tokens.find(made.token, now_us=now_us + DAY_US - 1)
    assert found == made.about
    assert (found.acts, found.places) == ((Act.AIR, Act.SEE), (commune.id,))
    for token, at_us in (
        (made.token, now_us + DAY_US),
        (made.token + "x", now_us),
        (made.token[4:], now_us),
        ("loa_", now_us),
        ("loa_" + "x" * 99_999, now_us),
    ):
        assert await station.api_tokens.find(token, now_us=at_us) is None
    await station.api_tokens.used({made.about.id: now_us + 7})
    (listed,) = await station.api_tokens.of_account(account.id)
    assert listed.last_used_us == now_us + 7
    assert await station.api_tokens.purge(now_us + DAY_US) == 1
    assert await station.api_tokens.ids() == frozenset()


async def test_a_token_ends_within_a_year_and_there_are_not_too_many(
    station: Station, account: Account, commune: Place, now_us: int
) -> None:
    for expires_us in (now_us, now_us + MAX_LIFE_US + 1):
        with pytest.raises(OperatorError, match="365 days"):
            await station.api_tokens.add(
                account.id, "x", acts=[Act.SEE], places=[commune.id], expires_us=expires_us, now_us=now_us
            )
    for _ in range(MAX_TOKENS):
        await make(station, account, commune, now_us)
    with pytest.raises(ConflictError, match="room"):
        await make(station, account, commune, now_us)


async def test_only_its_owner_removes_it(
    station: Station, account: Account, commune: Place, now_us: int
) -> None:
    made = await make(station, account, commune, now_us)
    other = (await station.accounts.add("Lan", now_us=now_us)).account
    with pytest.raises(NotFoundError):
        await station.api_tokens.remove(other.id, made.about.id)
    await station.api_tokens.remove(account.id, made.about.id)
    assert await station.api_tokens.find(made.token, now_us=now_us) is None


async def test_a_disabled_account_has_no_session_no_token_and_no_log_in(
    station: Station, commune: Place, now_us: int
) -> None:
    first = await station.accounts.add("Hồng", full_name=" Nguyễn  Thị Hồng ", now_us=now_us)
    account = first.account
    assert account.full_name == "Nguyễn Thị Hồng"
    opened = await station.sessions.open(account.id, now_us=now_us, address="192.0.2.7", agent="x" * 999)
    (listed,) = await station.sessions.of_account(account.id, now_us=now_us)
    assert (listed.address, len(listed.agent), listed.second_factor) == ("192.0.2.7", 200, False)
    made = await make(station, account, commune, now_us)
    disabled = await station.accounts.set_state(account.id, AccountState.DISABLED)
    assert disabled.state is AccountState.DISABLED
    assert await station.sessions.find(opened.token, now_us=now_us) is None
    assert await station.api_tokens.find(made.token, now_us=now_us) is None
    with pytest.raises(DeniedError, match="do not belong together"):
        await station.accounts.log_in("Hồng", first.password)
    with pytest.raises(DeniedError, match="do not belong together"):
        await station.accounts.logged_in(account.id, now_us=now_us)
    await station.accounts.set_state(account.id, AccountState.ACTIVE)
    await station.accounts.log_in("Hồng", first.password)
    assert (await station.accounts.logged_in(account.id, now_us=now_us + 1)).last_login_us == now_us + 1


async def test_sessions_are_ended_one_by_one_or_all_but_one(
    station: Station, account: Account, now_us: int
) -> None:
    mine, second, third = [await station.sessions.open(account.id, now_us=now_us + n) for n in range(3)]
    listed = await station.sessions.of_account(account.id, now_us=now_us)
    assert [one.id for one in listed] == [third.session.id, second.session.id, mine.session.id]
    other = (await station.accounts.add("Lan", now_us=now_us)).account
    with pytest.raises(NotFoundError):
        await station.sessions.end(other.id, third.session.id)
    await station.sessions.end(account.id, third.session.id)
    await station.sessions.close_all(account.id, but_token=mine.token)
    assert await station.sessions.ids() == {mine.session.id}
