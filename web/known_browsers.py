"""Browsers from which somebody has logged in before: strangers who guess at an account do not lock them out.

Laws: a browser is believed by what the node signed itself, for one account name and `LASTS_US`; being known
opens nothing, it only gives a bucket of tries of its own. At most `MAX_ACCOUNTS` of one browser, the latest
first. Pure: bytes and `now_us` go in.

entry  base64url of: SHA-256 of the account name 8 | browser 8 | end, Unix seconds u32 | HMAC-SHA256 16
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct

from ..station.accounts import name_key

LASTS_US = 180 * 86_400 * 1_000_000
"""Half a year: an office's holidays, a spare computer."""
MAX_ACCOUNTS = 5
"""Announcers who share the computer of a commune's office."""
_HASH_BYTES = _BROWSER_BYTES = 8
_MAC_BYTES = 16
_ENTRY = struct.Struct(">8s8sI16s")
_ENTRY_CHARS = -(-_ENTRY.size * 4 // 3)


def cookie_name(*, secure: bool) -> str:
    return "__Host-loa_device" if secure else "loa_device"


class KnownBrowsers:
    """Signs and reads the cookie. `key`: a secret of the node."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def find(self, cookie: str | None, account: str, *, now_us: int) -> str | None:
        """The browser's own name for `account`, by which its tries are counted; None for a stranger."""
        wanted = _hashed(account)
        for entry in self._entries(cookie, now_us):
            name, browser = entry[:_HASH_BYTES], entry[_HASH_BYTES : _HASH_BYTES + _BROWSER_BYTES]
            if name == wanted:
                return browser.hex()
        return None

    def remember(self, cookie: str | None, account: str, *, now_us: int) -> str:
        """The cookie of a browser in which `account` has just logged in."""
        wanted = _hashed(account)
        others = [entry for entry in self._entries(cookie, now_us) if entry[:_HASH_BYTES] != wanted]
        browser = bytes.fromhex(self.find(cookie, account, now_us=now_us) or secrets.token_hex(8))
        until = struct.pack(">I", (now_us + LASTS_US) // 1_000_000)
        signed = wanted + browser + until
        kept = [signed + self._mac(signed), *others][:MAX_ACCOUNTS]
        return ".".join(base64.urlsafe_b64encode(entry).decode().rstrip("=") for entry in kept)

    def _entries(self, cookie: str | None, now_us: int) -> list[bytes]:
        """Those that we have signed and that still hold."""
        found = []
        for text in (cookie or "")[: MAX_ACCOUNTS * (_ENTRY_CHARS + 1)].split("."):
            entry = _decoded(text)
            if len(entry) != _ENTRY.size:
                continue
            _, _, until_s, mac = _ENTRY.unpack(entry)
            if until_s * 1_000_000 > now_us and hmac.compare_digest(mac, self._mac(entry[:-_MAC_BYTES])):
                found.append(entry)
        return found

    def _mac(self, signed: bytes) -> bytes:
        return hmac.new(self._key, signed, hashlib.sha256).digest()[:_MAC_BYTES]


def _hashed(account: str) -> bytes:
    """However the name is spelt, as the station compares names."""
    return hashlib.sha256(name_key(account).encode("utf-8", "surrogatepass")).digest()[:_HASH_BYTES]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
