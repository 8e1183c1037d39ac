"""Preparing a file for the air: what is stored sounds like the file, at the house's level, on the grid."""

import multiprocessing
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES, GRID_SAMPLES, MP3_FRAME_SAMPLES, Pcm, silence, to_float, to_pcm
from loa.codecs.levels import CEILING_DBTP, TARGET_LUFS
from loa.codecs.mp3 import split_frames
from loa.codecs.opus import PRE_SKIP, silence_packet
from loa.codecs.prepare import Prepared, prepare
from loa.codecs.stored import MP3_FILE, OPUS_FILE, StoredAudio
from loa.codecs.survey import survey
from loa.errors import MediaError

Decoded = Callable[[Sequence[bytes]], Pcm]
WriteWav = Callable[[str, Pcm], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "program"
    folder.mkdir()
    return folder


def _packets(folder: Path) -> tuple[list[bytes], list[bytes]]:
    with StoredAudio.open(folder) as stored:
        opus = [stored.opus(n) for n in range(stored.frames)]
        return opus, [stored.mp3(n) for n in range(stored.mp3_frames)]


@pytest.mark.parametrize("factor", [0.05, 1.0, 6.0])
def test_what_is_stored_sounds_like_the_file_at_the_target_level(
    factor: float, voice: Pcm, folder: Path, write_wav: WriteWav, opus_decoded: Decoded, mp3_decoded: Decoded
) -> None:
    spoken = to_pcm(to_float(voice) * np.float32(factor))
    done = prepare(write_wav("notice.wav", spoken), folder)
    opus, mp3 = _packets(folder)
    late = {"opus": (opus_decoded(opus), FRAME_SAMPLES + PRE_SKIP), "mp3": (mp3_decoded(mp3), FRAME_SAMPLES)}
    for heard, delay in late.values():
        aligned = heard[delay:][: len(spoken)]
        assert np.corrcoef(aligned[4_800:], spoken[4_800 : len(aligned)])[0, 1] > 0.85
        assert survey(heard).lufs == pytest.approx(TARGET_LUFS, abs=1)
    assert done.loudness_lufs == pytest.approx(TARGET_LUFS, abs=0.3)
    assert done.true_peak_dbtp <= CEILING_DBTP
    assert done.duration_s == pytest.approx(len(spoken) / 48_000)


@pytest.mark.parametrize("samples", [1, 960, GRID_SAMPLES - FRAME_SAMPLES - PRE_SKIP, GRID_SAMPLES, 100_001])
def test_both_files_end_together_on_the_grid_and_hold_all_of_it(
    samples: int, music: Pcm, folder: Path, write_wav: WriteWav
) -> None:
    done = prepare(write_wav("short.wav", music[50_000 : 50_000 + samples]), folder)
    opus, mp3 = _packets(folder)
    assert (len(opus), len(mp3)) == (done.frames, done.mp3_frames)
    assert len(opus) * FRAME_SAMPLES == len(mp3) * MP3_FRAME_SAMPLES
    room = len(opus) * FRAME_SAMPLES - FRAME_SAMPLES - samples
    assert PRE_SKIP <= room < PRE_SKIP + GRID_SAMPLES
    assert split_frames((folder / MP3_FILE).read_bytes()) == mp3
    assert opus[0] == silence_packet()


def test_the_ends_of_a_sound_cut_from_a_wave_are_faded(
    folder: Path, write_wav: WriteWav, mp3_decoded: Decoded
) -> None:
    wave = np.cos(2 * np.pi * 300 * np.arange(48_000) / 48_000)
    prepare(write_wav("cut.wav", to_pcm((0.2 * wave).astype(np.float32))), folder)
    heard = np.abs(mp3_decoded(_packets(folder)[1])[FRAME_SAMPLES:].astype(np.float64))
    loud = heard[10_000:30_000].max()
    assert heard[:48].max() < 0.15 * loud > heard[48_000 - 48 : 48_000].max()
    assert heard[480:960].max() > 0.9 * loud < heard[48_000 - 960 : 48_000 - 480].max()


def test_progress_goes_from_zero_to_one_and_never_back(voice: Pcm, folder: Path, write_wav: WriteWav) -> None:
    told: list[float] = []
    prepare(write_wav("notice.wav", voice), folder, progress=told.append)
    assert told == sorted(told)
    assert 0 <= told[0] < 0.2
    assert told[-1] == 1.0
    assert len(told) > 20


def test_the_picture_follows_the_sound(music: Pcm, folder: Path, write_wav: WriteWav) -> None:
    halves = np.concatenate((silence(96_000), music[48_000:144_000]))
    peaks = prepare(write_wav("halves.wav", halves), folder).peaks
    assert 150 <= len(peaks) <= 200
    assert set(peaks[:95]) == {0}
    assert min(peaks[105:195]) > 3
    assert max(peaks) <= 100


def test_it_runs_in_a_worker_process_and_its_result_travels(
    voice: Pcm, folder: Path, write_wav: WriteWav
) -> None:
    source = write_wav("notice.wav", voice[:96_000])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        done = pool.submit(prepare, source, folder, max_seconds=60).result()
    assert isinstance(done, Prepared)
    assert pickle.loads(pickle.dumps(done)) == done
    assert (folder / OPUS_FILE).stat().st_size == done.frames * 80


def test_a_stored_program_is_the_same_each_time(voice: Pcm, tmp_path: Path, write_wav: WriteWav) -> None:
    source = write_wav("notice.wav", voice[:96_000])
    stored = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        prepare(source, tmp_path / name)
        stored.append(_packets(tmp_path / name))
    assert stored[0] == stored[1]


@pytest.mark.parametrize("level", [0, 8])
def test_a_file_that_decodes_to_silence_is_refused_as_such(
    level: int, folder: Path, write_wav: WriteWav
) -> None:
    hiss = np.random.default_rng(1).integers(-level, level + 1, 96_000).astype(np.int16)
    with pytest.raises(MediaError, match=r"quiet\.wav: the sound is silent"):
        prepare(write_wav("quiet.wav", hiss), folder)
    assert list(folder.iterdir()) == []


def test_too_long_a_file_is_refused_and_leaves_nothing(music: Pcm, folder: Path, write_wav: WriteWav) -> None:
    with pytest.raises(MediaError, match=r"long\.wav lasts more than 2 s"):
        prepare(write_wav("long.wav", music), folder, max_seconds=2)
    assert list(folder.iterdir()) == []


class _CancelledError(Exception):
    """What a progress callback may raise to stop."""


def test_whoever_stops_it_halfway_finds_nothing_half_done(
    voice: Pcm, folder: Path, write_wav: WriteWav
) -> None:
    def stop(part: float) -> None:
        if part > 0.5:
            assert (folder / OPUS_FILE).exists()
            raise _CancelledError

    with pytest.raises(_CancelledError):
        prepare(write_wav("notice.wav", voice), folder, progress=stop)
    assert list(folder.iterdir()) == []


def test_a_file_that_changes_between_the_passes_is_refused(
    voice: Pcm, folder: Path, write_wav: WriteWav
) -> None:
    source = write_wav("notice.wav", voice)
    changed = False

    def change(part: float) -> None:
        nonlocal changed
        if part > 0.12 and not changed:
            changed = True
            write_wav("notice.wav", voice[: len(voice) // 2])

    with pytest.raises(MediaError, match="when read again"):
        prepare(source, folder, progress=change)
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_the_callers_error(
    voice: Pcm, tmp_path: Path, write_wav: WriteWav
) -> None:
    with pytest.raises(FileNotFoundError):
        prepare(write_wav("notice.wav", voice[:48_000]), tmp_path / "nowhere")
