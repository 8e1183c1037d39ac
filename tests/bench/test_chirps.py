"""Chirps are found again to the sample, in noise, at either rate, and not where there are none."""

import numpy as np
import pytest

from loa.bench import chirps

RATE = 48_000


def test_each_kind_is_found_where_it_began() -> None:
    sound = np.random.default_rng(1).normal(0, 0.01, 3 * RATE)
    sound[1000 : 1000 + 2 * RATE] += chirps.score()
    expected = {(kind, 1000 + kind * RATE // 2) for kind in range(4)}
    assert set(chirps.found(sound, RATE)) == expected


@pytest.mark.parametrize("rate", [44_100, RATE])
def test_quieter_and_at_another_rate(rate: int) -> None:
    sound = np.random.default_rng(2).normal(0, 0.001, rate)
    sound[777 : 777 + int(chirps.LENGTH_S * rate)] += 0.1 * chirps.chirp(2, rate)
    assert list(chirps.found(sound, rate)) == [(2, 777)]


def test_noise_holds_none() -> None:
    assert not list(chirps.found(np.random.default_rng(3).normal(0, 0.2, 4 * RATE), RATE))


def test_less_than_a_chirp_holds_none() -> None:
    assert not list(chirps.found(np.zeros(100), RATE))
