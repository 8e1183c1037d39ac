"""A province to try things on: Đồng Tháp, three areas, a dozen communes, three hamlets and 15 clusters each.

Names of communes are the real ones of the province since 1 July 2025 (vietnam-provinces); the areas stand for
the districts that were, the hamlets are numbered, nothing else is claimed of any of them.
"""

from collections.abc import Iterator

from vietnam_provinces import Province, Ward

from ..clock import Clock
from ..errors import InternalError
from ..station.place import NewPlace, Place
from ..station.slug import slugify
from ..station.station import Station

PROVINCE = "Đồng Tháp"
AREAS: dict[str, tuple[str, ...]] = {
    "Khu vực Cao Lãnh": ("Phường Cao Lãnh", "Xã Mỹ Thọ", "Xã Bình Hàng Trung", "Xã Phong Mỹ"),
    "Khu vực Sa Đéc": ("Phường Sa Đéc", "Xã Lai Vung", "Xã Lấp Vò", "Xã Tân Khánh Trung"),
    "Khu vực Mỹ Tho": ("Phường Mỹ Tho", "Xã Cái Bè", "Xã Chợ Gạo", "Xã Tân Phú Đông"),
}
HAMLETS = 3
CLUSTERS_OF_HAMLET = 5


async def build(station: Station, clock: Clock) -> list[Place]:
    """Make it where there is nothing yet; returns the places of the clusters, hamlet by hamlet."""
    _check_names()
    now_us = clock.now_us()
    root = await station.places.add(NewPlace(PROVINCE, "province"), now_us=now_us)
    hamlets: list[Place] = []
    for area, communes in AREAS.items():
        district = await station.places.add(NewPlace(area, "district", root.id), now_us=now_us)
        for commune in communes:
            at = await station.places.add(
                NewPlace(commune, "commune", district.id, slug=_slug(commune)), now_us=now_us
            )
            news = [NewPlace(f"Ấp {n}", "hamlet", at.id) for n in range(1, HAMLETS + 1)]
            hamlets += await station.places.add_many(news, now_us=now_us)
    return hamlets


def seats(hamlets: list[Place]) -> Iterator[tuple[str, str]]:
    """(place id, name) of every cluster."""
    for hamlet in hamlets:
        for n in range(1, CLUSTERS_OF_HAMLET + 1):
            yield hamlet.id, f"Cụm {n} - {hamlet.name}"


def _slug(commune: str) -> str:
    """`cao-lanh` rather than `phuong-cao-lanh`."""
    return slugify(commune.split(" ", 1)[1])


def _check_names() -> None:
    """The names are those of the data set, or the demo is no model of anything."""
    province = next(found for found in Province.iter_all() if found.name == PROVINCE)
    real = {ward.name for ward in Ward.iter_all() if ward.province_code == province.code}
    strange = {commune for communes in AREAS.values() for commune in communes} - real
    if strange:
        raise InternalError(f"demo communes {strange} are not in {PROVINCE} any more")
