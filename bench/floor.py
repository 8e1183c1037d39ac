"""The kernel's floor: the same system calls from a bare C loop, compiled when it is needed."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import OperatorError


def run_c(source: str, arguments: Sequence[str]) -> float:
    """Compile bench/`source`, run it; it prints one number."""
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(source, Path(folder))
        done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True)
    return float(done.stdout)


def compiled(source: str, folder: Path) -> Path:
    """The program made of bench/`source`, in `folder`."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise OperatorError("bench: no gcc to compile the floor with; expected Debian's gcc and libc6-dev")
    program = folder / Path(source).stem
    subprocess.run([gcc, "-O2", "-o", program, Path(__file__).parent / source], check=True)
    return program
