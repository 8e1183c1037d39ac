"""Is somebody speaking in this frame? WebRTC's detector, at the house's rate and frame length.

Law: a decision about one frame of 20 ms, from it and the ones before it; whoever asks smooths it over time.
It was made for telephony and takes music for speech now and then.
"""

import webrtcvad

from .frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, require_frame


class VoiceActivity:
    """One detector per source."""

    def __init__(self, aggressiveness: int = 2) -> None:
        """0 lets everything doubtful pass as speech, 3 hardly anything; 2 refuses steady noise."""
        self._detector = webrtcvad.Vad(aggressiveness)

    def is_speech(self, frame: Pcm) -> bool:
        """`frame`: 960 samples."""
        require_frame(frame, FRAME_SAMPLES)
        return bool(self._detector.is_speech(frame.tobytes(), SAMPLE_RATE))
