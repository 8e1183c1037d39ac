"""Challenges: for one account and purpose, some tries, some time, and once."""

import pytest

from loa.errors import DeniedError
from loa.web.challenges import LASTS_US, MAX_EACH, MAX_OPEN, TRIES, Challenges, Purpose

ALICE, BOB = "a" * 16, "b" * 16


@pytest.fixture
def challenges() -> Challenges:
    return Challenges()


def test_one_is_answered_once(challenges: Challenges) -> None:
    made = challenges.open(ALICE, Purpose.LOG_IN, now_us=0)
    assert len(made.bytes) == 32
    first, second = [challenges.attempt(made.name, Purpose.LOG_IN, now_us=1) for _ in range(2)]
    challenges.close(first)
    with pytest.raises(DeniedError):
        challenges.close(second)
    with pytest.raises(DeniedError):
        challenges.attempt(made.name, Purpose.LOG_IN, now_us=1)


def test_the_last_try_counts_and_the_next_does_not(challenges: Challenges) -> None:
    made = challenges.open(ALICE, Purpose.LOG_IN, now_us=0)
    for _ in range(TRIES):
        found = challenges.attempt(made.name, Purpose.LOG_IN, now_us=0)
    challenges.close(found)
    made = challenges.open(ALICE, Purpose.LOG_IN, now_us=0)
    for _ in range(TRIES):
        challenges.attempt(made.name, Purpose.LOG_IN, now_us=0)
    with pytest.raises(DeniedError):
        challenges.attempt(made.name, Purpose.LOG_IN, now_us=0)
    assert len(challenges) == 0


@pytest.mark.parametrize(
    ("name", "purpose", "now_us"),
    [
        (None, Purpose.PASSKEY, 0),
        (None, Purpose.LOG_IN, LASTS_US),
        ("A" * 43, Purpose.LOG_IN, 0),
        ("", Purpose.LOG_IN, 0),
    ],
)
def test_what_does_not_fit_is_not_open(
    challenges: Challenges, name: str | None, purpose: Purpose, now_us: int
) -> None:
    made = challenges.open(ALICE, Purpose.LOG_IN, now_us=0)
    with pytest.raises(DeniedError, match="not open"):
        challenges.attempt(made.name if name is None else name, purpose, now_us=now_us)


def test_of_too_many_the_oldest_are_forgotten(challenges: Challenges) -> None:
    bobs = challenges.open(BOB, Purpose.LOG_IN, now_us=0)
    made = [challenges.open(ALICE, Purpose.LOG_IN, now_us=0) for _ in range(MAX_EACH + 1)]
    with pytest.raises(DeniedError):
        challenges.attempt(made[0].name, Purpose.LOG_IN, now_us=0)
    challenges.attempt(made[1].name, Purpose.LOG_IN, now_us=0)
    challenges.attempt(bobs.name, Purpose.LOG_IN, now_us=0)
    for number in range(MAX_OPEN + 10):
        challenges.open(f"{number:016x}", Purpose.LOG_IN, now_us=0)
    assert len(challenges) == MAX_OPEN
    with pytest.raises(DeniedError):
        challenges.attempt(bobs.name, Purpose.LOG_IN, now_us=0)


def test_an_accounts_are_closed_together(challenges: Challenges) -> None:
    made = challenges.open(ALICE, Purpose.LOG_IN, now_us=0)
    kept = challenges.open(BOB, Purpose.LOG_IN, now_us=0)
    challenges.close_all(ALICE)
    with pytest.raises(DeniedError):
        challenges.attempt(made.name, Purpose.LOG_IN, now_us=0)
    challenges.attempt(kept.name, Purpose.LOG_IN, now_us=0)
