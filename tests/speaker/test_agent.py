"""A whole speaker over real sockets: it enrols, links, attaches, plays, falls back, comes back."""

import asyncio
import json
import signal
import socket
import sys
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loa.codecs.frame import FRAME_US, SAMPLE_RATE
from loa.errors import ConfigError, RefusedError
from loa.speaker.agent import SpeakerAgent, SpeakerConfig
from loa.speaker.receiver import Receiver
from loa.speaker.report import Counters
from loa.trust.enrol import make_code
from loa.trust.keys import SigningKey
from loa.wire.control import Bye
from loa.wire.rank import BroadcastClass
from loa.wire.report import State, Transport

LATENCY_US = 200_000


def config(node: Any, folder: Path, **changes: Any) -> SpeakerConfig:
    given = {"node": node.url, "state": folder / "state", "code": node.code, "output": "null"}
    return SpeakerConfig(**(given | changes))


def begun(agent: SpeakerAgent) -> bool:
    try:
        return agent.core.timeline is not None
    except ConfigError:
        return False


def recording(path: Path) -> tuple[int, Any]:
    """Network time of sample 0, and the samples."""
    side_car = json.loads(path.with_name(path.name + ".json").read_text("utf-8"))
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2)
        return side_car["sample_0_network_us"], np.frombuffer(file.readframes(file.getnframes()), "<i2")


async def test_it_enrols_and_plays_by_udp_at_media_time_plus_latency(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    wav = tmp_path / "out.wav"
    agent = SpeakerAgent(config(node, tmp_path, output=f"wav:{wav}"))
    task = speakers(agent.run())
    await wait_until(lambda: begun(agent) and node.via.get(agent.core.mandate.speaker) is Transport.UDP)
    music = node.world.program(at_us=node.clock.now_us(), hertz=0)
    await node.air(music, 2.0)
    node.send(music.end_datagram())
    await wait_until(lambda: node.reports[-1][1].state is State.SILENT and not agent.core.busy)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    heard = node.reports[-1][1].heard[-1]
    assert heard.frames_played == len(music.packets)
    assert heard.frames_concealed == 0
    begins_us, samples = recording(wav)
    first = (music.first_k * FRAME_US + LATENCY_US - begins_us) * SAMPLE_RATE // 1_000_000
    assert np.abs(samples[: first - 1000]).max(initial=0) == 0
    sent = np.concatenate([music.tone(music.first_k + i) for i in range(20, 60)]).astype(float)
    at = first + 20 * 960
    lags = range(-960, 961)
    match = [float(np.dot(sent, samples[at + lag : at + lag + len(sent)])) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 2


async def test_what_it_reports_first_is_that_it_verified(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    agent = SpeakerAgent(config(node, tmp_path))
    speakers(agent.run())
    await wait_until(lambda: begun(agent))
    await wait_until(lambda: node.reports)
    node.reports.clear()
    siren = node.world.program(at_us=node.clock.now_us(), cls=BroadcastClass.EMERGENCY, detail=4, level=14)
    await node.air(siren, 1.5)
    heard = [one for _, report in node.reports for one in report.heard if one.broadcast == siren.broadcast]
    assert heard[0].frames_played == 0
    assert heard[0].started_at_us >= siren.start.started_us
    assert heard[-1].frames_played > 10
    assert heard[-1].sounded_at_us >= siren.first_k * FRAME_US + LATENCY_US - 10_000


async def test_where_udp_is_blocked_it_plays_by_the_link(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    node.udp_blocked = True
    agent = SpeakerAgent(config(node, tmp_path))
    speakers(agent.run())
    await wait_until(lambda: begun(agent))
    music = node.world.program(at_us=node.clock.now_us())
    await node.air(music, 1.5)
    assert agent.core.timeline is not None
    assert agent.core.timeline.tally is not None
    assert agent.core.timeline.tally.frames_played > 30
    assert Transport.UDP not in {transport for _, transport, _ in node.turns}


async def test_where_udp_dies_in_mid_program_it_turns_to_the_link(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    agent = SpeakerAgent(config(node, tmp_path))
    speakers(agent.run())
    await wait_until(lambda: begun(agent) and Transport.UDP in node.via.values())
    music = node.world.program(at_us=node.clock.now_us())
    await node.air(music, 0.8)
    lost, node.send = node.send, lambda data: None
    airing = asyncio.create_task(node.air(music, 3.0))
    await wait_until(lambda: Transport.WS in node.via.values())
    node.send = lost
    await airing
    assert node.turns[-1][1:] == (Transport.WS, "no datagram for 300 ms")
    assert agent.core.timeline is not None
    tally = agent.core.timeline.tally
    assert tally is not None
    assert tally.broadcast == music.broadcast
    assert tally.frames_played > 60


async def test_datagrams_from_a_wrong_address_are_counted_and_not_looked_at(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    agent = SpeakerAgent(config(node, tmp_path))
    speakers(agent.run())
    await wait_until(lambda: begun(agent) and node.addresses)
    music = node.world.program(at_us=node.clock.now_us())
    (host, port), *_ = node.addresses.values()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as stranger:
        for _ in range(5):
            stranger.sendto(music.start_datagram(), (host, port))
        await wait_until(lambda: agent.core.counters["refused_address"] == 5)
    assert not agent.core.busy


async def test_the_link_breaks_and_what_plays_goes_on(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    agent = SpeakerAgent(config(node, tmp_path))
    speakers(agent.run())
    await wait_until(lambda: begun(agent) and Transport.UDP in node.via.values())
    music = node.world.program(at_us=node.clock.now_us())
    await node.air(music, 0.5)
    (speaker, address), *_ = node.addresses.items()
    await node.drop_links()
    hellos = node.hellos

    def send_udp(data: bytes) -> None:
        node._socket.sendto(data, address)

    node.send = send_udp
    await node.air(music, 1.0)
    assert agent.core.timeline is not None
    assert agent.core.timeline.tally is not None
    assert agent.core.timeline.tally.frames_played > 40
    assert agent.core.counters["lost"] == 0
    await wait_until(lambda: node.hellos > hellos)
    assert speaker in node.keys


async def test_a_second_start_needs_no_code_and_keeps_the_floor(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    first = SpeakerAgent(config(node, tmp_path))
    task = speakers(first.run())
    await wait_until(lambda: begun(first))
    music = node.world.program(at_us=node.clock.now_us())
    await node.air(music, 0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    second = SpeakerAgent(config(node, tmp_path, code=None))
    speakers(second.run())
    await wait_until(lambda: begun(second))
    assert node.enrolled == 1
    assert second.core.memory().floor_us >= music.first_k * FRAME_US
    await node.air(music, 1.5)
    assert second.core.timeline is not None
    assert second.core.timeline.tally is not None


async def test_two_speakers_do_not_share_a_folder(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    first = SpeakerAgent(config(node, tmp_path))
    speakers(first.run())
    await wait_until(lambda: begun(first))
    with pytest.raises(ConfigError, match="in use"):
        await SpeakerAgent(config(node, tmp_path)).run()


async def test_without_a_code_a_new_speaker_says_what_it_needs(node: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--enrol"):
        await SpeakerAgent(config(node, tmp_path, code=None)).run()


async def test_a_code_that_the_node_does_not_know(node: Any, tmp_path: Path) -> None:
    wrong = make_code(node.world.root.public)
    with pytest.raises(ConfigError, match=r"404.*unknown code"):
        await SpeakerAgent(config(node, tmp_path, code=wrong)).run()


async def test_a_code_with_a_typing_error_is_seen_before_anybody_is_asked(node: Any, tmp_path: Path) -> None:
    swapped = node.code[:2] + ("0" if node.code[2] != "0" else "1") + node.code[3:]
    with pytest.raises(ConfigError, match="typing error"):
        await SpeakerAgent(config(node, tmp_path, code=swapped)).run()
    assert node.enrolled == 0


async def test_a_node_of_another_root_is_not_believed(node: Any, tmp_path: Path) -> None:
    node.world = replace(node.world, root=SigningKey.generate())
    with pytest.raises(RefusedError, match="right node"):
        await SpeakerAgent(config(node, tmp_path)).run()
    assert not (tmp_path / "state" / "identity.json").exists()


async def test_a_node_that_says_goodbye_is_left_alone_for_as_long_as_it_asked(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    node.bye = Bye("restart", 3600)
    agent = SpeakerAgent(config(node, tmp_path))
    speakers(agent.run())
    await wait_until(lambda: node.hellos)
    await asyncio.sleep(1.5)
    assert node.hellos == 1


async def test_no_node_at_all_is_tried_again_for_ever(speakers: Any, node: Any, tmp_path: Path) -> None:
    identity, memory = node.enrol("0a" * 8)
    lonely = replace(identity, node="http://127.0.0.1:9")
    task = speakers(SpeakerAgent(SpeakerConfig(enrolled=(lonely, memory))).run())
    await asyncio.sleep(0.5)
    assert not task.done()


async def test_a_disk_that_fails_does_not_silence_it(
    node: Any, speakers: Any, wait_until: Any, tmp_path: Path
) -> None:
    agent = SpeakerAgent(config(node, tmp_path))
    speakers(agent.run())
    await wait_until(lambda: begun(agent))
    (tmp_path / "state").rename(tmp_path / "gone")
    (tmp_path / "state").write_text("no folder", encoding="utf-8")
    music = node.world.program(at_us=node.clock.now_us())
    await node.air(music, 1.0)
    assert agent.core.counters["unstored"] > 0
    assert agent.core.timeline is not None
    assert agent.core.timeline.tally is not None
    assert agent.core.timeline.tally.frames_played > 10


async def test_an_edge_by_name_is_resolved_beside_everything_else() -> None:
    heard: list[bytes] = []
    receiver = Receiver(Counters(), heard.append)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as edge:
        edge.bind(("127.0.0.1", 0))
        edge.settimeout(5)
        named = ("localhost", edge.getsockname()[1])
        assert receiver.aim((named, ("", 7001)), "127.0.0.1")
        await receiver.resolve()
        receiver.send(("", 7001), b"numeric")
        receiver.send(named, b"named")
        receiver.close()
    receiver.close()


async def test_the_command_enrols_plays_and_ends_when_it_is_told(
    node: Any, wait_until: Any, tmp_path: Path
) -> None:
    wav = tmp_path / "out.wav"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loa", "speaker", "--node", node.url, "--enrol", node.code),
        *("--state", str(tmp_path / "state"), "--output", f"wav:{wav}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await wait_until(lambda: Transport.UDP in node.via.values())
        music = node.world.program(at_us=node.clock.now_us())
        await node.air(music, 2.5)
    finally:
        child.send_signal(signal.SIGTERM)
        _, problems = await child.communicate()
    assert child.returncode == 0, problems.decode()
    _, samples = recording(wav)
    assert np.count_nonzero(np.abs(samples.astype(int)) > 1000) > 24_000
