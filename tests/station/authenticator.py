"""An authenticator and its browser, in software: real keys, real attestations ("none") and assertions.

What a browser would refuse to do (another origin, a counter that goes back) can be asked of it.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One key. `origin` is what the browser says it is at."""

    origin: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0

    def create(self, options: dict[str, Any], **changed: Any) -> dict[str, Any]:
        """As `navigator.credentials.create()` answers, with whatever is to be `changed`."""
        known = [item["id"] for item in options.get("excludeCredentials", [])]
        assert encoded(self.credential) not in known, "a browser would refuse"
        attested = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + self._cose()
        data = self._data(options["rp"]["id"], PRESENT | VERIFIED | ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": changed.get("data", data)})
        return self._answer(
            {
                "clientDataJSON": encoded(self._client("webauthn.create", options["challenge"], changed)),
                "attestationObject": encoded(attestation),
            }
        )

    def get(self, options: dict[str, Any], **changed: Any) -> dict[str, Any]:
        """As `navigator.credentials.get()` answers."""
        assert encoded(self.credential) in [item["id"] for item in options["allowCredentials"]]
        self.count += 1
        data = self._data(changed.get("site", options["rpId"]), changed.get("flags", PRESENT | VERIFIED))
        client = self._client("webauthn.get", options["challenge"], changed)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            {
                "clientDataJSON": encoded(client),
                "authenticatorData": encoded(data),
                "signature": encoded(changed.get("signature", signature)),
                "userHandle": None,
            }
        )

    def _answer(self, response: dict[str, Any]) -> dict[str, Any]:
        name = encoded(self.credential)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }

    def _client(self, kind: str, challenge: str, changed: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told | changed.get("client", {})).encode()

    def _data(self, site: str, flags: int) -> bytes:
        return hashlib.sha256(site.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _cose(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
