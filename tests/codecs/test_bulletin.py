"""Typed bulletins: what cannot be read out is told with its line, and the script breathes where it should."""

import pytest

from loa.codecs.bulletin import (
    MAX_PARTS,
    MAX_PHRASE_CHARS,
    MAX_TEXT_CHARS,
    Bulletin,
    Part,
    Pauses,
    said,
    script,
)
from loa.codecs.speech import Espeak
from loa.codecs.voices import Voices
from loa.errors import MediaError, NotFoundError


@pytest.fixture(scope="module")
def voices() -> Voices:
    return Voices([Espeak()])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Mưa\x00to", r"part 1, line 1: control character U\+0000"),
        ("một\nhai\x07", r"line 2: control character U\+0007"),
        ("một\x1b[31m", r"U\+001B"),
        ("\x7f", r"U\+007F"),
        ("một\r\nhai\u2028ba \x08", r"line 3: control character U\+0008"),
        ("<speak>Mưa</speak>", "line 1: '<speak>' is markup"),
        ("Mưa <b>to</b>", "'<b>' is markup"),
        ('Mưa\n<img src="x" onerror=y>', "line 2: '<img"),
        ("<!-- Mưa -->", "markup"),
        ("<?xml version='1.0'?>", "markup"),
        ("<break time='5h'/> Mưa", "markup"),
    ],
)
def test_what_nobody_can_read_out_is_refused(text: str, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        Bulletin((Part("vi", text),))


@pytest.mark.parametrize(
    "text", ["Dưới 5 < 10 mà > 3.", "a\tb\x0bc\x85d", "Zalo\u200b: 1 \ufeff", "R&D & Co", "x <- y"]
)
def test_what_people_paste_is_taken(text: str) -> None:
    Bulletin((Part("vi", text),))


def test_too_much_is_refused() -> None:
    half = Part("vi", "a " * (MAX_TEXT_CHARS // 4 + 1))
    Bulletin((half,))
    with pytest.raises(MediaError, match="characters in all"):
        Bulletin((half, half))
    with pytest.raises(MediaError, match="characters in all"):
        Bulletin((Part("vi", "x" * 1_000_000),))
    for parts in ((), (Part("vi", "a"),) * (MAX_PARTS + 1)):
        with pytest.raises(MediaError, match="parts; expected 1 to"):
            Bulletin(parts)


@pytest.mark.parametrize("speed", [0.0, 0.49, 2.01, float("nan"), float("inf")])
def test_a_speed_that_nobody_follows_is_refused(speed: float) -> None:
    with pytest.raises(MediaError, match="speed"):
        Bulletin((Part("vi", "a"),), speed=speed)


@pytest.mark.parametrize("pause", [-0.1, 5.1, float("nan")])
def test_a_pause_that_is_none_is_refused(pause: float) -> None:
    with pytest.raises(MediaError, match="pause"):
        Pauses(comma_s=pause)


def test_a_script_breathes_at_clauses_sentences_paragraphs_and_parts(voices: Voices) -> None:
    bulletin = Bulletin(
        (
            Part("vi", "UBND xã thông báo: 5h30 họp, tại nhà văn hóa. Mời bà con!\n \r\n\n3,5 tạ."),
            Part("en", "Please come. It is at 5:30, all of you."),
        ),
        pauses=Pauses(0.1, 0.2, 0.3),
    )
    assert [(one.part, one.text, one.voice.id, one.pause_s) for one in script(bulletin, voices)] == [
        (0, "Ủy ban nhân dân xã thông báo:", "vi", 0.1),
        (0, "năm giờ ba mươi phút họp,", "vi", 0.1),
        (0, "tại nhà văn hóa.", "vi", 0.2),
        (0, "Mời bà con!", "vi", 0.3),
        (0, "ba phẩy năm tạ.", "vi", 0.3),
        (1, "Please come.", "en", 0.2),
        (1, "It is at 5:30,", "en", 0.1),
        (1, "all of you.", "en", 0.3),
    ]


def test_a_voice_says_numbers_as_its_region_does(voices: Voices) -> None:
    words = {
        name: " ".join(said(Part("vi", "1.004 hộ"), voices.find("vi", name)[0]))
        for name in ("vi", "vi-vn-x-south", "vi-vn-x-central")
    }
    assert "nghìn" in words["vi"]
    assert "linh" in words["vi"]
    for region in ("vi-vn-x-south", "vi-vn-x-central"):
        assert "ngàn" in words[region]
        assert "lẻ" in words[region]


@pytest.mark.parametrize(("language", "text"), [("vi", "--- \n\n ***"), ("en", "  \n "), ("en", "...")])
def test_a_text_without_a_word_is_refused(voices: Voices, language: str, text: str) -> None:
    with pytest.raises(MediaError, match="no word"):
        script(Bulletin((Part(language, text),)), voices)


@pytest.mark.parametrize(
    ("after", "said_on"),
    [
        ("mưa to\nđến hết ngày", "mưa to đến hết ngày."),
        ("mưa to \n  15 hộ", "mưa to mười lăm hộ."),
        ("mưa to.\nđến mai", "mưa to. đến mai."),
        ("mưa to\nBà con", "mưa to. Bà con."),
        ("mưa to\n2. gió", "mưa to. hai. gió."),
    ],
)
def test_a_line_that_was_wrapped_goes_on(voices: Voices, after: str, said_on: str) -> None:
    before = "Trung tâm khí tượng thủy văn báo chiều tối nay có "
    assert said(Part("vi", before + after), voices.find("vi", None)[0]) == (before + said_on,)
    short = said(Part("vi", "Gạo\nmuối"), voices.find("vi", None)[0])
    assert short == ("Gạo. muối.",), "a list has short lines"


@pytest.mark.parametrize("text", ["1" * 4_000, "A" * 4_000, "x" * 4_000])
def test_a_clause_without_an_end_is_cut(voices: Voices, text: str) -> None:
    phrases = script(Bulletin((Part("vi", text),)), voices)
    assert len(phrases) > 1
    assert max(len(one.text) for one in phrases) <= MAX_PHRASE_CHARS


def test_a_line_of_dashes_between_paragraphs_is_passed_over(voices: Voices) -> None:
    found = script(Bulletin((Part("vi", "Một.\n\n-----\n\nHai."),)), voices)
    assert [one.text for one in found] == ["Một.", "Hai."]


def test_an_unknown_language_or_voice_is_told(voices: Voices) -> None:
    for part in (Part("xx", "a"), Part("vi", "a", "gone")):
        with pytest.raises(NotFoundError):
            script(Bulletin((part,)), voices)
