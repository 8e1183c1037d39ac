"""The published test vectors: this speaker plays what they say it plays, and refuses the rest for their
reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from loa.speaker.checks import Checks
from loa.speaker.intake import Began, Intake
from loa.speaker.mandate import Mandate
from loa.speaker.report import Counters
from loa.trust.keys import VerifyKey
from loa.trust.replay import Freshness
from loa.trust.statements import parse_statement

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "wire" / "vectors.json").read_text("utf-8")
)
NOW_US: int = VECTORS["now_us"]


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def intake(counters: Counters) -> Intake:
    """A speaker at the hamlet that trusts the root of the code."""
    mandate = Mandate("11" * 8, (VerifyKey(bytes.fromhex(VECTORS["keys"]["root"]["public"])),))
    assert not mandate.learn([VECTORS["grants"][name] for name in ("root", "authority", "node")])
    assert mandate.place(parse_statement(bytes.fromhex(VECTORS["statements"]["placement"])), NOW_US)
    return Intake(mandate, Freshness(), Checks(), counters, NOW_US - 60_000_000)


def test_the_start_is_believed(intake: Intake) -> None:
    events = intake.receive(bytes.fromhex(VECTORS["datagrams"]["start"]), NOW_US)
    assert [event for event in events if isinstance(event, Began)]


@pytest.mark.parametrize("number", range(len(VECTORS["refused"])))
def test_the_others_are_refused_for_their_reason(intake: Intake, counters: Counters, number: int) -> None:
    refused = VECTORS["refused"][number]
    assert intake.receive(bytes.fromhex(refused["hex"]), NOW_US) == ()
    assert counters.snapshot() == {f"refused_{refused['reason']}": 1}, refused["why"]
