"""Passkeys (W3C WebAuthn level 2): what a browser is asked, and whether its answer holds.

Laws: an answer holds for one challenge, one site and one key; who the authenticator's maker is, is not asked
(attestation "none"); a counter that does not go up is a copied authenticator. Pure: no clock, no memory.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ..errors import RefusedError

NAME = "Loa"
TIMEOUT_MS = 120_000
"""To find the key in a bag and touch it."""
MAX_CREDENTIAL_BYTES = 1023
"""WebAuthn, section 6.1: no credential id is longer."""
_BAD_ANSWER = (
    WebAuthnException,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
)
"""What the library raises over an answer that is none: its parsers let some errors of their own through."""


@dataclass(frozen=True, slots=True)
class Site:
    """As the browser sees us: `name` without port (the relying party), `origin` with scheme and port."""

    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """`credential` in base64url, `public_key` as COSE bytes. `factor`: the id under which it is kept."""

    credential: str
    public_key: bytes
    sign_count: int
    factor: str = ""


def registration_options(
    site: Site, challenge: bytes, *, account_id: str, account_name: str, known: Sequence[Passkey]
) -> dict[str, Any]:
    """The argument of `navigator.credentials.create()`, as JSON. `known` are not made a second time."""
    options = generate_registration_options(
        rp_id=site.name,
        rp_name=NAME,
        user_name=account_name,
        user_id=bytes.fromhex(account_id),
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_descriptors(known),
    )
    return _plain(options_to_json(options))


def verify_registration(site: Site, challenge: bytes, answer: dict[str, Any]) -> Passkey:
    """The key that the authenticator has made. RefusedError when the answer does not hold."""
    try:
        made = verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
        )
    except _BAD_ANSWER as problem:
        raise _refused(problem) from problem
    if len(made.credential_id) > MAX_CREDENTIAL_BYTES:
        raise RefusedError("passkey", f"passkey: its id has {len(made.credential_id)} bytes, expected 1023")
    credential = bytes_to_base64url(made.credential_id)
    return Passkey(credential, made.credential_public_key, made.sign_count)


def assertion_options(site: Site, challenge: bytes, known: Sequence[Passkey]) -> dict[str, Any]:
    """The argument of `navigator.credentials.get()`, as JSON."""
    options = generate_authentication_options(
        rp_id=site.name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return _plain(options_to_json(options))


def verify_assertion(
    site: Site, challenge: bytes, known: Sequence[Passkey], answer: dict[str, Any]
) -> Passkey:
    """Which of `known` has signed, with its new counter. RefusedError when none has."""
    used = next((passkey for passkey in known if passkey.credential == answer.get("id")), None)
    if used is None:
        raise RefusedError("passkey", "passkey: it is none of this account's, expected one that is set up")
    try:
        shown = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            credential_public_key=used.public_key,
            credential_current_sign_count=used.sign_count,
        )
    except _BAD_ANSWER as problem:
        raise _refused(problem) from problem
    return Passkey(used.credential, used.public_key, shown.new_sign_count, used.factor)


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential)) for passkey in known]


def _plain(text: str) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(text)
    return plain


def _refused(problem: Exception) -> RefusedError:
    kind = type(problem).__name__
    return RefusedError(
        "passkey", f"passkey: {kind}, expected the answer of an authenticator to this challenge"
    )
