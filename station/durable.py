"""Files that are still there after the power has failed.

Law: a function here returns when the bytes, or the name, are on the disk.
"""

import fcntl
import os
import sys
from pathlib import Path


def sync_file(file: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # fsync there stops at the drive's cache
    else:
        os.fsync(file)


def sync_folder(folder: Path) -> None:
    """What was created, renamed or deleted in it."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_file(file)
    finally:
        os.close(file)


def write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def replace_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """The file holds `data` or what it held before, never something between."""
    new = path.with_name(path.name + ".new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.fchmod(file, mode)
        write_all(file, data)
        sync_file(file)
    finally:
        os.close(file)
    new.rename(path)
    sync_folder(path.parent)
