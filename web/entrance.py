"""The entrance: every request passes here first, and what may not come in clear is sent to the TLS port.

Laws: passwords, sessions, one-time codes and the microphone never cross a network without TLS, unless the
operator says so; the sound (/listen, /hls, /whep, /archive), the speakers' links (signed themselves) and
the probes may. A program of this very machine may do everything in clear: nobody listens in between.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from .certificate import Certificate
from .hop import Hop, Network, find_hop, parse_address
from .problem import HttpError

OPEN = frozenset({"/speaker/link", "/healthz", "/readyz", "/metrics"})
OPEN_BELOW = ("/listen/", "/hls/", "/whep/", "/archive/")
PAGES = frozenset({"GET", "HEAD"})
ENCODERS = ("/ingest/", "/admin/")
"""Where they push to; in clear only if the operator says so: their password goes along."""
NO_PAGES = ("/api/", "/enrol", "/whip/", *ENCODERS)
HSTS = "max-age=31536000"
"""A year, as browsers' own lists ask. Not for names below ours: those may be somebody else's machines."""


def no_certificate() -> Certificate | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What the operator says of the ways in. `names`: what this node is called, the best first."""

    trusted: Sequence[Network] = ()
    allow_plain: bool = False
    allow_plain_push: bool = False
    names: Sequence[str] = ()
    https_port: int | None = None
    certificate: Callable[[], Certificate | None] = no_certificate
    """What our own TLS port shows at present."""

    def own_certificate(self) -> bool:
        """The node made it itself, so no machine believes it unasked."""
        found = self.certificate()
        return found is not None and found.ours

    def vouched(self) -> bool:
        """Somebody a browser may know has signed it."""
        found = self.certificate()
        return found is not None and found.vouched

    def is_open(self, path: str) -> bool:
        """May come in clear."""
        return is_open(path) or (self.allow_plain_push and path.startswith(ENCODERS))

    def hop(self, request: web.BaseRequest) -> Hop:
        return find_hop(request.remote, secure=request.secure, headers=request.headers, trusted=self.trusted)

    def https(self, hop: Hop, path: str) -> str | None:
        """The same page with TLS; None where there is no TLS to send it to."""
        if hop.proxied:
            return f"https://{hop.name}{path}" if hop.name else None
        port = self.https_port
        if port is None:
            return None
        name = hop.name if self._ours(hop.name) else _bracketed(self.names[0])
        return f"https://{name}{'' if port == 443 else f':{port}'}{path}"

    def _ours(self, name: str) -> bool:
        """A host that a browser may be sent back to: with no names told, the one it came by must do."""
        if not self.names:
            return True
        known = {_bracketed(known).lower() for known in self.names}
        return parse_address(name) is not None or name.lower() in known or name == "localhost"


def enter(entrance: Entrance) -> Middleware:
    """The middleware: corrects `remote`, `scheme` and `host` of the request, then lets it in, or does not."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        hop = entrance.hop(request)
        if not (hop.secure or hop.local or entrance.allow_plain or entrance.is_open(request.path)):
            return _not_in_clear(request, entrance.https(hop, request.rel_url.raw_path_qs))
        if hop.proxied:
            scheme = "https" if hop.secure else "http"
            request = request.clone(remote=hop.address, scheme=scheme, host=hop.host)
        return await handler(request)

    return middleware


def insist(
    entrance: Entrance,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Whoever came by TLS comes by TLS from now on (RFC 6797).

    Not where the certificate is one of our own making: whoever has not taken it over would be locked out.
    """

    async def signal(request: web.Request, response: web.StreamResponse) -> None:
        if request.secure and entrance.vouched():
            response.headers["Strict-Transport-Security"] = HSTS

    return signal


def is_open(path: str) -> bool:
    """May come in clear."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def _not_in_clear(request: web.Request, https: str | None) -> web.StreamResponse:
    if request.method in PAGES and not request.path.startswith(NO_PAGES) and https is not None:
        return web.Response(status=308, headers={"Location": https, "Cache-Control": "no-store"})
    raise HttpError(
        403,
        "this came over the network in clear",
        request.path,
        https or "TLS: set https_port, or come through a proxy that is in trusted_proxies",
    )


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name
