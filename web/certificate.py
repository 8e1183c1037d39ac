"""The node's own TLS certificate: made at the first start, so that a browser gives its microphone at once.

Laws: the key never leaves its file (mode 0600, written whole or not at all); the certificate is made again
before it expires, and when the node has got a name that it does not cover; an operator's own certificate in
the same two files is never touched. A browser will warn until one of the two is trusted: docs/operations
says how.
"""

import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..errors import ConfigError

LIFETIME = timedelta(days=397)
"""The longest that browsers accept of any authority's (CA/Browser Forum BR 6.3.2), so never too long here."""
RENEW_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(hours=1)
_OURS = "Loa node (self-signed)"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where it is, until when it holds and what it may be called; `fingerprint` is SHA-256 in hex."""

    certificate: Path
    key: Path
    expires: datetime
    names: tuple[str, ...]
    fingerprint: str
    ours: bool
    vouched: bool
    """Somebody else than its own key signed it: a browser may be told never to come without TLS."""


def ensure_certificate(folder: Path, names: Sequence[str], now: datetime) -> Certificate:
    """The certificate in `folder`, made or made again if need be. Blocks; ConfigError if unreadable."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    certificate, key = folder / "tls.pem", folder / "tls.key"
    if not (certificate.exists() and key.exists()):
        _make(certificate, key, names, now)
    found = read_certificate(certificate, key)
    if found.ours and (found.expires - now < RENEW_BEFORE or not set(names) <= set(found.names)):
        _make(certificate, key, names, now)
        found = read_certificate(certificate, key)
    return found


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """For listening: TLS 1.2 and later."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate.certificate, certificate.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"TLS: {certificate.certificate} and {certificate.key} do not fit ({error}), expected a PEM pair"
        ) from error
    return context


def local_names() -> tuple[str, ...]:
    """What this machine may be called by a browser near it: its names and its own addresses."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *_outward_addresses()]
    return tuple(dict.fromkeys(name for name in names if _general_name(name) is not None))


def _outward_addresses() -> list[str]:
    """The address this machine would send from; a UDP connect sends nothing (RFC 5737, RFC 3849 targets)."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return found


def _make(certificate: Path, key: Path, names: Sequence[str], now: datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _OURS)])
    general = [name for name in map(_general_name, names) if name is not None]
    if not general:
        raise ConfigError(f"TLS: no usable name among {list(names)}, expected a host name or an address")
    signed = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(general), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate.unlink(
        missing_ok=True
    )  # a crash between the two writes must not leave a pair that does not fit
    _write(key, pem)
    _write(certificate, signed.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_certificate(certificate: Path, key: Path) -> Certificate:
    """What is in the files. Blocks; ConfigError when it is no certificate."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"TLS: {certificate} cannot be read ({error}), expected a PEM certificate"
        ) from error
    return Certificate(
        certificate=certificate,
        key=key,
        expires=found.not_valid_after_utc,
        names=_names_of(found),
        fingerprint=found.fingerprint(hashes.SHA256()).hex(),
        ours=found.subject.rfc4514_string() == f"CN={_OURS}",
        vouched=found.issuer != found.subject,
    )


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found)


def _general_name(name: str) -> x509.GeneralName | None:
    """None when a certificate cannot say it (a host name with letters beyond ASCII, an empty one)."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name) if name else None
    except ValueError:
        return None
