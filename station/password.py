"""Passwords: hashed with Argon2id in threads, few at a time; one-time passwords for people to type.

Laws: a password in clear is held no longer than the call that brought it; checking one takes as long for an
account that does not exist as for one that does. State: the threads and the count of who waits, both bounded.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from ..errors import BusyError, InternalError, OperatorError

MIN_CHARS = 10
MAX_CHARS = 256
"""Nobody types more, and nobody shall make us hash a megabyte."""
MAX_AT_ONCE = 2
"""Each takes 64 MiB and some 50 ms of a core for itself (RFC 9106, second recommended option)."""
MAX_WAITING = 24
"""More would wait over a second; whoever sends that many is guessing."""
MAX_WAITING_KNOWN = 32
"""For browsers that are known there is room left however many strangers wait."""
RETRY_S = 3
_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_ONE_TIME_LETTERS = 16
"""Of 30 letters: 78 bits."""

Result = TypeVar("Result")


def one_time_password() -> str:
    """Four groups of four, without letters that are mistaken for others: `k7mw-3xqd-9hpn-t2cv`."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_ONE_TIME_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, _ONE_TIME_LETTERS, 4))


def check_new_password(password: str) -> None:
    """Length only, as NIST SP 800-63B says: rules about signs and digits make passwords worse."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise OperatorError(f"new password: {len(password)} characters; expected {MIN_CHARS} to {MAX_CHARS}")


class Passwords:
    """Hashes and checks. `refused` counts those turned away because too many waited."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)
        self._threads = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody: str | None = None
        self.refused = 0

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, stored: str | None, password: str, *, known: bool = False) -> bool:
        """Whether `password` is the one behind `stored`; None stands for an account that does not exist.

        `known`: asked from a browser that has logged in to this account before.
        """
        if len(password) > MAX_CHARS:
            return False
        most = MAX_WAITING_KNOWN if known else MAX_WAITING
        return await self._run(lambda: self._check(stored, password), most)

    def outdated(self, stored: str) -> bool:
        """Hashed with other parameters than we use today."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        self._threads.shutdown()

    def _check(self, stored: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(stored or self._dummy(), password)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError) as problem:
            raise InternalError(f"stored password: {problem}; expected an Argon2 hash") from problem

    def _dummy(self) -> str:
        if self._nobody is None:
            self._nobody = self._hasher.hash(secrets.token_hex(16))
        return self._nobody

    async def _run(self, work: Callable[[], Result], most: int = MAX_WAITING_KNOWN) -> Result:
        if self._waiting >= most:
            self.refused += 1
            raise BusyError(
                "too many people are logging in at once; expected another try in a few seconds", RETRY_S
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
