"""Numbers as Vietnamese says them: cardinal, ordinal by context, decimal, digit by digit, Roman.

Laws: pure; words are lower case, single blanks between them; every whole number from 0 to `MOST` has one
reading in each dialect. Source: the rules of school grammar (mười/mươi, một/mốt, bốn/tư, năm/lăm, linh/lẻ).
"""

from dataclasses import dataclass

DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
MOST = 10**18 - 1
"""A billion billions less one: nobody says more in a notice, and longer runs of digits are codes."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs from north to south in a number."""

    thousand: str
    zero_ten: str


NORTHERN = Dialect("nghìn", "linh")
SOUTHERN = Dialect("ngàn", "lẻ")

_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def cardinal(number: int, dialect: Dialect = NORTHERN) -> str:
    """ValueError below 0 and above `MOST`."""
    if not 0 <= number <= MOST:
        raise ValueError(f"number {number}: expected 0 to {MOST}")
    if number == 0:
        return DIGITS[0]
    billions, below = divmod(number, 10**9)
    words: list[str] = []
    if billions:
        words += [cardinal(billions, dialect), "tỷ"]
    for value, name in (
        (below // 10**6, "triệu"),
        (below // 1000 % 1000, dialect.thousand),
        (below % 1000, ""),
    ):
        if value:
            words += _hundreds(value, whole=bool(words), dialect=dialect)
            words += [name] if name else []
    return " ".join(words)


def decimal(whole: int, fraction: str, dialect: Dialect = NORTHERN) -> str:
    """`fraction`: the digits after the comma. Two that begin with none of zero are read as a number."""
    as_number = len(fraction) == 2 and fraction[0] != "0"
    after = " ".join(_tens(int(fraction))) if as_number else spelled(fraction)
    return f"{cardinal(whole, dialect)} phẩy {after}"


def spelled(digits: str) -> str:
    """Digit by digit, as a telephone number."""
    return " ".join(DIGITS[int(digit)] for digit in digits)


def month(number: int) -> str:
    """The fourth month has a word of its own."""
    return "tư" if number == 4 else cardinal(number)


def roman(text: str) -> int | None:
    """The value of a Roman numeral in its one correct spelling up to 399; None for anything else."""
    if not text or any(letter not in _ROMAN for letter in text):
        return None
    values = [_ROMAN[letter] for letter in text]
    total = sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
    return total if 0 < total < 400 and to_roman(total) == text else None


def to_roman(number: int) -> str:
    """The other way round, for 1 to 399."""
    steps = (
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    )
    text = ""
    for value, letters in steps:
        count, number = divmod(number, value)
        text += letters * count
    return text


def _hundreds(value: int, *, whole: bool, dialect: Dialect) -> list[str]:
    """Three digits; `whole`: something stands before them, so that missing hundreds are said."""
    hundreds, rest = divmod(value, 100)
    words = [DIGITS[hundreds], "trăm"] if hundreds or whole else []
    if 0 < rest < 10 and words:
        return [*words, dialect.zero_ten, DIGITS[rest]]
    return words + (_tens(rest) if rest else [])


def _tens(value: int) -> list[str]:
    tens, ones = divmod(value, 10)
    if tens == 0:
        return [DIGITS[ones]]
    words = ["mười"] if tens == 1 else [DIGITS[tens], "mươi"]
    if ones:
        words.append(_ones(ones, tens))
    return words


def _ones(ones: int, tens: int) -> str:
    """After mươi one, four and five change; after mười only five does."""
    if ones == 5:
        return "lăm"
    if tens > 1:
        return {1: "mốt", 4: "tư"}.get(ones, DIGITS[ones])
    return DIGITS[ones]
