"""Many speakers in one process: each plays, and the same bytes are checked once."""

from typing import Any

from loa.speaker.agent import SpeakerConfig
from loa.speaker.simulate import Simulation
from loa.trust.keys import VerifyKey
from loa.wire.report import Transport

SPEAKERS = 20


async def test_all_play_the_same_and_each_signature_is_checked_once(
    node: Any, speakers: Any, wait_until: Any, monkeypatch: Any
) -> None:
    ids = [number.to_bytes(8, "big").hex() for number in range(100, 100 + SPEAKERS)]
    configs = [SpeakerConfig(enrolled=node.enrol(speaker)) for speaker in ids]
    simulation = Simulation(configs, start_within_s=0.5)
    speakers(simulation.run())
    await wait_until(
        lambda: (
            list(node.via.values()).count(Transport.UDP) == SPEAKERS
            and all(agent.core.timeline for agent in simulation.agents)
        )
    )
    checked: list[bytes] = []
    verify = VerifyKey.verify

    def counted(self: VerifyKey, signature: bytes, data: bytes) -> bool:
        checked.append(data)
        return verify(self, signature, data)

    monkeypatch.setattr(VerifyKey, "verify", counted)
    music = node.world.program(at_us=node.clock.now_us())
    await node.air(music, 1.5)
    node.send(music.end_datagram())
    await wait_until(lambda: not any(agent.core.busy for agent in simulation.agents))
    ours = [data for data in checked if data[4:12].hex() == music.program and data[0] == 0xC1]
    assert len(ours) == len(set(ours)) <= music.sequence + 2
    await wait_until(lambda: len(finals(node, music)) == SPEAKERS)
    assert set(finals(node, music)) == set(ids)
    assert len({heard.digest for heard in finals(node, music).values()}) == 1
    assert simulation.failed == 0


def finals(node: Any, music: Any) -> dict[str, Any]:
    """By speaker, the stretch of the whole program."""
    return {
        speaker: heard
        for speaker, report in node.reports
        for heard in report.heard
        if heard.broadcast == music.broadcast and heard.frames_played == len(music.packets)
    }


async def test_one_that_cannot_work_does_not_stop_the_others(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Any
) -> None:
    broken = SpeakerConfig(state=tmp_path / "nobody")
    good = SpeakerConfig(enrolled=node.enrol("0d" * 8))
    simulation = Simulation([broken, good], start_within_s=0)
    speakers(simulation.run())
    await wait_until(lambda: simulation.failed == 1 and node.hellos == 1)
