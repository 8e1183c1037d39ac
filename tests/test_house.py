"""The laws of the house that a reader would otherwise have to trust: floors, circles, packaging, settings."""

import ast
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from loa.config import Settings, load
from loa.errors import ConfigError

ROOT = Path(__file__).parent.parent
FLOORS = {
    "errors": 0,
    "clock": 0,
    "logs": 0,
    "config": 1,
    "codecs": 1,
    "trust": 2,
    "wire": 3,
    "streamer": 4,
    "station": 5,
    "speaker": 4,
    "web": 6,
    "bench": 10,
    "check": 7,
    "loudness": 6,
    "roster": 7,
    "key_news": 7,
    "gauges": 7,
    "archiving": 7,
    "listening": 7,
    "memory": 7,
    "tidy": 7,
    "serve": 8,
    "fleet": 9,
    "demo": 10,
    "__main__": 11,
}
"""Higher floors may import lower ones. Rooms of the same floor (streamer, speaker) do not know each other."""


def sources() -> list[Path]:
    rooms = [path for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    found = [*ROOT.glob("*.py"), *(file for room in rooms for file in room.rglob("*.py"))]
    return [file for file in found if "node_modules" not in file.parts]


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """What a file imports of the house, as paths below the root; type-only imports included."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level == 0:
                assert (node.module or "").split(".")[0] != "loa", f"{file}: absolute import inside the house"
                continue
            base = package[: len(package) - node.level + 1] + tuple(
                (node.module or "").split(".") if node.module else ()
            )
            for name in node.names:
                deeper = ROOT.joinpath(*base, name.name)
                is_module = deeper.is_dir() or deeper.with_suffix(".py").is_file()
                yield (*base, name.name) if is_module else base
        elif isinstance(node, ast.Import):
            for name in node.names:
                assert name.name != "codecs", f"{file}: imports the standard library's codecs"


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_run_down(file: Path) -> None:
    room = room_of(file)
    if file.name == "__init__.py" and file.parent == ROOT:
        return
    assert room in FLOORS, f"{room} has no floor: give it one in FLOORS"
    for target in imports(file):
        if target and target[0] != room:
            assert FLOORS[target[0]] < FLOORS[room], (
                f"{file.relative_to(ROOT)} imports {'.'.join(target)}, which is above it"
            )


def test_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for file in sources():
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {".".join(target) for target in imports(file) if target} - {name}
    TopologicalSorter(graph).prepare()


def test_packages_are_the_folders() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {"loa"} | {
        ".".join(("loa", *file.parent.relative_to(ROOT).parts)) for file in sources() if file.parent != ROOT
    }
    assert listed == found


def test_every_setting_has_its_sentence() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description
        assert f"`{name}`" in page, f"docs/settings.md does not name {name}"
        assert field.description in page, f"docs/settings.md says something else of {name}"


def test_all_faults_of_the_settings_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "loa.toml"
    file.write_text("http_prt = 1\nlatency_ms = 5\nprofile = 'moon'\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    told = str(caught.value)
    assert "did you mean http_port" in told
    assert "latency_ms" in told
    assert "profile" in told
    assert str(file) in told
    file.write_text("latency_ms = 250\n")
    monkeypatch.setenv("LOA_LATENCY_MS", "300")
    assert load(file).latency_ms == 300, "the environment wins over the file"
    assert load(file, latency_ms=350).latency_ms == 350, "a flag wins over both"
    with pytest.raises(ConfigError, match="expected a readable TOML file"):
        load(tmp_path / "none.toml")
