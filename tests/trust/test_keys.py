"""Keys: right or wrong, never an exception, never a secret in sight."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.trust.keys import SigningKey, VerifyKey, parse_key

# RFC 8032, section 7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_vector_of_rfc_8032() -> None:
    key = SigningKey.from_bytes(SEED)
    assert key.public.raw == PUBLIC
    assert key.sign(b"\x72") == SIGNATURE
    assert VerifyKey(PUBLIC).verify(SIGNATURE, b"\x72")


def test_ids_come_from_the_hash_of_the_raw_key() -> None:
    key = VerifyKey(PUBLIC)
    assert key.key_id == "39f713d0a644253f"
    assert key.fingerprint.hex() == "39f713d0a644253f0452"


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_a_wrong_signature_is_false_whatever_it_is(signature: bytes, data: bytes) -> None:
    assert not VerifyKey(PUBLIC).verify(signature, data)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_random_keys_verify_no_random_signature(raw: bytes, signature: bytes) -> None:
    try:
        key = parse_key(raw)
    except ProtocolError:
        return
    assert not key.verify(signature, b"loa")


WEAK = (
    "00" * 32,
    "01" + "00" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
)


@pytest.mark.parametrize("raw", [bytes.fromhex(text) for text in WEAK])
def test_a_key_of_small_order_is_refused(raw: bytes) -> None:
    """Under each of them, whichever way its sign bit stands, somebody who has no secret can sign."""
    for sign in (0, 0x80):
        with pytest.raises(ProtocolError, match="small order"):
            parse_key(raw[:31] + bytes([raw[31] | sign]))


@pytest.mark.parametrize("flipped", [0, 31, 32, 63])
def test_one_flipped_bit_is_false(flipped: int) -> None:
    wrong = bytearray(SIGNATURE)
    wrong[flipped] ^= 1
    assert not VerifyKey(PUBLIC).verify(bytes(wrong), b"\x72")


def test_the_secret_never_shows() -> None:
    key = SigningKey.from_bytes(SEED)
    shown = repr(key) + str(key) + repr(key.public)
    assert SEED.hex() not in shown
    assert str(list(SEED)) not in shown
    assert key.public.key_id in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.copy(key)
    assert SigningKey.from_bytes(key.private_bytes()).public == key.public


def test_fresh_keys_differ_and_equal_keys_are_one() -> None:
    a, b = SigningKey.generate(), SigningKey.generate()
    assert a.public != b.public
    assert a.public == VerifyKey(a.public.raw)
    assert len({a.public, VerifyKey(a.public.raw), b.public}) == 2
    assert a.public != a.public.raw


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_length_is_none(size: int) -> None:
    with pytest.raises(ProtocolError, match=f"not {size}, expected 32 bytes"):
        parse_key(bytes(size))
    with pytest.raises(ValueError):
        VerifyKey(bytes(size))
    with pytest.raises(ValueError):
        SigningKey.from_bytes(bytes(size))
    assert parse_key(PUBLIC).raw == PUBLIC
