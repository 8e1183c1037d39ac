"""Slugs: what a Vietnamese name becomes in an address."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.station.slug import MAX_SLUG_CHARS, candidates, derives_from, is_slug, normal_path, slugify


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Đồng Tháp", "dong-thap"),
        ("đồng tháp", "dong-thap"),
        ("Đồng Tháp".encode().decode(), "dong-thap"),
        ("Ấp Mỹ Phước 2 (cũ)", "ap-my-phuoc-2-cu"),
        ("Phường 1", "phuong-1"),
        ("ƯỚC — Ỹ", "uoc-y"),
        ("Xã Ea H'Leo", "xa-ea-h-leo"),
        ("Buôn Ma Thuột", "buon-ma-thuot"),
        ("ភូមិ", ""),
        ("---", ""),
        ("Ⅳ", "iv"),
        ("Straße Ørsted", "strasse-orsted"),
    ],
)
def test_names_become_ascii(name: str, slug: str) -> None:
    assert slugify(name) == slug


def test_a_name_typed_decomposed_has_the_slug_of_the_composed_one() -> None:
    assert slugify("\u0110o\u0302\u0300ng Tha\u0301p") == slugify("\u0110\u1ed3ng Th\u00e1p") == "dong-thap"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_whatever_the_name_the_slug_is_one_or_empty(name: str) -> None:
    slug = slugify(name)
    assert slug == "" or is_slug(slug)


@settings(deadline=None)
@given(st.from_regex(r"[a-z0-9]{1,31}(-[a-z0-9]{1,31})?", fullmatch=True))
def test_candidates_are_slugs_all_different_and_known_as_kin(base: str) -> None:
    first = list(itertools.islice(candidates(base), 30))
    assert first[0] == base
    assert len(set(first)) == len(first)
    assert all(is_slug(slug) for slug in first)
    assert all(derives_from(slug, base) for slug in first if len(base) < MAX_SLUG_CHARS - 3)


def test_kin_are_told_from_neighbours() -> None:
    assert derives_from("ap-1", "ap-1")
    assert derives_from("ap-1-2", "ap-1")
    assert not derives_from("ap-12", "ap-1")
    assert not derives_from("ap", "ap-1")


def test_an_address_is_looked_up_as_it_is_stored() -> None:
    assert normal_path("/Dong-Thap/Cao-Lanh/") == "dong-thap/cao-lanh"
