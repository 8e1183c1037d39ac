"""DTLS-SRTP: two ends joined by a wire in memory."""

import datetime
import time
from collections.abc import Callable
from contextlib import suppress

import pylibsrtp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from loa.errors import PeerError, RefusedError
from loa.streamer.dtls import MTU, DtlsIdentity, DtlsSession, Srtp, datagrams_of
from loa.streamer.sdp import Fingerprint

RTP = b"\x80\x6f\x00\x01" + bytes(8) + b"a voice"


def joined(
    active: DtlsSession, passive: DtlsSession, lose: Callable[[int], bool] = lambda number: False
) -> None:
    """Carry datagrams until neither end has more to say. `lose` is asked with each one's number."""
    number = 0
    to_passive, to_active = active.begin(), list[bytes]()
    while to_passive or to_active:
        for end, waiting, answers in ((passive, to_passive, to_active), (active, to_active, to_passive)):
            while waiting:
                datagram = waiting.pop(0)
                assert len(datagram) <= MTU
                number += 1
                if not lose(number):
                    answers += end.receive(datagram)


def pair() -> tuple[DtlsSession, DtlsSession]:
    here, there = DtlsIdentity(), DtlsIdentity()
    return (
        DtlsSession(here, (there.fingerprint,), active=True),
        DtlsSession(there, (here.fingerprint,), active=False),
    )


def keys(session: DtlsSession) -> Srtp:
    assert session.srtp is not None
    return session.srtp


def test_both_ends_get_the_same_keys() -> None:
    active, passive = pair()
    joined(active, passive)
    assert keys(passive).inbound.unprotect(keys(active).outbound.protect(RTP)) == RTP
    assert keys(active).inbound.unprotect(keys(passive).outbound.protect(RTP)) == RTP
    assert active.timeout_s() is None


def test_a_stranger_cannot_decrypt() -> None:
    active, passive = pair()
    joined(active, passive)
    others = pair()
    joined(*others)
    with pytest.raises(pylibsrtp.Error):
        keys(passive).inbound.unprotect(keys(others[0]).outbound.protect(RTP))


def test_a_packet_is_taken_once() -> None:
    active, passive = pair()
    joined(active, passive)
    packet = keys(active).outbound.protect(RTP)
    keys(passive).inbound.unprotect(packet)
    with pytest.raises(pylibsrtp.Error):
        keys(passive).inbound.unprotect(packet)


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_another_certificate_than_the_offered_is_refused(algorithm: str) -> None:
    here, there = DtlsIdentity(), DtlsIdentity()
    wrong = Fingerprint(algorithm, ":".join(["AB"] * 32))
    passive = DtlsSession(there, (here.fingerprint, wrong), active=False)
    with pytest.raises(RefusedError) as caught:
        joined(DtlsSession(here, (there.fingerprint,), active=True), passive)
    assert caught.value.reason == "fingerprint"
    assert passive.srtp is None


def test_what_was_lost_is_sent_again() -> None:
    active, passive = pair()
    joined(active, passive, lose=lambda number: number == 1)
    assert active.srtp is None
    wait_s = active.timeout_s()
    assert wait_s is not None
    assert 0 < wait_s <= 1
    time.sleep(wait_s + 0.01)
    for datagram in active.retransmit():
        for answer in passive.receive(datagram):
            for last in active.receive(answer):
                for end in passive.receive(last):
                    active.receive(end)
    assert keys(passive).inbound.unprotect(keys(active).outbound.protect(RTP)) == RTP


def test_a_goodbye_is_understood() -> None:
    active, passive = pair()
    joined(active, passive)
    for datagram in active.close():
        passive.receive(datagram)
    assert passive.closed
    assert not active.closed


def test_closing_before_the_handshake_says_nothing() -> None:
    assert pair()[1].close() == []


@pytest.mark.parametrize("junk", [b"\x16", b"\x16\xfe\xfd" + bytes(40), bytes(range(20, 64)) * 20])
def test_junk_before_and_after_changes_nothing(junk: bytes) -> None:
    active, passive = pair()
    passive.receive(junk)
    joined(active, passive)
    passive.receive(junk)
    assert not passive.closed
    assert keys(passive).inbound.unprotect(keys(active).outbound.protect(RTP)) == RTP


def client(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> tuple[SSL.Connection, Fingerprint]:
    """A caller's end, straight on OpenSSL, with a certificate of its own."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "caller")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = dated.serial_number(1).sign(key, hashes.SHA256())
    context = SSL.Context(SSL.DTLS_METHOD)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    connection = SSL.Connection(context)
    connection.set_connect_state()
    return connection, Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256()).hex(":").upper())


def shake(connection: SSL.Connection, session: DtlsSession) -> None:
    for _ in range(10):
        with suppress(SSL.WantReadError):
            connection.do_handshake()
        try:
            flight = connection.bio_read(10_000)
        except SSL.WantReadError:
            return
        for datagram in session.receive(flight):
            connection.bio_write(datagram)


def test_a_caller_with_an_rsa_certificate_and_the_older_profile_is_served() -> None:
    connection, fingerprint = client(rsa.generate_private_key(65_537, 2048))
    session = DtlsSession(DtlsIdentity(), (fingerprint,), active=False)
    shake(connection, session)
    assert connection.get_selected_srtp_profile() == b"SRTP_AES128_CM_SHA1_80"
    assert session.srtp is not None


def test_a_caller_without_srtp_is_refused() -> None:
    context = SSL.Context(SSL.DTLS_METHOD)
    connection = SSL.Connection(context)
    connection.set_connect_state()
    session = DtlsSession(DtlsIdentity(), (Fingerprint("sha-256", "AB"),), active=False)
    with pytest.raises((PeerError, SSL.Error)):
        shake(connection, session)
    assert session.srtp is None


def test_records_are_sent_whole_in_as_few_datagrams_as_hold_them() -> None:
    records = [
        b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2, "big") + bytes(size)
        for size in (100, 600, 500, 900, 1187)
    ]
    datagrams = datagrams_of(b"".join(records))
    assert datagrams == [records[0] + records[1], records[2], records[3], records[4]]
    assert datagrams_of(b"") == []
