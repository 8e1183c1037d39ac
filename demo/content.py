"""What the demo airs: speech and music, both made here when it first starts."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable

import soundfile

from ..clock import Clock
from ..codecs.frame import SAMPLE_RATE, Pcm
from ..codecs.music import music_bed
from ..codecs.speech import speak
from ..memory import Memory
from ..station.programs import Program, ProgramState

MUSIC_S = 90.0

MORNING = "Bản tin sáng"
VACCINATION = "Thông báo tiêm chủng"
MUSIC = "Nhạc nền buổi sáng"
FLOOD = "Cảnh báo lũ: di dời khẩn cấp"

TEXTS = {
    MORNING: (
        "Đài truyền thanh cơ sở xin kính chào quý vị và các bạn. Sau đây là bản tin sáng. "
        "Hôm nay trời nhiều mây, chiều có mưa rào vài nơi. Mực nước sông Tiền đang lên chậm. "
        "Bà con nhớ kiểm tra bờ bao, thu hoạch lúa đã chín, và giữ trẻ nhỏ tránh xa kênh rạch. "
        "Cảm ơn quý vị đã lắng nghe."
    ),
    VACCINATION: (
        "Trạm y tế xin thông báo. Sáng thứ bảy tuần này, từ bảy giờ đến mười một giờ, "
        "trạm tổ chức tiêm chủng cho trẻ em dưới năm tuổi. "
        "Mời các gia đình đưa trẻ đến đúng giờ, và nhớ mang theo sổ tiêm chủng."
    ),
    FLOOD: (
        "Cảnh báo khẩn cấp. Mực nước sông Tiền đã vượt báo động ba. "
        "Đề nghị bà con ở vùng trũng và ven sông lập tức di dời đến nơi cao, "
        "theo hướng dẫn của chính quyền địa phương. Đây là nội dung diễn tập của bản dùng thử."
    ),
}


async def fill(memory: Memory, clock: Clock, told: Callable[[str], None]) -> dict[str, Program]:
    """Make and store whatever is not there yet; returns the programs by title."""
    made: dict[str, Callable[[], Pcm]] = {title: _reader(text) for title, text in TEXTS.items()}
    made[MUSIC] = lambda: music_bed(MUSIC_S)
    there = {p.title: p for p in await memory.station.programs.list(ProgramState.READY)}
    for title, make in made.items():
        if title not in there:
            told(title)
            wav = await asyncio.to_thread(_wav, make)
            program = await memory.content.receive(
                _chunks(wav), place=memory.keyring.root_place, title=title, now_us=clock.now_us()
            )
            there[title] = await memory.content.settled(program.id)
    return there


def _reader(text: str) -> Callable[[], Pcm]:
    return lambda: speak(text)


def _wav(make: Callable[[], Pcm]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, make(), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 16):
        yield data[start : start + (1 << 16)]
