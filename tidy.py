"""Garbage collection at a time of our choosing (5,000 links: one full collection takes 150 ms)."""

import asyncio
import gc

from .streamer.air import Air

TIDY_S = 60.0
TIDY_AT_LEAST_S = 3600.0


async def tidy(air: Air) -> None:
    """Full garbage collections when nothing sounds: with 5,000 links one stops the process for 150 ms.

    Young objects are collected as ever; what has grown old waits for silence, or for an hour.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000_000)
    waited_s = 0.0
    while True:
        await asyncio.sleep(TIDY_S)
        waited_s += TIDY_S
        if not air.on_air() or waited_s >= TIDY_AT_LEAST_S:
            gc.collect()
            waited_s = 0.0
