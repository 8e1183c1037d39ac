"""A cookie is good for one address, one token, this epoch and the next."""

import pytest

from loa.wire.cookie import COOKIE_BYTES, EPOCH_US, check_cookie, make_cookie

SECRET, TOKEN = b"s" * 32, b"t" * 16
HOME = ("203.0.113.7", 5004)
NOW_US = 1_800_000_000_000_000
COOKIE = make_cookie(SECRET, HOME, TOKEN, NOW_US)


def test_it_is_short_and_good_where_it_was_made() -> None:
    assert len(COOKIE) == COOKIE_BYTES
    assert check_cookie(SECRET, HOME, TOKEN, COOKIE, NOW_US)
    assert COOKIE.hex() == "ab5225b331fa2737933cc37a96ebae7a"


@pytest.mark.parametrize(
    ("secret", "address", "token", "cookie"),
    [
        (b"S" * 32, HOME, TOKEN, COOKIE),
        (SECRET, ("203.0.113.8", 5004), TOKEN, COOKIE),
        (SECRET, ("203.0.113.7", 5005), TOKEN, COOKIE),
        (SECRET, HOME, b"T" * 16, COOKIE),
        (SECRET, HOME, TOKEN, COOKIE[:-1] + bytes([COOKIE[-1] ^ 1])),
        (SECRET, HOME, TOKEN, COOKIE[:-1]),
        (SECRET, HOME, TOKEN, b""),
    ],
)
def test_nowhere_else(secret: bytes, address: tuple[str, int], token: bytes, cookie: bytes) -> None:
    assert not check_cookie(secret, address, token, cookie, NOW_US)


def test_it_lasts_one_epoch_at_least_and_two_at_most() -> None:
    begin = NOW_US - NOW_US % EPOCH_US
    cookie = make_cookie(SECRET, HOME, TOKEN, begin)
    assert check_cookie(SECRET, HOME, TOKEN, cookie, begin + 2 * EPOCH_US - 1)
    assert not check_cookie(SECRET, HOME, TOKEN, cookie, begin + 2 * EPOCH_US)
    assert not check_cookie(SECRET, HOME, TOKEN, cookie, begin - 1)


def test_a_mapped_address_is_the_address() -> None:
    """One IPv6 socket serves both: the same speaker may appear either way."""
    assert check_cookie(SECRET, ("::ffff:203.0.113.7", 5004, 0, 0), TOKEN, COOKIE, NOW_US)
    six = ("fe80::1%eth0", 5004, 0, 2)
    assert check_cookie(SECRET, six, TOKEN, make_cookie(SECRET, six, TOKEN, NOW_US), NOW_US)
