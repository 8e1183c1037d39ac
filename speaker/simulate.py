"""Many speakers in one process, for demos and load tests: each with its own socket, link and identity.

Laws: they share only the work of checking the same bytes (a signature is checked once for all) and, where
they trust the same roots, the chains of grants; what each one decides is its own. They start spread over a
time, as a territory does after a power cut. One that ends by an error of its configuration is counted, the
others go on.
"""

import asyncio
import random
from collections.abc import Sequence

import structlog

from ..errors import LoaError
from ..trust.grants import ChainStore
from .agent import Commons, SpeakerAgent, SpeakerConfig
from .checks import Checks

CHECKS_CACHED = 4096
"""Some 50 programs of 60 ms packets over two seconds: the slowest speaker of the process still finds them."""

log = structlog.get_logger("simulation")


class Simulation:
    def __init__(self, configs: Sequence[SpeakerConfig], *, start_within_s: float = 5.0) -> None:
        self._configs, self._start_within_s = tuple(configs), start_within_s
        self._checks = Checks(CHECKS_CACHED)
        self._stores: dict[frozenset[str], ChainStore] = {}
        self.agents: list[SpeakerAgent] = []
        self.failed = 0

    async def run(self) -> None:
        """Until cancelled, or all have failed."""
        self.agents = [SpeakerAgent(config, self._commons(config)) for config in self._configs]
        async with asyncio.TaskGroup() as tasks:
            for number, agent in enumerate(self.agents):
                tasks.create_task(self._run_one(agent), name=f"speaker-{number}")

    def _commons(self, config: SpeakerConfig) -> Commons:
        """One store per set of roots; a speaker whose roots are not known yet has its own."""
        if config.enrolled is None:
            return Commons(self._checks)
        roots = config.enrolled[0].roots
        key = frozenset(root.key_id for root in roots)
        store = self._stores.setdefault(key, ChainStore({root.key_id: root for root in roots}))
        return Commons(self._checks, store)

    async def _run_one(self, agent: SpeakerAgent) -> None:
        await asyncio.sleep(random.uniform(0, self._start_within_s))  # noqa: S311 - spreads load
        try:
            await agent.run()
        except* LoaError as errors:
            self.failed += 1
            log.error("speaker failed", errors=[str(error) for error in errors.exceptions])
