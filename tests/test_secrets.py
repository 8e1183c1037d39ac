"""No class of the house shows a secret in its repr: every dataclass and every model is looked at."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, RootModel

from .test_house import ROOT, sources

SECRET = re.compile(
    r"^(old|new)?_?password$|password_hash|secret|^token$|_token$|cookie|csrf|private(?!_networks)|recovery_codes?$|^code$"
    r"|^codes$|^otp|^uri$"
)


def classes() -> Iterator[type]:
    for file in sources():
        parts = file.relative_to(ROOT).with_suffix("").parts
        if file.name.startswith("__") or {"tests", "migrations"} & set(parts):
            continue
        name = ".".join(("loa", *parts))
        for _, found in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if found.__module__ == name:
                yield found


def shown(found: type) -> set[str]:
    """Fields of text or bytes that a repr would print."""
    if dataclasses.is_dataclass(found):
        if not hasattr(found.__repr__, "__wrapped__"):
            return set()  # of its own making, and tested where it is made
        fields = dataclasses.fields(found)
        return {f.name for f in fields if f.repr and found.__dataclass_params__.repr and _text(f.type)}  # type: ignore[attr-defined]
    if issubclass(found, BaseModel) and not issubclass(found, RootModel):
        given = found.model_construct()
        vars(given).update(dict.fromkeys(found.model_fields, "seen"))
        return {name for name in found.model_fields if f"{name}='seen'" in repr(given)}
    return set()


def _text(annotation: object) -> bool:
    said = annotation if isinstance(annotation, str) else str(annotation)
    return bool(re.search(r"\b(str|bytes)\b", said))


def called(found: type) -> str:
    return f"{found.__module__}.{found.__qualname__}"


FOUND: list[type] = sorted(set(classes()), key=called)


@pytest.mark.parametrize("found", FOUND, ids=called)
def test_a_repr_shows_no_secret(found: type) -> None:
    showing = {name for name in shown(found) if SECRET.search(name)}
    assert not showing, f"{found.__module__}.{found.__name__}: say repr=False of {sorted(showing)}"
