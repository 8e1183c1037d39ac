"""The site that a browser sees us as: what a passkey is bound to (WebAuthn, section 5.1.3)."""

from ipaddress import ip_address

from aiohttp import web

from ..station.passkeys import Site


def site_of(request: web.Request) -> Site | None:
    """None where no browser would use a passkey: without TLS, or under a bare address."""
    url = request.url
    name = (url.host or "").rstrip(".").lower()
    if not name or _is_address(name) or not (request.secure or name == "localhost"):
        return None
    return Site(name, str(url.origin()))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
