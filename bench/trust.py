"""trust: what it costs that every loudspeaker checks who speaks.

    added_ms     signing and verifying between an order and its first sound: a session key, its grant and the
                 start's signature at the node; grant, chain and that signature at the speaker (median)
    sign_cores   processor to sign what 100 programs send, a datagram each 60 ms
    chain_ms     a whole chain from a pinned root to a session, nothing of it known before (median)
    reconnect_s  from the killing of a node with so many links to the last of them being back at the next one
    login_ms     one password, checked by Argon2id (median)

The restart is that of a real `loa serve`, with its speakers in another process; the rest is timed in here.
"""

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .. import fleet
from ..clock import NodeClock
from ..speaker.mandate import Mandate
from ..station.keyring import Keyring
from ..station.password import Passwords
from ..station.vault import FileVault
from ..streamer.broadcast import Order, ToneSource
from ..streamer.mint import NodeMint
from ..streamer.territory import Place, Territory
from ..trust.grants import verify_chain
from ..trust.keys import SigningKey
from ..trust.statements import Placement
from ..wire.datagram import Audio, AudioPart, Start, StartFlags, build_audio, build_start, parse_datagram
from ..wire.rank import BroadcastClass, Severity
from .child import child, module
from .house import free_port, prepare, running, serving
from .result import Metrics

ORDERS = 200
LOG_INS = 9
SIGNATURES = 5_000
PROGRAMS = 100
DATAGRAMS_PER_S = 1000 / 60
FRAMES = (bytes(range(80)),) * 3
"""What 60 ms of Opus weigh."""
MINUTE_US = 60_000_000
SPEAKER = "ab" * 8


def run(speakers: int) -> Metrics:
    return asyncio.run(_run(speakers))


async def _run(speakers: int) -> Metrics:
    with tempfile.TemporaryDirectory() as folder:
        path = await _Path.open(Path(folder) / "keys")
        added_ms = _median_ms(path.sound, ORDERS)
        chain_ms = _median_ms(path.chain, ORDERS)
        reconnect_s = await _reconnect_s(Path(folder), speakers)
    return {
        "speakers": speakers,
        "added_ms": added_ms,
        "sign_cores": _sign_s() * PROGRAMS * DATAGRAMS_PER_S,
        "chain_ms": chain_ms,
        "reconnect_s": reconnect_s,
        "login_ms": await _login_ms(),
    }


class _Path:
    """An order's way through all that signs and all that verifies; nothing else of the node or speaker."""

    def __init__(self, keyring: Keyring, clock: NodeClock) -> None:
        province, commune = Place("11" * 8, None, "Tỉnh", "tinh", "province"), "22" * 8
        territory = Territory([province, Place(commune, province.id, "Xã", "xa", "commune")])
        self._keyring, self._clock = keyring, clock
        self._ancestry = territory.ancestry(commune)
        self._mint = NodeMint(keyring, clock, lambda: territory)
        self._roots = {root.key_id: root for root in keyring.roots}

    @classmethod
    async def open(cls, folder: Path) -> "_Path":
        clock = NodeClock()
        vault = FileVault(folder)
        return cls(await Keyring.open(folder, vault, root_place="11" * 8, now_us=clock.now_us()), clock)

    def sound(self) -> float:
        """Seconds from a fresh key to a start that is believed."""
        speaker = self._speaker()
        order = self._order()
        begun_s = time.perf_counter()
        key = SigningKey.generate()
        data = build_start(self._start(order, self._mint.session(key.public, order, 15)), key.sign)
        parsed = parse_datagram(data)
        if not isinstance(parsed.message, Start):
            raise TypeError("bench: a start did not parse as one")
        session = speaker.admit(parsed.message, self._clock.now_us())
        believed = session.subject.verify(parsed.signature, parsed.signed)
        spent_s = time.perf_counter() - begun_s
        if not believed:
            raise ValueError("bench: a signature made here is not believed here")
        return spent_s

    def chain(self) -> float:
        """Seconds to verify root..session, by a verifier that has seen none of it."""
        order = self._order()
        key = SigningKey.generate()
        tokens = [*self._tokens(), self._mint.session(key.public, order, 15)]
        begun_s = time.perf_counter()
        verify_chain(tokens, self._roots, self._ancestry, self._clock.now_us())
        return time.perf_counter() - begun_s

    def _tokens(self) -> list[str]:
        """The authority's grant and the node's."""
        return [self._keyring.grants[0], self._keyring.node_token]

    def _speaker(self) -> Mandate:
        """One that is enrolled and placed, and has heard of no broadcast."""
        mandate = Mandate(SPEAKER, self._keyring.roots)
        mandate.learn(self._keyring.grants)
        placement = Placement(SPEAKER, 1, self._ancestry, 400)
        mandate.place(self._keyring.sign(placement), self._clock.now_us())
        return mandate

    def _order(self) -> Order:
        return Order(
            id=secrets.token_hex(8),
            program_id=secrets.token_hex(8),
            title="Lũ",
            targets=(self._ancestry[0],),
            cls=BroadcastClass.EMERGENCY,
            severity=Severity.EXTREME,
            issuer_place=self._ancestry[0],
            expires_us=self._clock.now_us() + MINUTE_US,
            source=ToneSource(),
        )

    def _start(self, order: Order, grant: str) -> Start:
        now_us = self._clock.now_us()
        return Start(
            broadcast=order.id,
            program=order.program_id,
            cls=order.cls,
            detail=int(order.severity),
            level=15,
            flags=StartFlags.NONE,
            started_us=now_us,
            expires_us=order.expires_us,
            targets=order.targets,
            grant=grant,
            audio=AudioPart(0, now_us // 20_000 * 20_000, FRAMES),
        )


def _median_ms(once: Callable[[], float], times: int) -> float:
    return statistics.median(once() for _ in range(times)) * 1e3


def _sign_s() -> float:
    """Processor seconds that signing adds to one datagram: built with a signature, less built with none."""
    key = SigningKey.generate()
    none = bytes(64)
    return _build_s(key.sign) - _build_s(lambda _data: none)


def _build_s(sign: Callable[[bytes], bytes]) -> float:
    begun_s = time.process_time()
    for number in range(SIGNATURES):
        build_audio(Audio("cd" * 8, AudioPart(number, number * 60_000, FRAMES)), sign)
    return (time.process_time() - begun_s) / SIGNATURES


async def _login_ms() -> float:
    passwords = Passwords()
    try:
        stored = await passwords.hash("một mật khẩu đủ dài")
        spent = []
        for _ in range(LOG_INS):
            begun_s = time.perf_counter()
            await passwords.matches(stored, "một mật khẩu đủ dài")
            spent.append(time.perf_counter() - begun_s)
    finally:
        passwords.close()
    return statistics.median(spent) * 1e3


async def _reconnect_s(folder: Path, speakers: int) -> float:
    """A node is killed in the middle of everything; the next one begins at once, on the same ports."""
    prepared = await prepare(folder / "node", min(100, speakers), speakers)
    devices = folder / "devices.json"
    fleet.save(prepared.devices, devices)
    port = free_port()
    async with (
        running(prepared.folder, http_port=port) as node,
        child("the returning crowd", *module("returning", port, devices)) as crowd,
    ):
        await crowd.heard(within_s=120)
        killed_ns = time.monotonic_ns()
        node.process.kill()
        await node.process.wait()
        async with serving(prepared.folder, http_port=port):
            back_ns = int(await crowd.heard(within_s=120))
    return (back_ns - killed_ns) / 1e9
