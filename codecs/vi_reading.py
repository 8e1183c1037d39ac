"""A written Vietnamese notice as an announcer reads it: numbers, dates, hours, telephone numbers and
abbreviations become words; what cannot be said is left out.

    Từ 5h30 ngày 15/7, UBND ...  ->  Từ năm giờ ba mươi phút ngày mười lăm tháng bảy, Ủy ban nhân dân ...

Laws: pure and total: any text up to `MAX_TEXT_CHARS` gives a text without digits, or MediaError says why not;
a sentence that is words already stays as it is. The text is gone through once; at each word the rules below
are tried in order (`_RULES`), and the first that knows it reads it.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import MediaError
from .vi_lexicon import (
    ABBREVIATIONS,
    DATE_WORDS,
    DOTTED,
    LETTERS,
    PAPER_ONLY,
    PHONE_WORDS,
    ROMAN_AFTER,
    SHORT,
    UNITS,
)
from .vi_numbers import NORTHERN, Dialect, cardinal, decimal, month, roman, spelled

MAX_TEXT_CHARS = 20_000
"""About half an hour of speech."""

MAX_NUMBER_DIGITS = 12
"""Longer runs are codes and accounts: digit by digit."""

_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,500}>")
_NUMBER = r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?"
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_SYMBOLS: Mapping[str, str] = {
    "&": "và", "+": "cộng", "=": "bằng", "%": "phần trăm", "@": "a còng", "№": "số", "±": "cộng trừ",
    "≥": "từ", "≤": "đến", ">": "trên", "<": "dưới", "~": "khoảng", "≈": "khoảng", "°": "độ", "×": "nhân",
}  # fmt: skip
_HYPHENS = "-–—−"
_VALUE_ENDS = re.compile(r"\d[^\W\d_°%]{0,3}[°%']?[^\W\d_]?\s?$")
_VALUE_BEGINS = re.compile(r"\s?\d{1,3}(?!\d)")
_SYLLABLE = re.compile(
    r"(?:ngh?|[ckgnpt]h|gi|qu|tr|[bcdđghklmnprstvx])?"
    r"(?:[iuo]?[aăâeêioôơuưy]{1,3})(?:ch|ng|nh|[cmnpt])?$"
)


@dataclass(slots=True)
class _Reading:
    """Where the reading is. `said` holds what was read; `before` looks back over the text as it was."""

    text: str
    dialect: Dialect
    words: Mapping[str, str]
    at: int = 0
    said: list[str] = field(default_factory=list)

    def before(self, count: int = 1) -> str:
        """The last words of the text before here, in lower case, joined by _."""
        found = re.findall(r"[^\W\d_]+", self.text[max(0, self.at - 40) : self.at].lower())
        return "_".join(found[-count:])

    def near(self, words: frozenset[str]) -> bool:
        """Whether one of `words` (of one word or several) stands among the last few."""
        return any(f"_{word}_" in f"_{self.before(7)}_" for word in words)


Rule = tuple[re.Pattern[str], Callable[[_Reading, re.Match[str]], str | None]]


def read_out(text: str, *, dialect: Dialect = NORTHERN, words: Mapping[str, str] | None = None) -> str:
    """The text in words. `words`: a station's own abbreviations, which win over ours."""
    reading = _Reading(clean(text), dialect, words or {})
    while reading.at < len(reading.text):
        reading.said.append(_next(reading))
    said = _tidy("".join(reading.said))
    if not any(letter.isalpha() for letter in said):
        raise MediaError(f"text to read: {text[:40]!r} has no word in it; expected something to say")
    return said


def clean(text: str) -> str:
    """Composed letters (NFC), without markup, control characters and what has no width."""
    if len(text) > MAX_TEXT_CHARS:
        raise MediaError(f"text to read: {len(text)} characters; expected at most {MAX_TEXT_CHARS}")
    plain = html.unescape(_TAG.sub(" ", text))
    if len(plain) > MAX_TEXT_CHARS:
        raise MediaError(f"text to read: {len(plain)} characters; expected at most {MAX_TEXT_CHARS}")
    composed = unicodedata.normalize("NFC", plain)
    return "".join(map(_letter, composed))


def _letter(letter: str) -> str:
    """Digits of every script as ours; nothing for what joins (U+200B), a blank for other controls."""
    category = unicodedata.category(letter)
    if letter.isdigit() and letter not in "²³":
        return str(unicodedata.digit(letter))
    if letter == "\n" or category[0] not in "CZ":
        return letter
    return "" if category == "Cf" else " "


def _next(reading: _Reading) -> str:
    """What is said for the text at `at`; moves on behind it."""
    if reading.at == 0 or not reading.text[reading.at - 1].isalnum():
        for pattern, read in _RULES:
            found = pattern.match(reading.text, reading.at)
            if found and (said := read(reading, found)) is not None:
                reading.at = found.end()
                return f" {said} "
    letter = reading.text[reading.at]
    reading.at += 1
    if letter.isdigit():  # inside a word
        return f" {spelled(str(unicodedata.digit(letter)))} "
    if letter in _HYPHENS:
        return _hyphen(reading)
    return f" {_SYMBOLS[letter]} " if letter in _SYMBOLS else letter


def _hyphen(reading: _Reading) -> str:
    """Between two values it says "to", inside a word nothing, anywhere else it is a pause."""
    before, after = reading.text[: reading.at - 1], reading.text[reading.at :]
    if _VALUE_ENDS.search(before[-12:]) and _VALUE_BEGINS.match(after):
        return " đến "
    return " " if before[-1:].isalnum() and after[:1].isalnum() else ", "


# --- rules: None means "not mine after all"


def _address(_reading: _Reading, found: re.Match[str]) -> str:
    """Of a page or a mailbox: said by its dots."""
    text = re.sub(r"^https?://", "", found[0]).rstrip("/")
    said = {
        ".": " chấm ",
        "@": " a còng ",
        "/": " xuyệt ",
        "-": " gạch ngang ",
        "_": " gạch dưới ",
        ":": " hai chấm ",
    }
    return "".join(said.get(c, f" {spelled(str(unicodedata.digit(c)))} " if c.isdigit() else c) for c in text)


def _paper(reading: _Reading, found: re.Match[str]) -> str:
    """49/2024/NĐ-CP: the number, the year, the kind and who issued it."""
    number, year, kinds = found.groups()
    said = [_number_said(reading, number)]
    if year:
        said.append(f"năm {_number_said(reading, year)}")
    named = [ABBREVIATIONS.get(kind) or _capitals(reading, kind) for kind in re.split(r"[-/]", kinds)]
    return ", ".join([*said, " ".join(named)])


def _full_date(reading: _Reading, found: re.Match[str]) -> str | None:
    day, month_, year = (int(part) for part in found.groups())
    if not (1 <= day <= 31 and 1 <= month_ <= 12):
        return None
    return f"{_day_word(reading)}{cardinal(day)} tháng {month(month_)} năm {cardinal(year, reading.dialect)}"


def _date_range(reading: _Reading, found: re.Match[str]) -> str | None:
    """15-17/7 and 15-17/7/2025."""
    first, last, month_, year = found.groups()
    if not (1 <= int(first) <= 31 and 1 <= int(last) <= 31 and 1 <= int(month_) <= 12):
        return None
    said = f"{_day_word(reading)}{cardinal(int(first))} đến {cardinal(int(last))} tháng {month(int(month_))}"
    return f"{said} năm {cardinal(int(year), reading.dialect)}" if year else said


def _month_of_year(reading: _Reading, found: re.Match[str]) -> str | None:
    month_, year = (int(part) for part in found.groups())
    if not 1 <= month_ <= 12:
        return None
    lead = "" if reading.before() == "tháng" else "tháng "
    return f"{lead}{month(month_)} năm {cardinal(year, reading.dialect)}"


def _day_and_month(reading: _Reading, found: re.Match[str]) -> str | None:
    day, month_ = (int(part) for part in found.groups())
    dated = 1 <= day <= 31 and 1 <= month_ <= 12
    if dated and (day >= month_ or reading.before() in DATE_WORDS):
        return f"{_day_word(reading)}{cardinal(day)} tháng {month(month_)}"
    if month_ == 0:
        return None
    part = "tư" if month_ == 4 else cardinal(month_, reading.dialect)
    return f"{cardinal(day, reading.dialect)} phần {part}"


def _day_word(reading: _Reading) -> str:
    return "" if reading.before() in ("ngày", "mùng", "rằm", "hôm") else "ngày "


def _hour(reading: _Reading, found: re.Match[str]) -> str | None:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if hour > 24 or minute > 59:
        return None
    return f"{cardinal(hour)} giờ" + (f" {cardinal(minute)} phút" if minute else "")


def _phone(reading: _Reading, found: re.Match[str]) -> str | None:
    digits = re.sub(r"\D", "", found[0])
    if not 8 <= len(digits) <= 12:
        return None
    groups = re.findall(r"\d+", found[0])
    if len(groups) == 1:
        groups = [digits[:4], digits[4:7], digits[7:]]
    return ", ".join(spelled(part) for group in groups for part in _in_breaths(group))


def _in_breaths(digits: str) -> list[str]:
    """Nobody says seven digits in one breath: 3555012 as 3555, 012."""
    return [digits[:4], digits[4:]] if len(digits) > 5 else [digits]


def _short_phone(reading: _Reading, found: re.Match[str]) -> str | None:
    """113, 114, 115 and the like, after a word that says so."""
    return spelled(found[0]) if reading.near(PHONE_WORDS) else None


def _range(reading: _Reading, found: re.Match[str]) -> str:
    """10-15, with or without a unit behind."""
    unit = f" {UNITS[found['unit']]}" if found["unit"] else ""
    return f"{_number_said(reading, found['low'])} đến {_number_said(reading, found['high'])}{unit}"


def _quantity(reading: _Reading, found: re.Match[str]) -> str:
    sign = "âm " if found["sign"] else ""
    per = " một" if found["per"] else ""
    return f"{sign}{_number_said(reading, found['number'])} {UNITS[found['unit']]}{per}"


def _number(reading: _Reading, found: re.Match[str]) -> str:
    return _number_said(reading, found[0])


def _number_said(reading: _Reading, text: str) -> str:
    """1.234.567 and 3,5; 3.5 is a decimal too, since thousands come in threes."""
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", text):
        text = text.replace(".", "")
    whole, _, fraction = text.replace(".", ",").partition(",")
    if len(whole) > MAX_NUMBER_DIGITS or (len(whole) > 1 and whole[0] == "0" and len(whole) > 2):
        return spelled(whole + fraction)
    if fraction:
        return decimal(int(whole), fraction, reading.dialect)
    return cardinal(int(whole), reading.dialect)


def _dotted(_reading: _Reading, found: re.Match[str]) -> str:
    return DOTTED[found[0]]


def _own(reading: _Reading, found: re.Match[str]) -> str | None:
    return reading.words.get(found[0])


def _short(_reading: _Reading, found: re.Match[str]) -> str | None:
    return SHORT.get(found[0])


def _abbreviation(_reading: _Reading, found: re.Match[str]) -> str | None:
    known = ABBREVIATIONS.get(found[0])
    return None if found[0] in PAPER_ONLY else known


def _numeral(reading: _Reading, found: re.Match[str]) -> str | None:
    value, year = roman(found[1]), found[2]
    if value is None or not {reading.before(), reading.before(2)} & ROMAN_AFTER:
        return None
    said = "tư" if value == 4 and reading.before() == "thứ" else cardinal(value)
    return f"{said} năm {cardinal(int(year), reading.dialect)}" if year else said


def _mixed(reading: _Reading, found: re.Match[str]) -> str:
    """QL1A, A1, 66A, COVID-19: letters by their rule, digits as a number (long ones one by one)."""
    said: list[str] = []
    for part in re.findall(r"[^\W\d_]+|\d+", found[0]):
        if part.isdigit():
            said.append(spelled(part) if len(part) > 3 else _number_said(reading, part))
        else:
            said.append(_word_in_capitals(reading, part))
    return " ".join(said)


def _word_in_capitals(reading: _Reading, word: str) -> str:
    known = reading.words.get(word) or (None if word in PAPER_ONLY else ABBREVIATIONS.get(word))
    if known:
        return known
    return word if not word.isupper() else _capitals(reading, word)


def _capitals(_reading: _Reading, word: str) -> str:
    """A heading in capitals is words; what no Vietnamese syllable looks like is spelled."""
    if _is_syllable(word) and len(word) > 1:
        return word.lower()
    return " ".join(_name(letter) for letter in word.upper())


def _name(letter: str) -> str:
    """² and ³ count as letters for the patterns above."""
    return spelled(str(unicodedata.digit(letter))) if letter.isdigit() else LETTERS.get(letter, letter)


def _capital_word(reading: _Reading, found: re.Match[str]) -> str | None:
    return _capitals(reading, found[0]) if found[0].isupper() else None


def _is_syllable(word: str) -> bool:
    bare = unicodedata.normalize("NFD", word.lower().replace("đ", "d"))
    letters = "".join(c for c in bare if unicodedata.category(c) != "Mn" or c in "\u0306\u0302\u031b")
    return bool(_SYLLABLE.match(unicodedata.normalize("NFC", letters)))


_END = r"(?![^\W_])"


def _rule(pattern: str, read: Callable[[_Reading, re.Match[str]], str | None]) -> Rule:
    return re.compile(pattern + _END), read


def _one_of(words: Mapping[str, str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_RULES: tuple[Rule, ...] = (
    _rule(r"[^\W_](?:[^\s,;:()\"]{0,40}[^\W_])?", _own),
    _rule(
        r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,5}[a-z]+|(?:https?://)?(?:[\w-]{1,63}\.){1,5}(?:vn|com|org|net)(?:/[\w./-]{0,200})?",
        _address,
    ),
    _rule(r"(\d{1,5})/(?:(\d{4})/)?([A-ZĐ][A-ZĐa-z]{1,9}(?:-[A-ZĐ][A-ZĐa-z&]{1,9})+)", _paper),
    _rule(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", _full_date),
    _rule(r"(\d{1,2})\s?[-–]\s?(\d{1,2})/(\d{1,2})(?:/(\d{4}))?", _date_range),
    _rule(r"(\d{1,2})/(\d{4})", _month_of_year),
    _rule(r"(?:\+84|0)[ .-]?\d{1,3}(?:[ .-]?\d{2,4}){2,3}|1[89]00[ .]?\d{4,6}", _phone),
    _rule(r"(\d{1,2})/(\d{1,2})(?!/)", _day_and_month),
    _rule(r"(?P<hour>\d{1,2})(?:h|g(?=\d\d))(?P<minute>[0-5]\d)?(?:'|p|phút)?", _hour),
    _rule(r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::[0-5]\d)?", _hour),
    _rule(rf"(?P<low>{_NUMBER})\s?[-–]\s?(?P<high>{_NUMBER})(?:\s?(?P<unit>{_UNIT}))?", _range),
    (
        re.compile(
            rf"(?P<sign>[-−])?(?P<number>{_NUMBER})\s?(?P<unit>{_UNIT})(?:(?P<per>/)(?=[^\W\d_])|{_END})"
        ),
        _quantity,
    ),
    _rule(r"\d{3,6}", _short_phone),
    _rule(_NUMBER, _number),
    _rule(r"[A-ZĐ]{1,6}-?\d+[A-ZĐ]?(?:[-.]\d+)*|\d+[A-ZĐ]{1,3}(?:-?\d[\d.]*)?", _mixed),
    (re.compile(rf"(?:{_one_of(DOTTED)})(?=\s?[A-ZĐÀ-Ỹ\d])"), _dotted),
    _rule(_one_of(SHORT), _short),
    _rule(_one_of(ABBREVIATIONS), _abbreviation),
    _rule(r"([IVXLC]+)(?:/(\d{4}))?", _numeral),
    _rule(r"[^\W\d_]{2,}", _capital_word),
)


def _tidy(said: str) -> str:
    """One blank between words, none before a mark, a full stop at the end of a line."""
    lines = (_line(line) for line in said.split("\n"))
    return " ".join(line for line in lines if any(letter.isalnum() for letter in line)).strip()


def _line(said: str) -> str:
    said = re.sub(r"[()\[\]{}|*•\"“”«»_^`\\/]+", ",", said)
    said = re.sub(r"\s+", " ", said)
    said = re.sub(r"\s*([,.;:!?…])(?:\s*[,;:])*", r"\1", said)
    said = re.sub(r"[,;:]*([.!?…])[.!?…,;:\s]*", r"\1 ", said)
    said = re.sub(r"([,;:])(?=\S)", r"\1 ", said).strip(" ,;:'#")
    return said if not said or said[-1] in ".!?…" else said + "."
