"""Voice activity: a voice is found, a room is not taken for one."""

import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES, Pcm, blocks, silence
from loa.codecs.vad import VoiceActivity
from loa.errors import InternalError


def _share(pcm: Pcm, aggressiveness: int = 2) -> float:
    detector = VoiceActivity(aggressiveness)
    return float(np.mean([detector.is_speech(frame) for frame in blocks(pcm, FRAME_SAMPLES)]))


def test_a_voice_is_speech(voice: Pcm) -> None:
    assert _share(voice) > 0.6


@pytest.mark.peer
def test_a_recorded_voice_is_speech(recorded: Pcm) -> None:
    assert _share(recorded) > 0.5


def test_silence_and_noise_are_none() -> None:
    noise = np.random.default_rng(0).standard_normal(200 * FRAME_SAMPLES) * 500
    assert _share(silence(50 * FRAME_SAMPLES)) == 0
    assert _share(noise.astype(np.int16)) < 0.05


def test_the_more_aggressive_the_less_passes(voice: Pcm) -> None:
    noise = np.random.default_rng(0).standard_normal(len(voice)) * 1_500
    noisy = np.clip(voice + noise, -32_768, 32_767).astype(np.int16)
    shares = [_share(noisy, aggressiveness) for aggressiveness in range(4)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[3]


def test_a_frame_of_another_length_is_our_own_bug() -> None:
    with pytest.raises(InternalError, match="expected int16"):
        VoiceActivity().is_speech(silence(1000))
