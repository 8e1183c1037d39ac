"""The console from memory: what was built, and nothing else of the disk."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from loa.web.console import FOR_GOOD, read_pages


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """What the front end's build leaves."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Loa</title>" + " " * 2000)
    (folder / "assets" / "main-3f2a.js").write_text("console.log('ch\u00e0o')\n" * 200)
    (folder / "assets" / "tiny-11aa.css").write_text("a{}")
    (folder / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("hunter2")
    return folder


async def test_a_house_without_a_built_page_says_how_to_build_it(app: Any) -> None:
    answer = await app.get("/")
    assert answer.status == 503
    text = await answer.text()
    assert "make run" in text
    assert "chưa được dựng" in text


async def test_the_page_is_found_once_it_is_built(app: Any, dist: Path) -> None:
    answer = await app.get("/")
    assert answer.status == 200
    assert (await answer.text()).startswith("<!doctype html>")


async def test_hashed_files_are_kept_for_good_and_the_page_is_asked_for_again(dist: Path, app: Any) -> None:
    script = await app.get("/assets/main-3f2a.js")
    assert script.headers["Cache-Control"] == FOR_GOOD
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert script.headers["Content-Encoding"] == "gzip"
    assert (await script.text()).startswith("console.log('chào')")
    plain = await app.get("/assets/main-3f2a.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert await plain.text() == await script.text()
    index = await app.get("/")
    assert index.headers["Cache-Control"] == "no-cache"
    again = await app.get("/", headers={"If-None-Match": index.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    ["/assets/../../secret.txt", "/..%2fsecret.txt", "/assets/%2e%2e%2f%2e%2e%2fsecret.txt", "/secret.txt"],
)
async def test_no_path_leads_out_of_what_was_built(dist: Path, app: Any, path: str) -> None:
    answer = await app.get(path)
    assert answer.status == 404
    assert "hunter2" not in await answer.text()


def test_what_packing_does_not_help_is_not_packed(dist: Path) -> None:
    pages = read_pages(dist)
    assert set(pages) == {"index.html", "assets/main-3f2a.js", "assets/tiny-11aa.css", "favicon.svg"}
    assert pages["assets/tiny-11aa.css"].packed is None
    packed = pages["assets/main-3f2a.js"].packed
    assert packed is not None
    assert gzip.decompress(packed) == pages["assets/main-3f2a.js"].body
    assert read_pages(dist / "nowhere") == {}
