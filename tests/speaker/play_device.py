"""Run by test_device.py in a process of its own, whose HOME names a null sound device: plays a ramp."""

import json
import sys
import time

import numpy as np

from loa.codecs.frame import FRAME_SAMPLES, FRAME_US
from loa.speaker.device import DeviceOutput


def now_us() -> int:
    return time.monotonic_ns() // 1000


def main(seconds: float) -> None:
    output = DeviceOutput(None, now_us)
    begins_us = now_us() + 100_000
    spent_s, frames = time.process_time(), int(seconds * 1_000_000) // FRAME_US
    for number in range(frames):
        at_us = begins_us + number * FRAME_US
        at = np.arange(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES)
        output.play((at % 30_000 + 1).astype(np.int16), at_us)
    time.sleep(seconds + 0.5)
    told = {
        "error_us": output.error_us,
        "jumps": output.jumps,
        "broken": output.broken,
        "lead_us": output.lead_us,
        "cores": (time.process_time() - spent_s) / seconds,
    }
    output.close()
    sys.stdout.write(json.dumps(told) + "\n")


main(float(sys.argv[1]))
