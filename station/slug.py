"""Slugs: the ASCII names that places have in addresses (`dong-thap/cao-lanh`).

Pure. A slug is made of `a-z`, `0-9` and single hyphens; a path is slugs joined by `/`, from the root down.
"""

import re
import unicodedata
from collections.abc import Iterator

MAX_SLUG_CHARS = 63
"""As a DNS label, so that a place can have a host name one day."""
MAX_PATH_CHARS = 512
"""What a path column and an address line hold without trouble; 16 levels of usual names take about 250."""

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NO_DECOMPOSITION = str.maketrans({"đ": "d", "ð": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ı": "i"})


def is_slug(text: str) -> bool:
    return len(text) <= MAX_SLUG_CHARS and _SLUG.fullmatch(text) is not None


def slugify(name: str) -> str:
    """'Đồng Tháp' -> 'dong-thap'. Empty when ASCII can stand for no letter of the name (Khmer, Cham)."""
    folded = name.casefold().translate(_NO_DECOMPOSITION)
    ascii_only = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode("ascii")
    words = re.findall(r"[a-z0-9]+", ascii_only.lower())
    return "-".join(words)[:MAX_SLUG_CHARS].rstrip("-")


def candidates(base: str) -> Iterator[str]:
    """`base`, then `base-2`, `base-3`, ..., each short enough."""
    yield base
    number = 2
    while True:
        ending = f"-{number}"
        yield base[: MAX_SLUG_CHARS - len(ending)].rstrip("-") + ending
        number += 1


def derives_from(slug: str, base: str) -> bool:
    """Whether `slug` is `base` or one of its numbered kin, so that a place that keeps its name keeps its
    address.
    """
    return slug == base or re.fullmatch(re.escape(base) + r"-[0-9]+", slug) is not None


def normal_path(text: str) -> str:
    """What somebody typed after the host, as paths are stored: no outer slashes, lower case."""
    return text.strip("/").lower()
