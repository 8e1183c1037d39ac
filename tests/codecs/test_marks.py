"""The spoken mark of a drill: it is a voice, at the house's level, and of one length in both codecs."""

from collections.abc import Callable, Sequence

from loa.codecs.frame import FRAME_US, MP3_FRAME_US, Pcm
from loa.codecs.levels import CEILING_DBTP, TARGET_LUFS
from loa.codecs.loudness import integrated_loudness, true_peak
from loa.codecs.marks import drill_mark
from loa.codecs.tones import Chime, encoded

Decoded = Callable[[Sequence[bytes]], Pcm]


def test_the_mark_of_a_drill_is_words_at_the_houses_level(opus_decoded: Decoded) -> None:
    mark = drill_mark()
    assert 1.5e6 < mark.frames * FRAME_US < 4e6
    assert mark.frames * FRAME_US == mark.mp3_frames * MP3_FRAME_US
    heard = opus_decoded(mark.opus_packets)
    assert abs(integrated_loudness(heard) - TARGET_LUFS) < 2
    assert true_peak(heard) < CEILING_DBTP + 1
    assert drill_mark() is mark, "encoded once"
    assert all(encoded(chime).opus_packets != mark.opus_packets for chime in Chime)
