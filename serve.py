"""One running node: every part named, each handed its collaborators, all begun and ended here.

Laws: what is begun last ends first; nothing below knows this file. `async with Node.open(settings) as node:`
gives a node whose ports are bound and whose air runs; leaving it says goodbye to speakers and listeners.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from .archiving import archiving, attached
from .clock import NodeClock
from .codecs.marks import encode_signals
from .codecs.stored import StoredAudio
from .config import Settings
from .errors import DeniedError
from .gauges import archive_readings, media_readings, multicast_readings, port_readings, whep_readings
from .key_news import KeyNews
from .listening import Ports, Tls, bound, entrance, listening
from .logs import Shown
from .loudness import VolumeBook
from .memory import Memory, open_memory
from .roster import LinkedSpeakers, MountPaths, SpeakerRoster
from .streamer.air import Air
from .streamer.attachments import Attachments
from .streamer.broadcast import MicSource, PushSource, RadioSource, Source
from .streamer.distribution import Attendance, Distribution
from .streamer.feed import LiveFeed
from .streamer.leg import Gone
from .streamer.links import Links
from .streamer.microphone import MicrophoneSource
from .streamer.mint import NodeMint
from .streamer.mounts import Mounts
from .streamer.outputs.hls import Hls
from .streamer.outputs.multicast import Multicast
from .streamer.outputs.recording import Recorder
from .streamer.outputs.whep import Whep
from .streamer.presence import Roll
from .streamer.pump import Pump
from .streamer.sources.pushes import Pushes
from .streamer.sources.radios import Radios
from .streamer.sources.ws_microphone import WsMicrophones
from .streamer.territory import Territory
from .streamer.udp import UdpPort
from .streamer.whip import Whip
from .tidy import tidy
from .web.application import DESK, create_app
from .web.archive_public import PublicArchive
from .web.directory import as_line
from .web.metrics import register
from .web.microphone_tokens import MicrophoneTokens
from .web.services import Services
from .wire.control import Targets, Want, build_control
from .wire.datagram import EndReason

log = structlog.get_logger("loa")

PACKING = {"wan": 3, "lan": 1}
"""20 ms frames in a datagram."""


@dataclass(frozen=True, slots=True)
class Core:
    """The media path, wired."""

    air: Air
    roll: Roll
    udp: UdpPort
    links: Links
    pump: Pump
    roster: SpeakerRoster
    distribution: Distribution
    volumes: VolumeBook
    news: KeyNews
    radios: Radios
    pushes: Pushes


@dataclass(frozen=True, slots=True)
class Doors:
    """Where sound comes in and goes out by HTTP."""

    paths: MountPaths
    mounts: Mounts
    hls: Hls
    recorder: Recorder
    whip: Whip
    whep: Whep
    multicast: Multicast
    calls: WsMicrophones
    tokens: MicrophoneTokens


@dataclass(frozen=True, slots=True)
class Node:
    """A node on the air: what the demo, the benches and the tests hold on to."""

    settings: Settings
    clock: NodeClock
    memory: Memory
    core: Core
    app: web.Application
    http_port: int
    https_port: int | None

    @staticmethod
    @contextlib.asynccontextmanager
    async def open(settings: Settings) -> AsyncIterator["Node"]:
        """ConfigError when its folder, its keys or its ports cannot be used."""
        async with contextlib.AsyncExitStack() as stack:
            clock = NodeClock()
            ports = stack.enter_context(bound(settings))
            memory = await open_memory(settings, clock, stack)
            core = await _core(settings, memory, clock, ports, stack)
            tls = await asyncio.to_thread(Tls, settings, memory.folder / "tls") if ports.secure else None
            doors = await _doors(settings, memory, core, clock)
            app = _application(settings, memory, core, doors, clock, ports, tls)
            await stack.enter_async_context(_running(memory, core, doors, clock))
            await stack.enter_async_context(listening(app, ports, tls))
            yield Node(settings, clock, memory, core, app, ports.http, ports.https)


async def serve(settings: Settings) -> None:
    """A node, until it is told to end."""
    async with Node.open(settings) as node:
        login = node.memory.first_login
        log.info("on the air", http=node.http_port, https=node.https_port, udp=node.core.udp.port)
        if login is not None:
            log.warning("first log-in, shown once", name=login.account.name, password=Shown(login.password))
        await asyncio.Event().wait()


async def _core(
    settings: Settings, memory: Memory, clock: NodeClock, ports: Ports, stack: contextlib.AsyncExitStack
) -> Core:
    places = await memory.station.places.list()
    territory = as_line(places)
    keyring, roll = memory.keyring, Roll(clock)

    attachments = Attachments()

    def current() -> Territory:
        return air.territory

    def greeting(place: str) -> list[bytes]:
        return air.greeting(place)

    roster = SpeakerRoster(keyring, clock, current, settings.latency_ms, settings.profile)
    roster.load({place.id: place for place in places}, await memory.station.speakers.list())
    news = KeyNews(keyring)
    volumes = VolumeBook(memory.station.volumes, keyring.sign, clock, current)
    await volumes.load()
    links = Links(
        clock=clock,
        node_key=lambda: keyring.node,
        node_id=keyring.node.public.key_id,
        grants=lambda: keyring.grants,
        clock_id=clock.clock_id,
        roster=roster,
        events=Attendance(roll, attachments.detach),
        udp=lambda: [(host, udp.port) for host in settings.advertise or [""]],
        greeting=greeting,
        wanted=lambda want: [*_wanted(air, want), *news.wanted(want)],
        after_welcome=lambda speaker, place: [*news.messages(), *volumes.messages(speaker, place)],
        known=ports.connections.vouch,
    )
    udp = UdpPort(clock, links, roll.place_of, attachments, settings.host, settings.udp_port)
    stack.callback(udp.close, asyncio.get_running_loop())
    distribution = Distribution(udp, links, current)
    await asyncio.to_thread(encode_signals)
    mint = NodeMint(keyring, clock, current)
    radios, pushes = Radios(clock, settings.radio_private_networks), Pushes(clock)
    air = Air(
        clock,
        territory,
        mint=mint,
        egress=distribution,
        feeds=lambda source: _feed(source, radios, pushes),
        packing=PACKING[settings.profile],
    )
    links.retarget(territory)
    news.send_by(links)
    volumes.send_by(links)
    pump = Pump(air, distribution, clock)
    return Core(air, roll, udp, links, pump, roster, distribution, volumes, news, radios, pushes)


async def _doors(settings: Settings, memory: Memory, core: Core, clock: NodeClock) -> Doors:
    paths = MountPaths(core.air, memory.station.places)
    await paths.reload()
    tokens = MicrophoneTokens(clock)

    def admit(program: str, token: str | None) -> MicrophoneSource:
        if token is None or not tokens.check(program, token):
            raise DeniedError(
                "microphone: expected the bearer token that came with the order, within its time"
            )
        return core.air.microphone(program)

    def gone(program: str, how: Gone) -> None:
        tokens.revoke(program)
        core.air.hang_up(program, EndReason.FINISHED if how is Gone.LEFT else EndReason.LOST)

    def taken(program: str) -> None:
        calls.let_go(program)

    whip = Whip(
        admit,
        gone,
        clock,
        port=settings.webrtc_port,
        addresses=_addresses(settings.advertise),
        taken=taken,
    )
    calls = WsMicrophones(admit, gone, whip.let_go, clock)
    mounts = Mounts(paths, clock, max_per_address=settings.listeners_per_address)
    hls = Hls(paths, clock)
    core.air.subscribe(hls.on_air_event)
    recorder = attached(settings, core.air, clock, memory.archive)
    multicast = Multicast(paths, clock, on=settings.multicast)
    multicast.use(await memory.station.multicasts.list())
    return Doors(paths, mounts, hls, recorder, whip, Whep(paths, whip.peers, clock), multicast, calls, tokens)


def _application(
    settings: Settings,
    memory: Memory,
    core: Core,
    doors: Doors,
    clock: NodeClock,
    ports: Ports,
    tls: Tls | None,
) -> web.Application:
    registry, ways_in = CollectorRegistry(), entrance(settings, ports, tls)
    register(registry, port_readings(ports.connections))
    register(registry, whep_readings(doors.whep))
    register(registry, multicast_readings(doors.multicast))
    register(registry, media_readings(core.udp, core.links, core.pump, doors.mounts, doors.hls, doors.whip))
    register(registry, archive_readings(doors.recorder, memory.archive))
    services = Services(
        clock=clock,
        clock_id=clock.clock_id,
        software=version("loa"),
        station=memory.station,
        air=core.air,
        roll=core.roll,
        emergencies=memory.emergencies,
        credentials=core.roster,
        network=LinkedSpeakers(core.roster, core.links, core.distribution, doors.paths, core.volumes),
        volumes=core.volumes,
        keyring=memory.keyring,
        tokens=doors.tokens,
        content=memory.content,
        archive=memory.archive,
        multicast=doors.multicast,
        relays=core.radios,
        pushes=core.pushes,
        texts=memory.texts,
        clip=lambda name: StoredAudio.open(memory.folder / "content" / name),
        registry=registry,
        mounted=[web.get("/speaker/link", core.links.handler)],
        checks={"pump": core.pump.check, "database": memory.check},
        own_certificate=ways_in.own_certificate(),
        entrance=ways_in,
    )
    app = create_app(services)
    doors.mounts.add_routes(app.router)
    doors.hls.add_routes(app.router)
    again = PublicArchive(app[DESK], doors.paths.resolve, clock, settings.listen_again_days)
    again.add_routes(app.router)
    doors.whip.add_routes(app.router)
    doors.whep.add_routes(app.router)
    doors.calls.add_routes(app.router)

    async def say_goodbye(_app: web.Application) -> None:
        core.pushes.close()
        await doors.calls.close()
        await core.links.close()

    app.on_shutdown.append(say_goodbye)
    return app


@contextlib.asynccontextmanager
async def _running(memory: Memory, core: Core, doors: Doors, clock: NodeClock) -> AsyncIterator[None]:
    """Everything that runs by itself; a part that fails ends the node."""
    core.udp.listen(asyncio.get_running_loop())
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(core.pump.run(), name="pump"),
            group.create_task(core.radios.run(), name="radios"),
            group.create_task(core.udp.expire(), name="udp"),
            group.create_task(core.links.run(), name="links"),
            group.create_task(core.news.run(core.roster, core.volumes, core.links), name="key news"),
            group.create_task(memory.keyring.run(clock.now_us), name="keys"),
            group.create_task(doors.mounts.run(), name="mounts"),
            group.create_task(doors.hls.run(), name="hls"),
            group.create_task(archiving(doors.recorder, memory.archive), name="archive"),
            group.create_task(doors.whip.run(), name="whip"),
            group.create_task(doors.whep.run(), name="whep"),
            group.create_task(doors.multicast.run(), name="multicast"),
            group.create_task(memory.content.run(), name="content"),
            group.create_task(memory.emergencies.follow(), name="journal"),
            group.create_task(memory.watch.run(), name="audit"),
            group.create_task(tidy(core.air), name="tidy"),
        ]
        yield
        for task in tasks:
            task.cancel()


def _feed(source: Source, radios: Radios, pushes: Pushes) -> LiveFeed | None:
    """What is live of a source; None for what is on the shelf."""
    match source:
        case MicSource():
            return MicrophoneSource()
        case RadioSource():
            return radios.feed(source)
        case PushSource(push):
            return pushes.feed(push)
        case _:
            return None


def _addresses(names: Sequence[str]) -> list[str]:
    """Those of `names` that are numeric addresses: ICE candidates are never names here."""
    found = []
    for name in names:
        with contextlib.suppress(ValueError):
            found.append(str(ip_address(name)))
    return found


def _wanted(air: Air, want: Want) -> Sequence[bytes]:
    """The answer to a speaker that met a hash it does not know."""
    targets = air.targets_by_hash(want.hash) if want.kind == "targets" else None
    return [build_control(Targets(tuple(sorted(targets))))] if targets else []
