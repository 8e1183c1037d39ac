"""No secret in a log: by its name, by its shape, in a traceback, in a library's line."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from loa.logs import MASKED, Shown, configure, masked_text
from loa.trust.enrol import Code, Invitation

SECRET = "hunter2hunter2"
CODE = Code(bytes(range(10)), bytes(range(200, 210))).text()
TOKEN = "loa_" + "aB3-_" * 8
GRANT = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    file = io.StringIO()
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    configure("debug", file)
    yield file
    structlog.configure(**before)
    logging.root.handlers, logging.root.level = handlers, level


@pytest.mark.parametrize(
    "name",
    [
        *(
            "password",
            "old_password",
            "passwd",
            "secret",
            "totp_secret",
            "token",
            "api_token",
            "cookie",
            "csrf",
        ),
        *("Authorization", "code", "enrolment_code", "recovery_codes", "otp", "private_key", "credential"),
    ],
)
@pytest.mark.parametrize("value", [SECRET, 123456, SECRET.encode(), [SECRET], {"of": SECRET}])
def test_a_secrets_name_hides_it(written: io.StringIO, name: str, value: object) -> None:
    structlog.get_logger().warning("it failed", **{name: value})
    assert MASKED in written.getvalue()
    assert "hunter2" not in written.getvalue()
    assert "123456" not in written.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        CODE,
        CODE.lower(),
        CODE.replace("-", ""),
        CODE.replace("-", " "),
        Invitation("https://loa.example:8443", CODE).text(),
        GRANT,
        f"Authorization: Bearer {SECRET}-xyz",
        f"otpauth://totp/Loa:admin?secret={SECRET}&issuer=Loa",
        f"Cookie: a=1; __Host-loa_session={SECRET}; b=2",
        f"loa_session={SECRET}",
        f"__Host-loa_device={SECRET}",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}",
        f"redis://loa:{SECRET}@10.0.0.1/0",
    ],
)
@pytest.mark.parametrize(
    "where", ["event", "value", "deep", "error", "traceback", "library", "library error"]
)
def test_its_shape_hides_it(written: io.StringIO, text: str, where: str) -> None:
    log = structlog.get_logger()
    fault = ValueError(f"unexpected {text} here")
    match where:
        case "event":
            log.warning(f"got {text}")
        case "value":
            log.warning("got", what=f"this: {text}")
        case "deep":
            log.warning("got", what=[{"a": (text,)}])
        case "error":
            log.warning("got", error=fault)
        case "traceback":
            log.error("got", exc_info=fault)
        case "library":
            logging.getLogger("aiohttp.server").error("bad head: %s", text)
        case "library error":
            logging.getLogger("aiohttp.server").error("bad head", exc_info=fault)
    said = written.getvalue()
    assert MASKED in said
    for secret in (SECRET, TOKEN, CODE, CODE.lower(), CODE.replace("-", ""), CODE.replace("-", " "), GRANT):
        assert secret not in said


def test_a_traceback_shows_no_variables(written: io.StringIO) -> None:
    def log_in(typed: str) -> None:
        raise ValueError(f"a password of {len(typed)} letters")

    try:
        log_in("correct horse battery")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    assert "a password of 21 letters" in written.getvalue()
    assert "correct horse battery" not in written.getvalue().replace('log_in("correct horse battery")', "")


def test_what_is_no_secret_is_left_alone(written: io.StringIO) -> None:
    structlog.get_logger().info(
        "linked",
        url="https://loa.example:8443/speaker/link",
        speaker="0011223344556677",
        reason="replay",
        n=42,
        up=True,
        wait_s=1.5,
        sha="a" * 64,
        encoded="opus",
    )
    said = written.getvalue()
    assert MASKED not in said
    for shown in ("https://loa.example:8443/speaker/link", "0011223344556677", "42", "True", "a" * 64):
        assert shown in said


def test_the_first_password_is_meant_to_be_read(written: io.StringIO) -> None:
    structlog.get_logger().warning("first log-in, shown once", name="admin", password=Shown(SECRET))
    assert SECRET in written.getvalue()


def test_what_nests_too_deep_is_hidden_whole(written: io.StringIO) -> None:
    deep: object = "plain words"
    for _ in range(20):
        deep = [deep]
    structlog.get_logger().warning("got", what=deep)
    assert "plain words" not in written.getvalue()


def test_text_keeps_the_rest() -> None:
    assert masked_text(f"before {TOKEN} after") == f"before {MASKED} after"
