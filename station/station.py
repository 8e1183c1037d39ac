"""The station: the source-information system's memory, one repository per noun.

Laws: what a method of a repository has acknowledged is on the disk; what leaves is a frozen dataclass; every
time is given by the caller, in microseconds of network time. State: the database and the password threads,
opened by `open`, closed by `close`.
"""

import hmac
import secrets
from types import TracebackType

from .accounts import Accounts
from .api_tokens import ApiTokens
from .audit import Audit
from .broadcasts import Broadcasts
from .codes import Codes
from .database import Database
from .factors import Factors
from .multicasts import Multicasts
from .password import Passwords
from .places import Places
from .play_log import PlayLog
from .programs import Programs
from .pushes import Pushes
from .radios import Radios
from .recordings import Recordings
from .recovery import Recovery
from .roles import Roles
from .sealer import KEY_BYTES, Sealer
from .sessions import Sessions
from .settings import Settings
from .speakers import Speakers
from .volumes import Volumes


class Station:
    """The façade. `async with await Station.open(url) as station: ...`"""

    def __init__(self, database: Database, passwords: Passwords, secret: bytes) -> None:
        self._database = database
        self._passwords = passwords
        self._secret = secret
        self.places = Places(database)
        self.speakers = Speakers(database)
        self.volumes = Volumes(database)
        self.codes = Codes(database)
        self.programs = Programs(database)
        self.radios = Radios(database)
        self.multicasts = Multicasts(database)
        self.pushes = Pushes(database)
        self.broadcasts = Broadcasts(database)
        self.play_log = PlayLog(database)
        self.recordings = Recordings(database)
        self.accounts = Accounts(database, passwords)
        self.sessions = Sessions(database)
        self.factors = Factors(database, Sealer(self.key("factors")))
        self.recovery = Recovery(database)
        self.api_tokens = ApiTokens(database)
        self.roles = Roles(database)
        self.settings = Settings(database)
        self.audit = Audit(database)

    @classmethod
    async def open(
        cls, url: str, *, passwords: Passwords | None = None, secret: bytes | None = None
    ) -> "Station":
        """Connect, and bring the tables up to date. ConfigError when the database cannot be used.

        `secret`: 32 bytes of the vault, under which second factors are sealed; without it (a tool that looks
        at none) those that are made do not outlive this object.
        """
        database = await Database.open(url)
        return cls(database, passwords or Passwords(), secret or secrets.token_bytes(KEY_BYTES))

    def key(self, purpose: str) -> bytes:
        """32 bytes of the station's secret for one purpose; they say nothing about those for another."""
        return hmac.digest(self._secret, f"loa station {purpose}".encode(), "sha256")

    async def close(self) -> None:
        self._passwords.close()
        await self._database.close()

    async def __aenter__(self) -> "Station":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def database(self) -> Database:
        return self._database
