"""Browsers of other people, each with cookies of its own, and what they do to log in."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp
import pyotp

from loa.clock import Clock
from loa.station.role import Builtin
from loa.web.desk import Desk

from .conftest import App, Page

PASSWORD = "một câu đủ dài nữa"


@dataclass
class Browser:
    """`async with Browser(app, clock) as browser:`; it calls the server `localhost`, as a person would."""

    app: App
    clock: Clock
    csrf: str = ""
    secret: str = ""
    """Of its owner's app of one-time codes."""
    recovery: list[str] = field(default_factory=list)

    async def __aenter__(self) -> "Browser":
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.app.port}"

    async def send(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        sent = {"X-CSRF-Token": self.csrf} | (headers or {})
        url = f"{self.origin}/api/v1{path}"
        async with self.http.request(method, url, json=body, headers=sent) as answer:
            told = await answer.json() if answer.content_type == "application/json" else await answer.text()
            return answer.status, told

    async def call(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        found, told = await self.send(method, path, body)
        assert found == status, f"{method} {path}: {found} {told}"
        return told

    async def log_in(self, name: str, password: str = PASSWORD, *, status: int = 200) -> Any:
        told = await self.call("POST", "/session", {"name": name, "password": password}, status=status)
        self.csrf = told.get("csrf", "")
        return told

    async def second(self, challenge: str, *, status: int = 200, **shown: Any) -> Any:
        told = await self.call("POST", "/session/second", {"challenge": challenge} | shown, status=status)
        self.csrf = told.get("csrf", "") or self.csrf
        return told

    async def choose_password(self, one_time: str, chosen: str = PASSWORD) -> Any:
        told = await self.call("POST", "/session/password", {"old": one_time, "new": chosen})
        self.csrf = told["csrf"]
        return told

    async def set_up_totp(self) -> str:
        """An app of one-time codes; returns the factor's id."""
        made = await self.call("POST", "/factors/totp", {"name": "Điện thoại"}, status=201)
        self.secret = made["secret"]
        told = await self.call("POST", f"/factors/{made['id']}/confirm", {"code": self.code()})
        self.recovery = told["recovery_codes"] or self.recovery
        factor: str = made["id"]
        return factor

    def code(self, steps: int = 0) -> str:
        """What the app shows now, or some steps from now."""
        return pyotp.TOTP(self.secret).at(self.clock.now_us() // 1_000_000 + 30 * steps)


def role_of(desk: Desk, builtin: Builtin) -> str:
    return next(role.id for role in desk.authority.roles.values() if role.builtin is builtin)


async def add(page: Page, name: str, *roles: tuple[str, str]) -> tuple[str, str]:
    """An account with these (role, place): its id and one-time password."""
    body = {"name": name, "full_name": "", "roles": [{"role": role, "place": place} for role, place in roles]}
    made = await page.post("/api/v1/accounts", body)
    return made["account"]["id"], made["password"]
