"""The demo's life: a node, its territory, simulated speakers beside it, something on air, how to log in."""

import asyncio
import contextlib
import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable

from .. import fleet
from ..clock import NodeClock
from ..codecs.tones import Chime
from ..config import Settings
from ..serve import Node
from ..speaker.agent import SpeakerConfig
from ..speaker.simulate import Simulation
from ..station.database import sqlite_url
from ..station.programs import Program
from ..station.station import Station
from ..streamer.broadcast import FileSource, Order
from ..wire.rank import BroadcastClass, Origin
from . import content, territory

ON_AIR = {
    "Phường Cao Lãnh": content.MUSIC,
    "Xã Mỹ Thọ": content.MORNING,
    "Phường Sa Đéc": content.MORNING,
    "Xã Cái Bè": content.VACCINATION,
}
HOURS_US = 4 * 3600 * 1_000_000
DEVICES = "devices.json"

Say = Callable[[str], None]


async def run(settings: Settings, say: Say) -> None:
    """Until cancelled."""
    await _found(settings, say)
    async with Node.open(settings) as node:
        say("Chuẩn bị giọng nói và nhạc (lần đầu mất vài giây) / making speech and music ...")
        programs = await content.fill(node.memory, node.clock, lambda title: say(f"  {title}"))
        devices = fleet.load(settings.state / DEVICES)
        async with _speakers(node, devices):
            await _put_on_air(node, programs)
            await _invite(node, say)
            await asyncio.Event().wait()


async def simulate(papers: list[dict[str, object]]) -> None:
    """Be the loudspeakers of these papers, in this process, until cancelled."""
    configs = [SpeakerConfig(enrolled=fleet.believe(paper)) for paper in papers]
    await Simulation(configs, start_within_s=2.0).run()


async def _found(settings: Settings, say: Say) -> None:
    """The territory and its devices, at the first start only."""
    if (settings.state / DEVICES).exists():
        return
    say("Dựng địa bàn Đồng Tháp: 12 xã phường, 180 cụm loa / building a province with 180 loudspeakers ...")
    clock = NodeClock()
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with await Station.open(sqlite_url(settings.state.resolve() / "loa.db")) as station:
        hamlets = await territory.build(station, clock)
        fleet.save(await fleet.enlist(station, territory.seats(hamlets), clock), settings.state / DEVICES)


@contextlib.asynccontextmanager
async def _speakers(node: Node, devices: list[fleet.Device]) -> AsyncIterator[None]:
    """The simulated loudspeakers, in a process of their own."""
    papers = fleet.papers(devices, node.core.roster, f"http://127.0.0.1:{node.http_port}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "loa", "simulate", stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None  # noqa: S101 - asked for one line above
    process.stdin.write(json.dumps(papers).encode())
    process.stdin.close()
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _put_on_air(node: Node, programs: dict[str, Program]) -> None:
    places = {place.name: place for place in await node.memory.station.places.list()}
    for commune, title in ON_AIR.items():
        clip = await node.memory.content.audio(programs[title].id)
        place = places[commune]
        node.core.air.start(
            Order(
                id=secrets.token_hex(8),
                program_id=secrets.token_hex(8),
                title=title,
                targets=(place.id,),
                cls=BroadcastClass.ORDINARY,
                issuer_place=place.id,
                expires_us=node.clock.now_us() + HOURS_US,
                source=FileSource(clip, repeat=HOURS_US // (clip.frames * 20_000) + 1),
                origin=Origin.SCHEDULE,
                chime=Chime.INFORMATION,
            )
        )


async def _invite(node: Node, say: Say) -> None:
    accounts = node.memory.station.accounts
    login = node.memory.first_login
    account = (await accounts.list())[0]
    if login is None and account.must_change:
        login = await accounts.reset_password(account.id)
    port, secure = node.http_port, node.https_port
    first = next(place for place in await node.memory.station.places.list() if place.name in ON_AIR)
    say("")
    say(f"  Mở / open            http://localhost:{port}")
    if secure:
        say(f"  Từ máy khác / remote https://<tên máy>:{secure}  (chứng chỉ tự ký / self-signed)")
    if login:
        say(f"  Đăng nhập / log in   {login.account.name}   {login.password}   (dùng một lần / used once)")
    else:
        say(f"  Đăng nhập / log in   {account.name}, mật khẩu bạn đã đặt / the password that you chose")
    say(f"  Nghe thử / listen    http://localhost:{port}/listen/{first.path}.mp3")
    say("  Dừng / stop          Ctrl+C")
    say("")
