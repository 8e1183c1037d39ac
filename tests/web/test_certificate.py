"""The node's own certificate: made once, renewed in time, an operator's own left alone."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loa.errors import ConfigError
from loa.web.certificate import LIFETIME, RENEW_BEFORE, ensure_certificate, local_names, server_context

NOW = datetime.now(UTC)
NAMES = ("localhost", "127.0.0.1", "::1")


def test_it_is_made_for_its_names_and_its_key_is_its_owners(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path / "tls", NAMES, NOW)
    assert set(made.names) == set(NAMES)
    assert made.ours
    assert NOW + LIFETIME - timedelta(hours=2) < made.expires <= NOW + LIFETIME
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert made.key.parent.stat().st_mode & 0o777 == 0o700
    parsed = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    usage = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    alternative = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("127.0.0.1") in alternative.get_values_for_type(x509.IPAddress)
    assert not list(tmp_path.rglob("*.part"))


def test_the_same_one_is_there_the_next_time(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, NAMES, NOW)
    assert ensure_certificate(tmp_path, NAMES[:1], NOW + LIFETIME - RENEW_BEFORE - timedelta(hours=2)) == made


@pytest.mark.parametrize(
    ("names", "later"),
    [
        (NAMES, LIFETIME - RENEW_BEFORE),
        (NAMES, LIFETIME + timedelta(days=1)),
        ((*NAMES, "203.0.113.9"), timedelta()),
    ],
)
def test_it_is_made_again_in_time_and_for_new_names(
    tmp_path: Path, names: tuple[str, ...], later: timedelta
) -> None:
    old = ensure_certificate(tmp_path, NAMES, NOW)
    new = ensure_certificate(tmp_path, names, NOW + later)
    assert new.fingerprint != old.fingerprint
    assert set(new.names) == set(names)
    assert new.expires > NOW + later + RENEW_BEFORE
    server_context(new)


def test_an_operators_own_is_never_touched(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loa.example")])
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=90))
        .not_valid_after(NOW - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "tls.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "tls.key").write_bytes(pem)
    found = ensure_certificate(tmp_path, NAMES, NOW)
    assert not found.ours
    assert found.expires < NOW
    assert (tmp_path / "tls.key").read_bytes() == pem
    server_context(found)


def test_half_a_pair_is_made_whole(tmp_path: Path) -> None:
    ensure_certificate(tmp_path, NAMES, NOW)
    (tmp_path / "tls.pem").unlink()
    server_context(ensure_certificate(tmp_path, NAMES, NOW))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "tls.pem").write_text("no certificate")
    (tmp_path / "tls.key").write_text("no key")
    with pytest.raises(ConfigError, match="expected a PEM certificate"):
        ensure_certificate(tmp_path, NAMES, NOW)
    with pytest.raises(ConfigError, match="no usable name"):
        ensure_certificate(tmp_path / "other", ["", "lỗi"], NOW)


def test_a_pair_that_does_not_fit_is_told(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path / "a", NAMES, NOW)
    second = ensure_certificate(tmp_path / "b", NAMES, NOW)
    first.key.write_bytes(second.key.read_bytes())
    with pytest.raises(ConfigError, match="do not fit"):
        server_context(first)


def test_this_machine_has_names() -> None:
    assert {"localhost", "127.0.0.1"} <= set(local_names())


async def test_a_client_that_trusts_it_connects(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, NAMES, datetime.now(UTC))

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    trusting = ssl.create_default_context(cafile=str(made.certificate))
    server = TestServer(app, scheme="https", host="127.0.0.1")
    await server.start_server(ssl=server_context(made))
    async with (
        ClientSession(connector=TCPConnector(ssl=trusting)) as session,
        session.get(server.make_url("/")) as answer,
    ):
        assert await answer.text() == "hello"
    await server.close()
