"""PortAudio with ALSA's null device, which takes samples as fast as it can, where there is no sound card."""

import asyncio
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES
from loa.errors import ConfigError

pytestmark = pytest.mark.peer

SECONDS = 2.5


async def run(home: Path) -> dict[str, float]:
    """`play_device.py` with this HOME."""
    script = Path(__file__).with_name("play_device.py")
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        str(SECONDS),
        env={**os.environ, "HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, problems = await child.communicate()
    assert child.returncode == 0, problems.decode()
    result: dict[str, float] = json.loads(told)
    return result


async def test_every_sample_leaves_once_in_order_and_in_real_time(tmp_path: Path) -> None:
    taken = tmp_path / "taken.raw"
    default = f'pcm.!default {{ type file slave.pcm null file "{taken}" format raw }}'
    (tmp_path / ".asoundrc").write_text(f"{default}\nctl.!default {{ type null }}\n", encoding="utf-8")
    told = await run(tmp_path)
    assert not told["broken"]
    samples = np.frombuffer(taken.read_bytes(), "<i2")
    sounding = samples[samples != 0]
    whole = int(SECONDS * 50) * FRAME_SAMPLES
    assert whole // 2 < len(sounding) <= whole + 1000
    steps = np.diff(sounding.astype(int)) % 30_000
    assert np.count_nonzero(steps != 1) <= whole // 1000 + 2 * told["jumps"]
    assert len(samples) < 20 * SECONDS * 48_000
    assert told["cores"] < 0.5


async def test_a_device_that_does_not_exist_is_said_with_those_that_do(tmp_path: Path) -> None:
    from loa.speaker.device import DeviceOutput

    with pytest.raises(ConfigError, match=r"no-such-device.*expected one of"):
        DeviceOutput("no-such-device", lambda: 0)
