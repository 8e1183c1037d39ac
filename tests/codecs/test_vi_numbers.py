"""Numbers in words: known readings, and every number read back by a parser that knows only the grammar."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.codecs.vi_numbers import (
    DIGITS,
    MOST,
    NORTHERN,
    SOUTHERN,
    cardinal,
    decimal,
    month,
    roman,
    spelled,
    to_roman,
)

KNOWN = {
    0: "không",
    4: "bốn",
    5: "năm",
    10: "mười",
    11: "mười một",
    14: "mười bốn",
    15: "mười lăm",
    20: "hai mươi",
    21: "hai mươi mốt",
    24: "hai mươi tư",
    25: "hai mươi lăm",
    55: "năm mươi lăm",
    100: "một trăm",
    101: "một trăm linh một",
    105: "một trăm linh năm",
    115: "một trăm mười lăm",
    1005: "một nghìn không trăm linh năm",
    1010: "một nghìn không trăm mười",
    2025: "hai nghìn không trăm hai mươi lăm",
    10_000: "mười nghìn",
    1_000_000: "một triệu",
    1_000_001: "một triệu không trăm linh một",
    3_321_000: "ba triệu ba trăm hai mươi mốt nghìn",
    2_000_000_000: "hai tỷ",
    10**15: "một triệu tỷ",
}
ONES = {word: value for value, word in enumerate(DIGITS)} | {"mốt": 1, "tư": 4, "lăm": 5}
SCALES = {"nghìn": 1000, "ngàn": 1000, "triệu": 10**6}


@pytest.mark.parametrize(("number", "said"), KNOWN.items())
def test_known_readings(number: int, said: str) -> None:
    assert cardinal(number) == said


def test_the_south_says_two_words_otherwise() -> None:
    assert cardinal(1_005, SOUTHERN) == "một ngàn không trăm lẻ năm"


def heard(said: str) -> int:
    """What a listener understands; knows the words, and nothing of how `cardinal` is made."""
    if " tỷ" in f" {said}":
        above, _, below = said.partition(" tỷ")
        return heard(above) * 10**9 + (heard(below.strip()) if below.strip() else 0)
    total = group = 0
    last = None
    for word in said.split():
        if word in SCALES:
            total, group, last = total + (group + (last or 0)) * SCALES[word], 0, None
        elif word == "trăm":
            group, last = group + (last or 0) * 100, None
        elif word == "mươi":
            group, last = group + (last or 0) * 10, None
        elif word == "mười":
            group += 10
        elif word not in ("linh", "lẻ"):
            last = ONES[word]
    return total + group + (last or 0)


@given(st.integers(0, MOST) | st.integers(0, 99_999), st.sampled_from([NORTHERN, SOUTHERN]))
def test_every_number_is_understood(number: int, dialect: object) -> None:
    assert heard(cardinal(number, dialect)) == number  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [-1, MOST + 1])
def test_what_has_no_reading_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to"):
        cardinal(number)


def test_decimals_months_and_digits() -> None:
    assert decimal(3, "5") == "ba phẩy năm"
    assert decimal(3, "75") == "ba phẩy bảy mươi lăm"
    assert decimal(0, "05") == "không phẩy không năm"
    assert decimal(1, "234") == "một phẩy hai ba bốn"
    assert (month(1), month(4), month(12)) == ("một", "tư", "mười hai")
    assert spelled("0277") == "không hai bảy bảy"


@given(st.integers(1, 399))
def test_roman_numerals_there_and_back(number: int) -> None:
    assert re.fullmatch("[CXLVI]+", to_roman(number))
    assert roman(to_roman(number)) == number


@pytest.mark.parametrize("text", ["", "IIII", "VV", "IC", "XIVX", "A", "iv"])
def test_what_only_looks_roman_is_none(text: str) -> None:
    assert roman(text) is None
