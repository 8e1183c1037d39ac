"""DTLS-SRTP without sockets: datagrams in, datagrams out, and keys when both ends have proved who they are.

Laws: nothing is decrypted before the peer's certificate has matched the fingerprints of its offer; a flight
leaves in datagrams of whole records, at most `MTU` bytes; what fails, fails as a PeerError. RFC 5764, 8827;
OpenSSL does the handshake and libsrtp the packets. A session belongs to one peer.
"""

import datetime
from contextlib import suppress
from dataclasses import dataclass

import pylibsrtp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from ..errors import ProtocolError, RefusedError
from .sdp import Fingerprint

MTU = 1200
"""What every path carries (RFC 8831 counts on the same)."""

_RECORD_HEADER = 13
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"
)
_WRONG_CURVE = " of the certificate, expected P-256 (ffmpeg needs cert_file and key_file)"
"""Up to 8.1, ffmpeg with GnuTLS makes a key on P-224, outside RFC 8827, section 6.5, which OpenSSL 4 has
given up."""

_EXPORTER = b"EXTRACTOR-dtls_srtp"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}
_VALID_DAYS = 3650
"""The certificate is new with every start and trusted by its fingerprint alone; its dates say nothing."""


@dataclass(frozen=True, slots=True)
class _Profile:
    name: bytes
    libsrtp: int
    key_bytes: int
    salt_bytes: int


_PROFILES = (
    _Profile(b"SRTP_AEAD_AES_128_GCM", pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    _Profile(b"SRTP_AES128_CM_SHA1_80", pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)


class DtlsIdentity:
    """The node's certificate for calls: ECDSA on P-256, as RFC 8827 section 6.5 has everyone understand."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key)
        self.fingerprint = _fingerprint(certificate, "sha-256")
        self._context = SSL.Context(SSL.DTLS_METHOD)
        self._context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_QUERY_MTU)
        self._context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _left_to_fingerprint)
        self._context.use_certificate(certificate)
        self._context.use_privatekey(key)
        self._context.set_cipher_list(_CIPHERS)
        self._context.set_tlsext_use_srtp(b":".join(profile.name for profile in _PROFILES))

    def connection(self) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        connection.set_ciphertext_mtu(MTU)
        return connection


@dataclass(frozen=True, slots=True)
class Srtp:
    """The two directions of a call's media."""

    inbound: pylibsrtp.Session
    outbound: pylibsrtp.Session


class DtlsSession:
    """One handshake. `srtp` is there when it has ended well, `closed` when the peer has said goodbye."""

    def __init__(
        self, identity: DtlsIdentity, fingerprints: tuple[Fingerprint, ...], *, active: bool
    ) -> None:
        self.srtp: Srtp | None = None
        self.closed = False
        self._fingerprints = fingerprints
        self._active = active
        self._ssl = identity.connection()
        if active:
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()

    def begin(self) -> list[bytes]:
        """The first flight, where ours is the end that begins."""
        return self._advance() if self._active else []

    def receive(self, datagram: bytes) -> list[bytes]:
        """Take a datagram of DTLS; what is to be sent back. PeerError ends the call."""
        self._ssl.bio_write(datagram)
        if self.srtp is None:
            return self._advance()
        self._listen()
        return self._outgoing()

    def timeout_s(self) -> float | None:
        """When `retransmit` is due, from now; None when nothing waits for an answer."""
        return self._ssl.DTLSv1_get_timeout()

    def retransmit(self) -> list[bytes]:
        """What was lost, once more."""
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise ProtocolError(f"DTLS peer does not answer: {_told(error)}") from error
        return self._outgoing()

    def close(self) -> list[bytes]:
        """Our goodbye, or the alert that says what failed: the other end need not wait for a timeout."""
        with suppress(SSL.Error):
            self._ssl.shutdown()
        return self._outgoing()

    def _advance(self) -> list[bytes]:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            return self._outgoing()
        except SSL.Error as error:
            raise ProtocolError(f"DTLS handshake failed: {_told(error)}") from error
        self._check_peer()
        self.srtp = self._derive()
        self._listen()
        return self._outgoing()

    def _listen(self) -> None:
        """After the handshake all that can come is a repeated flight or the end."""
        try:
            self._ssl.recv(MTU)
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self.closed = True

    def _check_peer(self) -> None:
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise RefusedError("certificate", "DTLS peer showed no certificate, expected the one it offered")
        for offered in self._fingerprints:
            if _fingerprint(certificate, offered.algorithm) != offered:
                raise RefusedError("fingerprint", "DTLS peer's certificate is not the one of its offer")

    def _derive(self) -> Srtp:
        name = self._ssl.get_selected_srtp_profile()
        profile = next((profile for profile in _PROFILES if profile.name == name), None)
        if profile is None:
            raise ProtocolError(f"DTLS peer chose SRTP profile {name!r}, expected one that we offered")
        k, s = profile.key_bytes, profile.salt_bytes
        material = self._ssl.export_keying_material(_EXPORTER, 2 * (k + s))
        client = material[:k] + material[2 * k : 2 * k + s]
        server = material[k : 2 * k] + material[2 * k + s :]
        ours, theirs = (client, server) if self._active else (server, client)
        inbound = pylibsrtp.Policy(theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND, 0, profile.libsrtp)
        outbound = pylibsrtp.Policy(ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND, 0, profile.libsrtp)
        return Srtp(pylibsrtp.Session(inbound), pylibsrtp.Session(outbound))

    def _outgoing(self) -> list[bytes]:
        """All that OpenSSL wants to send."""
        waiting = b""
        while True:
            try:
                waiting += self._ssl.bio_read(65_536)
            except SSL.WantReadError:
                return datagrams_of(waiting)


def datagrams_of(records: bytes) -> list[bytes]:
    """OpenSSL's memory BIO joins records; cut them apart and fill datagrams of at most MTU bytes."""
    datagrams: list[bytes] = []
    while records:
        size = _RECORD_HEADER + int.from_bytes(records[11:13], "big")
        record, records = records[:size], records[size:]
        if datagrams and len(datagrams[-1]) + len(record) <= MTU:
            datagrams[-1] += record
        else:
            datagrams.append(record)
    return datagrams


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loa")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .sign(key, hashes.SHA256())
    )


def _fingerprint(certificate: x509.Certificate, algorithm: str) -> Fingerprint:
    return Fingerprint(algorithm, certificate.fingerprint(_HASHES[algorithm]).hex(":").upper())


def _left_to_fingerprint(*_: object) -> bool:
    """Certificates of calls are self-signed; `_check_peer` compares them with the offer."""
    return True


def _told(error: SSL.Error) -> str:
    """The last words of OpenSSL's error queue."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [str(entry[-1]) for entry in queue if entry]
    hint = _WRONG_CURVE if "wrong curve" in reasons else ""
    return (", ".join(reasons) or "no reason given") + hint
