"""An idle speaker uses at most 50 MB a month (DESIGN.md section 7): counted from the real messages."""

from pathlib import Path

import pytest

from loa.trust.keys import SigningKey
from loa.wire.control import Control, TimeAsk, TimeReply, build_control
from loa.wire.datagram import Attached, Confirm, build_attach
from loa.wire.nettime import STEADY_EVERY_US
from loa.wire.report import Report, State, Transport

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
MONTH_S = 30 * 86_400
UDP_BYTES = {"IPv4": 20 + 8, "IPv6": 40 + 8}
TCP_BYTES = {"IPv4": 20 + 32, "IPv6": 40 + 32}
"""With the time-stamp option."""
TLS_BYTES = 22
"""TLS 1.3: record header, content type, tag."""
CONFIRM_S = 20
KEEP_ALIVE_S = 20
IDLE_REPORT_S = 600
KEY = SigningKey.from_bytes(b"k" * 32).public


def on_the_link(message: Control, ip: str, *, masked: bool) -> int:
    """One WebSocket message with all its headers (a speaker's are masked, RFC 6455 section 5.2)."""
    data = build_control(message)
    return len(data) + (2 if len(data) < 126 else 4) + (4 if masked else 0) + TLS_BYTES + TCP_BYTES[ip]


def mb_a_month(ip: str) -> dict[str, float]:
    tcp, udp = TCP_BYTES[ip], UDP_BYTES[ip]
    ask = on_the_link(TimeAsk(2**62), ip, masked=True)
    reply = on_the_link(TimeReply(2**62, 2**50, 2**50, "ab" * 8, bytes(64), KEY.key_id), ip, masked=False)
    report = on_the_link(Report(State.SILENT, Transport.UDP, offset_us=5000), ip, masked=True)
    datagrams = len(build_attach(Confirm(bytes(16), bytes(16)))) + len(build_attach(Attached(bytes(16))))
    asks = MONTH_S * 1_000_000 / STEADY_EVERY_US
    quiet = STEADY_EVERY_US / 1_000_000 // KEEP_ALIVE_S - 1
    return {
        "attachment": MONTH_S / CONFIRM_S * (datagrams + 2 * udp) / 1e6,
        "time": asks * (ask + reply + tcp) / 1e6,
        "keep-alive": asks * quiet * 2 * tcp / 1e6,
        "report": MONTH_S / IDLE_REPORT_S * (report + tcp) / 1e6,
    }


@pytest.mark.parametrize("ip", ["IPv4", "IPv6"])
def test_an_idle_speaker_stays_within_its_budget(ip: str) -> None:
    assert sum(mb_a_month(ip).values()) <= 50


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("confirm, attached | 20 s", "attachment"),
        ("`time?`, `time`, with TCP acknowledgements | 64 s", "time"),
        ("TCP keep-alive between them | 20 s", "keep-alive"),
        ("report | 600 s", "report"),
    ],
)
def test_the_page_says_what_it_costs(row: str, name: str) -> None:
    v4, v6 = (round(mb_a_month(ip)[name], 1) for ip in ("IPv4", "IPv6"))
    assert f"| {row} | {v4} | {v6} |" in PAGE
