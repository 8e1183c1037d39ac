"""The process that prepares one upload: codec work, apart from everything that must not stall or crash.

`python -P -m loa.station.worker SOURCE FOLDER MAX_SECONDS` writes lines of JSON to its standard output:
`{"progress": 0..1}` now and then, and last `{"ready": {...}}` or `{"error": "..."}`. Laws: nothing else gets
onto that output; it ends when its parent does (its standard input closes); it is the first to give way, to
the scheduler and to the memory killer.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..codecs.prepare import Prepared, prepare
from ..errors import MediaError, OperatorError
from .measured import Measured, build_measured

NICENESS = 10
"""What is on air shares these cores."""


def main(arguments: list[str]) -> int:
    source, folder, max_seconds = Path(arguments[0]), Path(arguments[1]), float(arguments[2])
    return carry_out(lambda tell: prepare(source, folder, max_seconds=max_seconds, progress=tell))


def carry_out(work: Callable[[Callable[[float], None]], Prepared]) -> int:
    """Do `work`, telling its progress and how it ended; the process's exit status."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes where errors go
    _give_way()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        done = work(_teller(out))
    except (MediaError, OperatorError) as problem:
        _tell(out, {"error": str(problem)})
        return 1
    except OSError as problem:
        _tell(out, {"error": f"preparing it failed: {problem}; expected a disk with room"})
        return 1
    measured = Measured(
        done.frames,
        done.mp3_frames,
        done.duration_s,
        done.loudness_lufs,
        done.true_peak_dbtp,
        tuple(done.peaks),
    )
    _tell(out, {"ready": build_measured(measured)})
    return 0


def _teller(out: TextIO) -> Callable[[float], None]:
    """Passes progress on in whole percents."""
    told = -1

    def tell(progress: float) -> None:
        nonlocal told
        percent = int(progress * 100)
        if percent != told:
            told = percent
            _tell(out, {"progress": percent / 100})

    return tell


def _tell(out: TextIO, message: dict[str, object]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def _give_way() -> None:
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # Linux only
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
