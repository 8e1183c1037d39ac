"""What a node answers to an enrolment, and what of it is believed."""

import base64
import json
from typing import Any

import pytest

from loa.errors import PeerError, ProtocolError, RefusedError
from loa.speaker.enrol import believe
from loa.trust.enrol import make_code, parse_code
from loa.trust.grants import Role
from loa.trust.keys import SigningKey
from loa.trust.statements import build_statement

SPEAKER = (7).to_bytes(8, "big").hex()


def answer(world: Any, **changes: Any) -> bytes:
    fields = {
        "speaker": SPEAKER,
        "roots": [world.root.public.raw.hex()],
        "chain": list(world.chain()),
        "placement": base64.b64encode(build_statement(world.placement())).decode(),
        "link": "/speaker/link",
    }
    return json.dumps(fields | changes).encode()


def believed(world: Any, data: bytes) -> Any:
    code = parse_code(make_code(world.root.public))
    return believe(data, code, SigningKey.generate(), "http://node", "")


def test_what_leads_to_the_root_of_the_code_is_believed(world: Any) -> None:
    identity, memory = believed(world, answer(world))
    assert identity.speaker == SPEAKER
    assert memory.chain == world.chain()


def test_of_several_roots_only_the_pinned_one_is_kept(world: Any) -> None:
    stranger = SigningKey.generate().public.raw.hex()
    identity, _ = believed(world, answer(world, roots=[stranger, world.root.public.raw.hex()]))
    assert identity.roots == (world.root.public,)


def test_a_root_that_the_code_does_not_pin_is_refused(world: Any) -> None:
    with pytest.raises(RefusedError, match="right node"):
        believed(world, answer(world, roots=[SigningKey.generate().public.raw.hex()]))


def test_a_chain_from_elsewhere_is_refused(world: Any) -> None:
    stranger = type(world)().chain()
    with pytest.raises(RefusedError, match="does not lead"):
        believed(world, answer(world, chain=list(stranger)))


def test_links_of_the_next_root_do_not_stand_in_the_way(world: Any) -> None:
    other = SigningKey.generate()
    next_link = world.grant(other, world.authority.public, Role.AUTHORITY)
    _, memory = believed(world, answer(world, chain=[next_link, *world.chain()]))
    assert memory.chain == world.chain()


def test_one_that_waits_for_approval_has_no_placement_yet(world: Any) -> None:
    _, memory = believed(world, answer(world, placement=None))
    assert memory.placement is None
    assert memory.chain == world.chain()


def test_a_placement_signed_by_a_stranger_is_refused(world: Any) -> None:
    other = type(world)()
    forged = base64.b64encode(build_statement(other.placement())).decode()
    with pytest.raises(RefusedError):
        believed(world, answer(world, placement=forged))


def test_a_placement_of_another_speaker_is_refused(world: Any) -> None:
    with pytest.raises(RefusedError, match="not of this speaker"):
        believed(world, answer(world, speaker="0c" * 8))


@pytest.mark.parametrize(
    "changes",
    [
        {"speaker": "x"},
        {"speaker": 7},
        {"link": "http://elsewhere/"},
        {"roots": "x"},
        {"roots": ["zz"]},
        {"roots": ["00"]},
        {"chain": None},
        {"placement": "!"},
        {"placement": ""},
    ],
)
def test_fields_that_are_wrong_are_named(world: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        believed(world, answer(world, **changes))


@pytest.mark.parametrize("data", [b"", b"[]", b"<html>", b"\xff", b'"' * 9, b"[" * 100_000])
def test_what_is_no_answer_is_a_protocol_error(world: Any, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        believed(world, data)
