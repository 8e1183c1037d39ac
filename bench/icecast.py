"""A real Icecast with real ffmpeg sources, on loopback: the upstream of benches and tests.

Law: what is started here ends with its block.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from ..errors import InternalError

PASSWORD = "upstream"  # noqa: S105 - of a server on loopback that lives for a test
CONFIG = """<icecast>
<hostname>localhost</hostname><location>loopback</location><admin>nobody@localhost</admin>
<limits><clients>200</clients><sources>20</sources><burst-on-connect>1</burst-on-connect></limits>
<authentication><source-password>{password}</source-password>
<admin-user>admin</admin-user><admin-password>{password}</admin-password></authentication>
<listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
<paths><logdir>{folder}</logdir><webroot>/usr/share/icecast2/web</webroot>
<adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>1</loglevel></logging>
<security><chroot>0</chroot>{owner}</security></icecast>"""
READY_S = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Icecast:
    """One server at a fixed port, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: Process | None = None
        self._sources: list[Process] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """InternalError when there is no Icecast to start."""
        program = shutil.which("icecast2")
        if program is None:
            raise InternalError("icecast2 is not installed, expected Debian's")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.parent.chmod(0o755)  # Icecast gives up root, and must get in
        owner = ""
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"
        config = self._folder / "icecast.xml"
        text = CONFIG.format(password=PASSWORD, port=self.port, folder=self._folder, owner=owner)
        config.write_text(text, "utf-8")
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(config), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        await self._listens()

    async def _listens(self) -> None:
        async with asyncio.timeout(READY_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return

    async def kill(self) -> None:
        """As a machine that loses its power."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            await process.wait()
        for source in self._sources:
            with contextlib.suppress(ProcessLookupError):
                source.kill()
            await source.wait()
        self._sources.clear()

    async def source(self, mount: str, *given: str, stdin: bool = False) -> Process:
        """ffmpeg sends `given` (its input and codec) to a mount, and is heard when this returns."""
        url = f"icecast://source:{PASSWORD}@127.0.0.1:{self.port}/{mount}"
        command = ("ffmpeg", "-v", "error", "-re", *given, url)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE if stdin else DEVNULL, stdout=DEVNULL, stderr=sys.stderr
        )
        self._sources.append(process)
        return process

    async def heard(self, mount: str) -> None:
        """Returns when the mount sends."""
        async with asyncio.timeout(READY_S):
            while True:
                if await self._sends(mount):
                    return
                await asyncio.sleep(0.1)

    async def _sends(self, mount: str) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET /{mount} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        try:
            head = await reader.readuntil(b"\r\n")
            return b" 200 " in head
        except asyncio.IncompleteReadError:
            return False
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def icecast(folder: Path) -> AsyncIterator[Icecast]:
    """A server that runs."""
    server = Icecast(folder)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


def tone(hertz: int, codec: str = "mp3") -> tuple[str, ...]:
    """ffmpeg's words for a steady tone in one of the codecs that stations send."""
    words = {
        "mp3": ("-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3"),
        "aac": ("-c:a", "aac", "-b:a", "96k", "-content_type", "audio/aac", "-f", "adts"),
        "opus": ("-c:a", "libopus", "-b:a", "64k", "-content_type", "application/ogg", "-f", "ogg"),
        "vorbis": ("-c:a", "libvorbis", "-b:a", "96k", "-content_type", "application/ogg", "-f", "ogg"),
    }
    return ("-f", "lavfi", "-i", f"sine={hertz}:r=48000", "-af", "volume=2", "-ac", "2", *words[codec])
