"""Notices as an announcer reads them: whole lines a commune station would type, and any text at all."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.vi_numbers import SOUTHERN
from loa.codecs.vi_reading import MAX_TEXT_CHARS, read_out
from loa.errors import MediaError

READ = {
    "Từ 5h30 ngày 15/7, UBND xã mời bà con đến nhà văn hóa.": (
        "Từ năm giờ ba mươi phút ngày mười lăm tháng bảy, Ủy ban nhân dân xã mời bà con đến nhà văn hóa."
    ),
    "Gọi số 0277.3555012 hoặc 113, TTCS xã": (
        "Gọi số không hai bảy bảy, ba năm năm năm, không một hai hoặc một một ba, thông tin cơ sở xã."
    ),
    "113 hộ dân": "một trăm mười ba hộ dân.",
    "liên hệ: 0912 345 678 - 1900 1234": (
        "liên hệ: không chín một hai, ba bốn năm, sáu bảy tám, một chín không không, một hai ba bốn."
    ),
    "+84 912 345 678": "tám bốn, chín một hai, ba bốn năm, sáu bảy tám.",
    "lúc 17:00 - 18:30 các ngày 15-17/7/2025": (
        "lúc mười bảy giờ đến mười tám giờ ba mươi phút các ngày mười lăm đến mười bảy tháng bảy "
        "năm hai nghìn không trăm hai mươi lăm."
    ),
    "5h05; 5g30; 24h": "năm giờ năm phút; năm giờ ba mươi phút; hai mươi tư giờ.",
    "5 giờ 30 phút ngày 4/4": "năm giờ ba mươi phút ngày bốn tháng tư.",
    "hôm 2/9/1945": "hôm hai tháng chín năm một nghìn chín trăm bốn mươi lăm.",
    "tháng 7/2025": "tháng bảy năm hai nghìn không trăm hai mươi lăm.",
    "1/2 diện tích; đến 1/8; 30/4-1/5": (
        "một phần hai diện tích; đến ngày một tháng tám; ngày ba mươi tháng tư đến ngày một tháng năm."
    ),
    "Mưa 100-150mm, gió cấp 8-9": ("Mưa một trăm đến một trăm năm mươi mi li mét, gió cấp tám đến chín."),
    "Nhiệt độ 25-32°C, đêm -2°C": ("Nhiệt độ hai mươi lăm đến ba mươi hai độ xê, đêm âm hai độ xê."),
    "Thu 1.250.000đ/hộ, tăng 3,5%, diện tích 2.005 ha": (
        "Thu một triệu hai trăm năm mươi nghìn đồng một hộ, tăng ba phẩy năm phần trăm, "
        "diện tích hai nghìn không trăm linh năm héc ta."
    ),
    "lưu lượng 12.500 m3/s, mực nước 3,75m": (
        "lưu lượng mười hai nghìn năm trăm mét khối trên giây, mực nước ba phẩy bảy mươi lăm mét."
    ),
    "Nghị định 49/2024/NĐ-CP": (
        "Nghị định bốn mươi chín, năm hai nghìn không trăm hai mươi tư, nghị định Chính phủ."
    ),
    "Quý III/2025, khóa XV, lần thứ IV": (
        "Quý ba năm hai nghìn không trăm hai mươi lăm, khóa mười lăm, lần thứ tư."
    ),
    "THÔNG BÁO KHẨN: BCH PCTT&TKCN tỉnh": (
        "thông báo khẩn: Ban Chỉ huy phòng chống thiên tai và tìm kiếm cứu nạn tỉnh."
    ),
    "Đ/c Nguyễn Văn A, P. 3, TP. Cao Lãnh, T. Đồng Tháp": (
        "Đồng chí Nguyễn Văn A, phường ba, thành phố Cao Lãnh, tỉnh Đồng Tháp."
    ),
    "QL1A, COVID-19, FM 97,5": "quy e lờ một a, cô vít mười chín, ép em chín mươi bảy phẩy năm.",
    "xem https://dongthap.gov.vn hay ubnd@cao-lanh.vn": (
        "xem dongthap chấm gov chấm vn hay ubnd a còng cao gạch ngang lanh chấm vn."
    ),
    "STK 123456789012345": "ét tê ca một hai ba bốn năm sáu bảy tám chín không một hai ba bốn năm.",
    "- Điểm 1: Trạm y tế\n- Điểm 2: Trường THCS": "Điểm một: Trạm y tế. Điểm hai: Trường trung học cơ sở.",
    "<b>Kính gửi</b> &amp; bà con\x07\u200b (thôn 4)": "Kính gửi và bà con, thôn bốn.",
    "bà con!!!\n\n\nXin cảm ơn...": "bà con! Xin cảm ơn.",
    "13/13 và 40/7 và 25:70": "mười ba phần mười ba và bốn mươi phần bảy và hai mươi lăm: bảy mươi.",
    "Hà Nội – Huế": "Hà Nội, Huế.",
}


@pytest.mark.parametrize(("written", "said"), READ.items())
def test_a_notice_is_read_as_an_announcer_would(written: str, said: str) -> None:
    assert read_out(written) == said


@pytest.mark.parametrize("said", READ.values())
def test_what_is_words_already_stays(said: str) -> None:
    assert read_out(said) == said


def test_letters_of_two_parts_are_one() -> None:
    assert read_out("Xa\u0303 Ta\u0302n Hu\u031bng 5h") == "Xã Tân Hưng năm giờ."


def test_dialect_and_own_abbreviations() -> None:
    assert read_out("1.005 hộ", dialect=SOUTHERN) == "một ngàn không trăm lẻ năm hộ."
    assert read_out("CLB BMT", words={"BMT": "Bình Minh Tự"}) == "câu lạc bộ Bình Minh Tự."
    assert read_out("UBND", words={"UBND": "ủy ban"}) == "ủy ban."


@given(st.text(max_size=200) | st.text("0123456789/.-:h,% &°APBXIVĐđ \n()", max_size=80))
@settings(max_examples=400)
def test_any_text_gives_words_without_digits_or_a_reason(written: str) -> None:
    try:
        said = read_out(written)
    except MediaError:
        assert not any(letter.isdigit() for letter in written)
        return
    assert not any(letter.isdigit() for letter in said)
    assert "\n" not in said
    assert "  " not in said


@pytest.mark.parametrize("text", ["", " \n", "...", "\x00\x1b", "x" * (MAX_TEXT_CHARS + 1), "<p></p>"])
def test_nothing_to_say_and_too_much_are_refused(text: str) -> None:
    with pytest.raises(MediaError, match="expected"):
        read_out(text)


def test_a_megabyte_of_entities_and_digits_takes_no_time() -> None:
    """20,000 characters of what each rule looks longest at; quadratic rules would take minutes."""
    for piece in ("1.", "0 ", "&amp;", "<a ", "9-", "A-", "a.", "1/", "(", "h1:"):
        text = (piece * MAX_TEXT_CHARS)[:MAX_TEXT_CHARS]
        with contextlib.suppress(MediaError):
            assert not any(letter.isdigit() for letter in read_out(text))
