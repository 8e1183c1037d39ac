"""One grant as a token: what is written is read, and nothing else is a grant."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from loa.errors import ProtocolError, RefusedError
from loa.trust.keys import SigningKey
from loa.trust.tokens import (
    HEADER,
    RIGHTS,
    Grant,
    Role,
    check_signature,
    issue,
    narrowed,
    parse_grant,
    read_grant,
)

KEY = SigningKey.from_bytes(b"k" * 32)
SUBJECT = SigningKey.from_bytes(b"s" * 32).public
ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
grants = st.builds(
    Grant,
    issuer=st.just(KEY.public.key_id),
    subject=st.just(SUBJECT),
    role=st.sampled_from(Role),
    max_class=st.integers(1, 3),
    level=st.integers(0, 15),
    places=st.lists(ids, min_size=1, max_size=64).map(tuple),
    not_before_us=st.integers(0, 10**15),
    expires_us=st.integers(10**15 + 10**6, 2**33 * 10**6),
    serial=st.integers(0, 2**53 - 1),
    rights=st.sets(st.sampled_from(sorted(RIGHTS))).map(frozenset),
)
GRANT = Grant(
    KEY.public.key_id, SUBJECT, Role.SESSION, 2, 12, ("ab" * 8,), 10**15, 2 * 10**15, 7, frozenset({"air"})
)
TOKEN = issue(GRANT, KEY)
CLAIMS = {
    "iss": KEY.public.key_id,
    "sub": base64.urlsafe_b64encode(SUBJECT.raw).rstrip(b"=").decode(),
    "rol": "session",
    "cls": 2,
    "lvl": 12,
    "plc": ["ab" * 8],
    "nbf": 10**9,
    "exp": 2 * 10**9,
    "ser": 7,
    "rgt": ["air"],
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_of(claims: object) -> str:
    return f"{HEADER}.{b64(json.dumps(claims).encode())}.{b64(bytes(64))}"


def believed(token: str) -> Grant:
    grant = parse_grant(token)
    check_signature(token, KEY.public)
    return grant


@given(grants)
def test_what_is_issued_is_read(grant: Grant) -> None:
    assert believed(issue(grant, KEY)) == grant


def test_times_are_whole_seconds() -> None:
    grant = replace(GRANT, not_before_us=10**15 + 999_999, expires_us=2 * 10**15 + 1)
    assert (grant.not_before_us, grant.expires_us) == (10**15, 2 * 10**15)


def test_the_token_is_a_jwt_that_a_vendor_can_read() -> None:
    header, claims, _signature = (base64.urlsafe_b64decode(part + "==") for part in TOKEN.split("."))
    assert json.loads(header) == {"alg": "Ed25519", "typ": "loa-grant+jwt"}
    assert json.loads(claims) == CLAIMS


def test_a_session_of_six_places_leaves_room_for_audio() -> None:
    token = issue(replace(GRANT, places=tuple(f"{n:016x}" for n in range(6)), serial=2**40), KEY)
    assert len(token) <= 550


def test_only_the_issuer_can_issue() -> None:
    with pytest.raises(ValueError, match="cannot be signed by"):
        issue(GRANT, SigningKey.from_bytes(b"x" * 32))


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AZaz09-_.=+/{\x00é"))
def test_a_changed_letter_is_refused(at: int, letter: str) -> None:
    token = TOKEN[:at] + letter + TOKEN[at + 1 :]
    if token == TOKEN:
        return
    if at == len(TOKEN) - 1:
        return  # the last letter carries four bits that mean nothing
    with pytest.raises((ProtocolError, RefusedError)):
        believed(token)


@given(
    st.text(max_size=400) | st.binary(max_size=300).map(lambda data: f"{HEADER}.{b64(data)}.{b64(bytes(64))}")
)
def test_random_text(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_grant(text)


json_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.lists(st.text(), max_size=3)
)


@given(st.sampled_from(sorted(CLAIMS)), json_values)
def test_any_value_in_any_claim(name: str, value: object) -> None:
    try:
        parse_grant(token_of(CLAIMS | {name: value}))
    except ProtocolError:
        return


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "1 parts"),
        ("a.b", "2 parts"),
        ("a.b.c.d", "4 parts"),
        ("x" * 4097, "4097 characters"),
        (f"{HEADER}.\u00e9.x", "not base64url"),
        (f"{HEADER}.a.x", "not base64url"),
        (f"{HEADER}.{b64(b'[1')}.x", "not JSON"),
        (f"{HEADER}.{b64(b'{} {}')}.x", "not JSON"),
        (f"{HEADER}.{b64(b'[' * 2500)}.x", "not JSON"),
        (f"{HEADER}.{b64('{}'.encode('utf-16'))}.x", "not JSON"),
        (f"{HEADER}.{b64(b'[]')}.x", "claims are a list"),
        (f'{HEADER}.{b64(b"""{"cls":1,"cls":3}""")}.x', "each name once"),
        (token_of({}), "sub is a NoneType"),
    ],
)
def test_golden_tokens(token: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_grant(token)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sub": "AAAA"}, "not 3, expected 32"),
        ({"sub": "A" * 43}, "small order"),
        ({"rol": "king"}, "'king', expected one of root"),
        ({"iss": "AB" * 8}, "issuer"),
        ({"cls": 0}, "class 0, expected 1 to 3"),
        ({"cls": 4}, "class 4"),
        ({"cls": True}, "cls is True"),
        ({"cls": 1.0}, "cls is 1.0"),
        ({"lvl": 16}, "level 16"),
        ({"lvl": -1}, "lvl is -1"),
        ({"ser": 2**53}, "ser is"),
        ({"nbf": 2 * 10**9}, "a window of time"),
        ({"exp": 2**33 + 1}, "a window of time"),
        ({"plc": []}, "0 places"),
        ({"plc": ["ab" * 8] * 65}, "a list of at most 64"),
        ({"plc": ["*"]}, "not a root"),
        ({"plc": ["AB" * 8]}, "no id"),
        ({"plc": "ab" * 8}, "plc is a str"),
        ({"plc": [7]}, "plc holds a int"),
        ({"rgt": ["air"] * 17}, "at most 16"),
    ],
)
def test_golden_claims(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_grant(token_of(CLAIMS | changes))


def test_rights_and_claims_of_later_versions_are_ignored() -> None:
    grant = parse_grant(token_of(CLAIMS | {"rgt": ["air", "fly"], "new": {"a": 1}}))
    assert grant == GRANT


@pytest.mark.parametrize("signature", ["", "!" * 86, "A" * 86, "A" * 84, "A" * 88])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    header, claims, _ = TOKEN.split(".")
    with pytest.raises(RefusedError) as caught:
        check_signature(f"{header}.{claims}.{signature}", KEY.public)
    assert caught.value.reason == "signature"


def _headed(header: object, token: str, signature: str | None = None) -> str:
    first = base64.urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode()).rstrip(b"=").decode()
    _, claims, old = token.split(".")
    return f"{first}.{claims}.{old if signature is None else signature}"


def _hmac_with_public_key(token: str) -> str:
    """The classic confusion: the public key used as the secret of an HMAC."""
    claims = base64.urlsafe_b64decode(token.split(".")[1] + "==")
    key = OctKey.import_key(KEY.public.raw)
    return jws.serialize_compact({"alg": "HS256", "typ": "loa-grant+jwt"}, claims, key, algorithms=["HS256"])


@pytest.mark.parametrize(
    "forged",
    [
        _headed({"alg": "none", "typ": "loa-grant+jwt"}, TOKEN, ""),
        _headed({"alg": "NONE"}, TOKEN, ""),
        _headed({"alg": "EdDSA", "typ": "loa-grant+jwt"}, TOKEN),
        _headed({"alg": "Ed448", "typ": "loa-grant+jwt"}, TOKEN),
        _headed({"alg": "ES256", "typ": "loa-grant+jwt"}, TOKEN),
        _headed({"alg": "Ed25519", "typ": "JWT"}, TOKEN),
        _headed({"alg": "Ed25519", "typ": "loa-grant+jwt", "jwk": {"kty": "OKP"}}, TOKEN),
        _headed({"alg": "Ed25519", "typ": "loa-grant+jwt", "crit": ["b64"], "b64": False}, TOKEN),
        _headed({"typ": "loa-grant+jwt", "alg": "Ed25519"}, TOKEN),
        _hmac_with_public_key(TOKEN),
        "." + TOKEN.split(".", 1)[1],
    ],
)
def test_other_algorithms_and_headers(forged: str) -> None:
    with pytest.raises(ProtocolError, match=r"expected eyJ.* \(alg Ed25519, typ loa-grant\+jwt\)"):
        parse_grant(forged)
    with pytest.raises(RefusedError) as caught:
        read_grant(forged)
    assert caught.value.reason == "algorithm"


@pytest.mark.parametrize("token", ["", "x", "a.b.c.d", f"{HEADER}..", f"{HEADER}.!.x", "x" * 5000])
def test_garbage_is_refused_as_malformed(token: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_grant(token)
    assert caught.value.reason == "malformed"


def test_a_sound_token_is_read_by_those_who_verify() -> None:
    assert read_grant(TOKEN) == GRANT


def test_narrowed_cuts_to_what_the_parent_has() -> None:
    wide = replace(GRANT, max_class=3, level=15, not_before_us=0, expires_us=3 * 10**15, rights=RIGHTS)
    cut = narrowed(replace(GRANT, role=Role.NODE), wide)
    assert (cut.max_class, cut.level, cut.rights) == (2, 12, frozenset({"air"}))
    assert (cut.not_before_us, cut.expires_us) == (GRANT.not_before_us, GRANT.expires_us)
    assert narrowed(wide, GRANT) == GRANT
