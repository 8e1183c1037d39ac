"""The journal: what was acknowledged is there after any crash."""

import asyncio
import errno
import os
import random
import resource
import shutil
import signal
import sys
from pathlib import Path

import pytest

from loa.errors import ConflictError, OperatorError
from loa.station.journal import Journal
from loa.station.record import RECORD_OVERHEAD_BYTES, SEGMENT_HEADER_BYTES

APPEND_AND_TELL = """
import asyncio, sys
from pathlib import Path
from loa.station.journal import Journal

async def main():
    journal = await Journal.open(Path(sys.argv[1]), segment_bytes=1 << 20)
    number = journal.last
    while True:
        number += 1
        size = 40 + (number * 7919) % 300_000
        await journal.append(b"%d:" % number + bytes(size))
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()

asyncio.run(main())
"""


DIE_IN_THE_MIDDLE = """
import asyncio, os, resource, signal, sys
from pathlib import Path
from loa.station.journal import Journal

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    for number in range(1, 1000):
        await journal.append(b"%d:" % number + bytes(1000))
        os.write(1, f"{number}\\n".encode())

asyncio.run(main())
"""


def numbers(journal: Journal) -> list[int]:
    return [int(record.payload.split(b":")[0]) for record in journal.replay()]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def scrap_bytes(folder: Path) -> int:
    return sum(scrap.stat().st_size for scrap in folder.glob("*.torn"))


async def fill(folder: Path, payloads: list[bytes], segment_bytes: int = 1 << 20) -> None:
    journal = await Journal.open(folder, segment_bytes=segment_bytes)
    for payload in payloads:
        await journal.append(payload)
    await journal.close()


async def test_what_was_appended_is_replayed_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    await fill(tmp_path, [b"1:", b"2:"])
    journal = await Journal.open(tmp_path)
    assert (journal.last, journal.healed) == (2, None)
    assert await journal.append(b"3:") == 3
    assert numbers(journal) == [1, 2, 3]
    assert [record.sequence for record in await journal.read(after=1)] == [2, 3]
    await journal.close()


async def test_appends_at_once_are_kept_in_the_order_of_their_sequences(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path)
    sequences = await asyncio.gather(*(journal.append(b"%d:" % n) for n in range(50)))
    assert sequences == list(range(1, 51))
    assert numbers(journal) == list(range(50))
    await journal.close()


async def test_killed_again_and_again_in_the_middle_of_writing_it_has_all_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    seed = random.Random(20)
    acknowledged = 0
    for round_ in range(12):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-c", APPEND_AND_TELL, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        for _ in range(seed.randrange(1, 12)):
            acknowledged = int(await child.stdout.readline())
        await asyncio.sleep(seed.random() * 0.004)  # to be somewhere within the next record, wherever
        child.kill()
        rest = [line for line in (await child.stdout.read()).split(b"\n") if line]
        await child.wait()
        acknowledged = int(rest[-1]) if rest else acknowledged
        journal = await Journal.open(tmp_path)
        assert journal.last in {acknowledged, acknowledged + 1}, f"round {round_}"
        assert numbers(journal) == list(range(1, journal.last + 1))
        acknowledged = journal.last
        await journal.close()


@pytest.mark.parametrize("limit", [5_000, 8_191, 12_345])
async def test_dead_with_half_a_record_written_it_has_all_that_was_acknowledged(
    tmp_path: Path, limit: int
) -> None:
    # The kernel writes as far as the limit on the size of files allows, and kills at the next byte.
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", DIE_IN_THE_MIDDLE, str(tmp_path), str(limit)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await child.communicate()
    assert child.returncode == -signal.SIGXFSZ
    acknowledged = len(told.split())
    journal = await Journal.open(tmp_path)
    assert numbers(journal) == list(range(1, acknowledged + 1))
    assert acknowledged > 3
    assert journal.healed is not None
    assert scrap_bytes(tmp_path) > 100
    await journal.close()


@pytest.mark.parametrize("segment_bytes", [150, 1 << 20], ids=["after another segment", "in the only one"])
async def test_torn_at_every_byte_it_heals_keeps_the_scrap_and_goes_on(
    tmp_path: Path, segment_bytes: int
) -> None:
    whole = tmp_path / "whole"
    payloads = [b"1:a", b"2:bb", b"3:ccc"]
    await fill(whole, payloads, segment_bytes)
    last = segments(whole)[-1]
    before = int(last.stem) - 1
    ends = [SEGMENT_HEADER_BYTES]
    for payload in payloads[before:]:
        ends.append(ends[-1] + len(payload) + RECORD_OVERHEAD_BYTES)
    assert before == (2 if segment_bytes == 150 else 0)
    for cut in range(ends[-1]):
        folder = tmp_path / f"cut{cut}"
        shutil.copytree(whole, folder)
        os.truncate(folder / last.name, cut)
        good = max((end for end in ends if end <= cut), default=0)
        kept = before + max(0, sum(end <= cut for end in ends) - 1)
        journal = await Journal.open(folder, segment_bytes=segment_bytes)
        assert (journal.last, numbers(journal)) == (kept, list(range(1, kept + 1)))
        assert (scrap_bytes(folder), journal.healed is None) == (cut - good, cut == good > 0)
        await journal.append(b"%d:again" % (kept + 1))
        await journal.close()
        again = await Journal.open(folder, segment_bytes=segment_bytes)
        assert (numbers(again), again.healed) == (list(range(1, kept + 2)), None)
        await again.close()
        shutil.rmtree(folder)


async def test_damage_in_the_middle_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    await fill(tmp_path, [b"1:aaaa", b"2:bbbb", b"3:cccc"])
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.index(b"2:bbbb")] ^= 1
    path.write_bytes(data)
    with pytest.raises(OperatorError, match=r"damaged after record 1.*keep it"):
        await Journal.open(tmp_path)
    assert path.read_bytes() == bytes(data)


async def test_a_missing_or_torn_segment_that_is_not_the_last_is_an_error(tmp_path: Path) -> None:
    await fill(tmp_path / "a", [b"%d:" % n for n in range(12)], segment_bytes=200)
    paths = segments(tmp_path / "a")
    assert len(paths) >= 4
    for name, damage in (("b", Path.unlink), ("c", lambda path: os.truncate(path, path.stat().st_size - 1))):
        shutil.copytree(tmp_path / "a", tmp_path / name)
        damage(tmp_path / name / paths[1].name)
        with pytest.raises(OperatorError, match=r"does not continue|torn, though"):
            await Journal.open(tmp_path / name)


async def test_garbage_after_a_segment_that_is_not_the_last_is_an_error_and_stays(tmp_path: Path) -> None:
    await fill(tmp_path, [b"%d:" % n for n in range(12)], segment_bytes=200)
    path = segments(tmp_path)[1]
    data = path.read_bytes() + b"garbage"
    path.write_bytes(data)
    with pytest.raises(OperatorError, match="torn, though"):
        await Journal.open(tmp_path)
    assert path.read_bytes() == data


async def test_nothing_is_acknowledged_before_it_is_synced_and_nothing_taken_after_a_failed_sync(
    tmp_path: Path,
) -> None:
    sizes: list[int] = []
    fails = False

    def sync(file: int) -> None:
        if fails:
            raise OSError(errno.EIO, "Input/output error")
        sizes.append(os.fstat(file).st_size)

    journal = await Journal.open(tmp_path, sync=sync)
    for number in (1, 2):
        await journal.append(b"%d:" % number)
        assert sizes[-1] == segments(tmp_path)[0].stat().st_size, "synced with all of the record in it"
        assert len(sizes) == 1 + number
    fails = True
    with pytest.raises(OperatorError, match="a disk that works"):
        await journal.append(b"3:")
    fails = False
    with pytest.raises(OperatorError, match="repaired disk"):
        await journal.append(b"4:")
    assert (journal.last, numbers(journal)) == (2, [1, 2])
    await journal.close()
    reopened = await Journal.open(tmp_path)
    assert numbers(reopened)[:2] == [1, 2]
    await reopened.close()


async def test_old_segments_are_retired_when_their_records_are_elsewhere(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, segment_bytes=200)
    for n in range(1, 21):
        await journal.append(b"%d:" % n)
    before = len(segments(tmp_path))
    assert await journal.retire(0, keep=1) == 0
    assert await journal.retire(20, keep=before - 2) == 2
    assert await journal.retire(20, keep=1) == before - 3
    tail = numbers(journal)
    await journal.close()
    reopened = await Journal.open(tmp_path, segment_bytes=200)
    assert (reopened.last, numbers(reopened)) == (20, tail)
    assert await reopened.append(b"21:") == 21
    await reopened.close()


async def test_retiring_keeps_every_record_beyond_the_mark(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, segment_bytes=200)
    for n in range(1, 21):
        await journal.append(b"%d:" % n)
    for mark in range(20):
        await journal.retire(mark, keep=1)
        assert [record.sequence for record in journal.replay(after=mark)] == list(range(mark + 1, 21))
    await journal.close()


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path)
    with pytest.raises(ConflictError, match="another process"):
        await Journal.open(tmp_path)
    await journal.close()
    again = await Journal.open(tmp_path)
    await again.close()


async def test_a_full_disk_refuses_the_record_and_the_next_ones_follow_no_garbage(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path)
    await journal.append(b"1:")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(OperatorError, match="room on the disk"):
            await journal.append(b"2:" + bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert await journal.append(b"2:") == 2
    await journal.close()
    reopened = await Journal.open(tmp_path)
    assert (numbers(reopened), reopened.healed) == ([1, 2], None)
    await reopened.close()


async def test_a_record_has_its_bounds_and_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "j")
    for payload in (b"", bytes((1 << 20) + 1)):
        with pytest.raises(OperatorError, match="in a record"):
            await journal.append(payload)
    await journal.close()
    with pytest.raises(OperatorError, match="it is closed"):
        journal._append(b"late")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OperatorError, match="file/j"):
        await Journal.open(tmp_path / "file" / "j")
