"""Passkeys: what a real authenticator answers holds, and everything else is refused."""

import secrets
from typing import Any

import pytest

from loa.errors import RefusedError
from loa.station.passkeys import (
    Passkey,
    Site,
    assertion_options,
    registration_options,
    verify_assertion,
    verify_registration,
)

from .authenticator import Authenticator, encoded

SITE = Site("loa.example", "https://loa.example:8443")
ACCOUNT = "0123456789abcdef"


def options_to_create(challenge: bytes, known: tuple[Passkey, ...] = ()) -> dict[str, Any]:
    return registration_options(SITE, challenge, account_id=ACCOUNT, account_name="Hồng", known=known)


@pytest.fixture
def challenge() -> bytes:
    return secrets.token_bytes(32)


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(SITE.origin)


@pytest.fixture
def passkey(device: Authenticator, challenge: bytes) -> Passkey:
    return verify_registration(SITE, challenge, device.create(options_to_create(challenge)))


def test_the_browser_is_asked_for_no_more_than_a_second_factor_needs(
    challenge: bytes, passkey: Passkey
) -> None:
    options = options_to_create(challenge, (passkey,))
    assert options["rp"]["id"] == SITE.name
    assert options["attestation"] == "none"
    assert options["user"]["name"] == "Hồng"
    assert [item["id"] for item in options["excludeCredentials"]] == [passkey.credential]
    asked = assertion_options(SITE, challenge, (passkey,))
    assert (asked["rpId"], asked["challenge"]) == (SITE.name, encoded(challenge))


def test_what_was_made_signs(device: Authenticator, passkey: Passkey, challenge: bytes) -> None:
    other = Passkey("AAAA", passkey.public_key, 0, "other")
    answer = device.get(assertion_options(SITE, challenge, (other, passkey)))
    used = verify_assertion(SITE, challenge, (other, passkey), answer)
    assert (used.credential, used.sign_count) == (passkey.credential, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"client": {"origin": "https://loa.example.evil.test"}},
        {"client": {"type": "webauthn.get"}},
        {"client": {"challenge": encoded(bytes(32))}},
        {"data": b""},
        {"data": bytes(37)},
    ],
)
def test_a_key_made_elsewhere_is_refused(
    device: Authenticator, challenge: bytes, changed: dict[str, Any]
) -> None:
    with pytest.raises(RefusedError):
        verify_registration(SITE, challenge, device.create(options_to_create(challenge), **changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"client": {"origin": "https://loa.example.evil.test"}},
        {"client": {"type": "webauthn.create"}},
        {"client": {"challenge": encoded(bytes(32))}},
        {"site": "evil.test"},
        {"flags": 0},
        {"signature": bytes(70)},
        {"signature": b""},
    ],
)
def test_a_signature_over_anything_else_is_refused(
    device: Authenticator, passkey: Passkey, challenge: bytes, changed: dict[str, Any]
) -> None:
    answer = device.get(assertion_options(SITE, challenge, (passkey,)), **changed)
    with pytest.raises(RefusedError):
        verify_assertion(SITE, challenge, (passkey,), answer)


def test_a_copied_authenticator_is_noticed(device: Authenticator, passkey: Passkey, challenge: bytes) -> None:
    options = assertion_options(SITE, challenge, (passkey,))
    used = verify_assertion(SITE, challenge, (passkey,), device.get(options))
    copied = Authenticator(device.origin, device.key, device.credential, count=0)
    with pytest.raises(RefusedError):
        verify_assertion(SITE, challenge, (used,), copied.get(options))


def test_another_key_under_a_known_name_is_refused(
    device: Authenticator, passkey: Passkey, challenge: bytes
) -> None:
    forged = Authenticator(device.origin, credential=device.credential)
    with pytest.raises(RefusedError):
        verify_assertion(
            SITE, challenge, (passkey,), forged.get(assertion_options(SITE, challenge, (passkey,)))
        )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"id": 7},
        {"id": "x", "rawId": "x", "type": "public-key", "response": {}},
        {"id": "é", "rawId": "é", "type": "public-key", "response": {"clientDataJSON": "é"}},
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": []},
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA"}},
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {"clientDataJSON": "AA", "attestationObject": "AA"},
        },
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {"clientDataJSON": 1, "authenticatorData": [], "signature": {}},
        },
    ],
)
def test_what_is_no_answer_at_all_is_refused(challenge: bytes, passkey: Passkey, answer: Any) -> None:
    for known in (passkey, Passkey(str(answer.get("id")), passkey.public_key, 0)):
        with pytest.raises(RefusedError):
            verify_assertion(SITE, challenge, (known,), answer)
    with pytest.raises(RefusedError):
        verify_registration(SITE, challenge, answer)
