"""Enrolment codes: what a tired person types on a mast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.trust.enrol import Code, hash_secret, make_code, parse_code
from loa.trust.keys import SigningKey

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
codes = st.builds(Code, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))


@given(codes)
def test_a_code_reads_back(code: Code) -> None:
    text = code.text()
    assert len(text) == 34 + 8
    assert parse_code(text) == code


@given(codes, st.data())
def test_it_may_be_typed_as_humans_type(code: Code, data: st.DataObject) -> None:
    text = code.text().replace("-", "").lower()
    text = text.replace("0", data.draw(st.sampled_from("0oO"))).replace(
        "1", data.draw(st.sampled_from("1iIlL"))
    )
    at = data.draw(st.integers(0, len(text)))
    assert parse_code(f" {text[:at]} - {text[at:]}\n") == code


@given(codes, st.integers(0, 33), st.sampled_from(ALPHABET))
def test_most_slips_are_noticed(code: Code, at: int, letter: str) -> None:
    """The check has 10 bits; a slip that passes still names another secret or another root."""
    letters = code.text().replace("-", "")
    typed = letters[:at] + letter + letters[at + 1 :]
    if typed == letters:
        return
    try:
        parsed = parse_code(typed)
    except ProtocolError:
        return
    assert parsed != code


def test_the_check_letters_catch_single_slips() -> None:
    code = Code(bytes(range(10)), bytes(range(10, 20)))
    letters = code.text().replace("-", "")
    caught = 0
    for at in range(len(letters)):
        typed = letters[:at] + ("7" if letters[at] != "7" else "8") + letters[at + 1 :]
        try:
            parse_code(typed)
        except ProtocolError:
            caught += 1
    assert caught == len(letters)


def test_the_golden_code() -> None:
    assert Code(bytes(range(10)), bytes(range(10, 20))).text() == "000G-40R4-0M30-E209-185G-R38E-1W81-24GK-YW"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 letters, expected 34"),
        ("000G-40R4", "8 letters, expected 34"),
        ("000G-40R4-0M30-E209-185G-R38E-1W81-24GK-YW0", "35 letters, expected 34"),
        ("000G-40R4-0M30-E209-185G-R38E-1W81-24GK-YU", "'U' is no letter"),
        ("000G-40R4-0M30-E209-185G-R38E-1W81-24GK-Y!", "'!' is no letter"),
        ("000G-40R4-0M30-E209-185G-R38E-1W81-24GM-YW", "expected no typing error"),
        ("đ" * 34, "'Đ' is no letter"),
        ("A" * 10_000, "10000 characters"),
    ],
)
def test_each_defect_has_its_words(text: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says.replace("!", r"\!")):
        parse_code(text)


@given(st.text(max_size=300))
def test_random_text_is_a_protocol_error_at_worst(text: str) -> None:
    try:
        parse_code(text)
    except ProtocolError:
        return


def test_a_made_code_pins_its_root_and_no_other() -> None:
    root, other = SigningKey.from_bytes(b"r" * 32).public, SigningKey.from_bytes(b"o" * 32).public
    text = make_code(root)
    code = parse_code(text)
    assert code.pins(root)
    assert not code.pins(other)
    assert make_code(root) != text


def test_the_secret_is_kept_as_a_hash_and_does_not_show() -> None:
    code = Code(b"secret-ten", bytes(10))
    assert hash_secret(code.secret) != hash_secret(b"secret-tem")
    assert len(hash_secret(code.secret)) == 64
    assert "secret" not in repr(code).replace("root_", "")
    with pytest.raises(ValueError):
        Code(b"short", bytes(10))
