"""Enrolment codes: what a tired person types on a mast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.trust.enrol import Code, Invitation, hash_secret, make_code, parse_code, parse_invitation
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


CODE = Code(bytes(range(10)), bytes(range(10, 20))).text()


@pytest.mark.parametrize(
    "node", ["https://loa.example", "http://10.0.0.7:8000", "https://[2001:db8::7]:8443", "https://xã-1.vn"]
)
def test_an_invitation_reads_back_in_any_case(node: str) -> None:
    if not node.isascii():
        with pytest.raises(ValueError, match="expected http"):
            Invitation(node, CODE)
        return
    made = Invitation(node, CODE)
    for text in (made.text(), made.text().upper(), made.text().lower(), f"  {made.text()}\r\n"):
        assert parse_invitation(text) == made


def test_a_bare_code_is_an_invitation_without_a_node() -> None:
    assert parse_invitation(CODE.replace("-", " ").lower()) == Invitation("", CODE)
    assert Invitation("", CODE).text() == CODE


def test_an_invitation_hides_its_code() -> None:
    assert CODE not in repr(parse_invitation(f"LOA:https://loa.example#{CODE}"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LOA:",
        f"LOA:{CODE}",
        f"LOA:#{CODE[:-1]}",
        f"LOA:https://loa.example{CODE}",
        f"LOA:https://user:pw@loa.example#{CODE}",
        f"LOA:https://loa.example/path#{CODE}",
        f"LOA:file:///etc/passwd#{CODE}",
        f"LOA:https://loa.example?x=1#{CODE}",
        f"LOA:https://loa.example\r\nHost: evil#{CODE}",
        "LOA:https://loa.example#0000",
        "LOA:" + "a" * 600 + f"#{CODE}",
    ],
)
def test_what_is_no_invitation_is_refused_in_words(text: str) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        parse_invitation(text)


@given(st.text(max_size=80))
def test_random_text_is_no_invitation(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_invitation("LOA:" + text)
