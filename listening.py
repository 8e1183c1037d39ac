"""The two HTTP ports of a node: one without TLS, one with, both bound before anything else is begun.

Laws: a port that cannot be bound, and a certificate that cannot be used, end the start in words; what is
bound here is closed here; a certificate that was renewed on the disk is used for every connection to come,
and one that cannot be read is complained about while the old one goes on.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import structlog
from aiohttp import web

from .config import Settings
from .errors import ConfigError
from .web.certificate import (
    Certificate,
    ensure_certificate,
    local_names,
    read_certificate,
    server_context,
)
from .web.connections import Connections, Listening
from .web.entrance import Entrance, no_certificate
from .web.hop import Network

BACKLOG = 4096
"""Connections the kernel holds for us: three thousand listeners may come in the same second."""

ACCEPTED_AT_ONCE = 16
"""asyncio accepts its whole backlog without a pause, and 4,096 would hold the loop for a second."""

REQUEST_WITHIN_S = 30.0
"""From the connection to a whole request, and between two: half-open connections are not kept.

Longer than clients keep an idle connection (aiohttp's 15 s), or a request of theirs meets our closing it.
"""

RENEWAL_CHECK_S = 3600.0

THIS_MACHINE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

log = structlog.get_logger("loa")


@dataclass(frozen=True, slots=True)
class Ports:
    """Bound, and queueing connections already. `secure` is None where TLS is turned off."""

    plain: socket.socket
    secure: socket.socket | None
    connections: Connections
    """At both."""

    @property
    def http(self) -> int:
        return int(self.plain.getsockname()[1])

    @property
    def https(self) -> int | None:
        return int(self.secure.getsockname()[1]) if self.secure else None


@contextlib.contextmanager
def bound(settings: Settings, own: Sequence[Network] = THIS_MACHINE) -> Iterator[Ports]:
    """ConfigError when a port is taken. `own`: whose connections nobody counts, beside trusted proxies'."""
    exempt = (*own, *settings.trusted_proxies)
    connections = Connections(settings.connections_per_address, exempt)

    def opened(port: int) -> socket.socket:
        return stack.enter_context(Listening(_socket(settings.host, port), connections))

    with contextlib.ExitStack() as stack:
        plain = opened(settings.http_port)
        secure = opened(settings.https_port) if settings.https_port else None
        yield Ports(plain, secure, connections)


class Tls:
    """What the secure port shows: the operator's certificate, or one that the node makes and renews."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Blocks. `folder` is for a certificate of our own."""
        self._settings, self._folder = settings, folder
        self.certificate = self._find()
        self.context = server_context(self.certificate)

    async def keep_renewed(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(RENEWAL_CHECK_S)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Use what is there now. Blocks."""
        try:
            found = self._find()
            if found.fingerprint != self.certificate.fingerprint:
                server_context(found)
                self.context.load_cert_chain(found.certificate, found.key)
                log.info("TLS certificate renewed", until=found.expires.isoformat())
            self.certificate = found
        except (ConfigError, OSError) as error:
            log.error("TLS certificate not renewed", error=str(error))

    def _find(self) -> Certificate:
        settings = self._settings
        if bool(settings.certificate) != bool(settings.certificate_key):
            raise ConfigError("certificate, certificate_key: one without the other, expected both or neither")
        if settings.certificate and settings.certificate_key:
            return read_certificate(settings.certificate, settings.certificate_key)
        names = [*settings.advertise, *local_names()]
        return ensure_certificate(self._folder, names, datetime.now(UTC))


def entrance(settings: Settings, ports: Ports, tls: Tls | None) -> Entrance:
    """What the web must know of the ways in."""
    return Entrance(
        trusted=tuple(settings.trusted_proxies),
        allow_plain=settings.allow_plain_console,
        allow_plain_push=settings.allow_plain_push,
        names=(*settings.advertise, *local_names()) if settings.advertise else (),
        https_port=ports.https,
        certificate=(lambda: tls.certificate) if tls else no_certificate,
    )


@contextlib.asynccontextmanager
async def listening(
    app: web.Application, ports: Ports, tls: Tls | None, *, request_within_s: float = REQUEST_WITHIN_S
) -> AsyncIterator[None]:
    """`app` answers at both ports; `tls` goes with the secure one."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, keepalive_timeout=request_within_s)
    await runner.setup()
    try:
        await _accept(runner, ports.plain, None)
        if ports.secure is None or tls is None:
            yield
            return
        await _accept(runner, ports.secure, tls.context)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(tls.keep_renewed(), name="certificate")
            yield
            task.cancel()
    finally:
        await runner.cleanup()


async def _accept(runner: web.AppRunner, sock: socket.socket, context: ssl.SSLContext | None) -> None:
    await web.SockSite(runner, sock, ssl_context=context, backlog=ACCEPTED_AT_ONCE).start()
    sock.listen(BACKLOG)


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host and socket.has_dualstack_ipv6() else socket.AF_INET
    host = "" if family == socket.AF_INET and ":" in host else host
    try:
        return socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=family == socket.AF_INET6
        )
    except OSError as error:
        raise ConfigError(f"port {port} of {host}: {error.strerror}; expected one that is free") from error
