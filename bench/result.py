"""What a bench has found, with the machine and the versions that it was found on."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("loa", "aiohttp", "av", "cryptography", "numpy")

Metrics = Mapping[str, float | int]


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    metrics: Metrics

    def json(self) -> str:
        """The shape is public: {"name", "machine", "versions", "metrics"}, the metrics flat."""
        versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
        metrics = {name: round(value, 3) for name, value in self.metrics.items()}
        found = {"name": self.name, "machine": machine(), "versions": versions, "metrics": metrics}
        return json.dumps(found, indent=1) + "\n"


def machine() -> dict[str, str | int | float]:
    """Processor, cores, memory, kernel, and how busy others kept it."""
    info = Path("/proc/cpuinfo").read_text("utf-8")
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "system": platform.system(),
        "load_1min": round(os.getloadavg()[0], 2),
    }
