"""Enrolment: a one-time code becomes an identity.

Laws: the speaker makes its own key pair, and the secret key never leaves it; of what the node answers only
what leads to the root that the code pins is believed; nothing is stored before all of it was checked.
"""

import asyncio
import base64
import binascii
import json
import ssl
from collections.abc import Mapping

import aiohttp
import structlog

from ..errors import ConfigError, ProtocolError, RefusedError
from ..trust.enrol import Code, Invitation, parse_code, parse_invitation
from ..trust.ids import is_id
from ..trust.keys import SigningKey, VerifyKey, key_mark, parse_key
from ..trust.statements import Statement, parse_statement
from .mandate import Mandate
from .state import Identity, Memory

PATH = "/enrol"
DEADLINE_S = 30.0
MAX_ANSWER_BYTES = 256 * 1024

log = structlog.get_logger("speaker")


def invited(text: str) -> Invitation:
    """What a person typed or a scanner read; ConfigError when it is neither a code nor an invitation."""
    try:
        return parse_invitation(text)
    except ProtocolError as error:
        raise ConfigError(f"--enrol: {error}") from error


async def enrol(
    node: str, code: str, key: SigningKey, serial: str, software: str, tls: ssl.SSLContext | bool = True
) -> tuple[Identity, Memory]:
    """ConfigError when the node is wrong; RefusedError when what the node answers is not to be
    believed.

    `node`: its URL. `key`: the same when it is tried again, so that a lost answer costs no code. `serial`:
    what is printed on the device.
    """
    parsed = parse_code(code)
    asked = {
        "secret": parsed.secret.hex(),
        "public_key": key.public.raw.hex(),
        "serial": serial,
        "software": software,
    }
    log.info("enrolling", node=node, key=key_mark(key.public.key_id))
    answer = await _ask(node.rstrip("/") + PATH, asked, tls)
    return believe(answer, parsed, key, node, serial)


def believe(answer: bytes, code: Code, key: SigningKey, node: str, serial: str) -> tuple[Identity, Memory]:
    """What the node answered, checked down from the root that the code pins. Links that lead to other
    roots may be among it: the node pins those later. A speaker that waits for approval has no placement yet.
    """
    fields = _parse_answer(answer)
    roots = tuple(root for root in _roots(fields) if code.pins(root))
    if not roots:
        raise RefusedError("root", f"{node}: none of its roots is the one of the code; is it the right node?")
    speaker, link = _text(fields, "speaker"), _text(fields, "link")
    if not is_id(speaker) or not link.startswith("/"):
        raise ProtocolError(f"{node}: speaker {speaker!r}, link {link!r}, expected an id and a path")
    mandate = Mandate(speaker, roots)
    chain = tuple(_texts(fields, "chain"))
    mandate.learn(chain)
    if not mandate.store.tokens():
        raise RefusedError("chain", f"{node}: its chain of grants does not lead to the root of the code")
    placement = None if fields.get("placement") is None else _statement(_text(fields, "placement"))
    if placement:
        mandate.place(placement, mandate.at_least_us(0))
    identity = Identity(speaker, serial, key, roots, node, link)
    return identity, Memory(chain=mandate.store.tokens(), placement=placement)


async def _ask(url: str, asked: Mapping[str, str], tls: ssl.SSLContext | bool) -> bytes:
    try:
        async with (
            asyncio.timeout(DEADLINE_S),
            aiohttp.ClientSession() as session,
            session.post(url, json=asked, ssl=tls) as response,
        ):
            answer = await response.content.read(MAX_ANSWER_BYTES + 1)
            status, reason = response.status, response.reason
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        why = str(error) or type(error).__name__
        raise ConfigError(f"{url}: {why}, expected a node that enrols speakers") from error
    if status >= 300:
        raise ConfigError(f"{url}: {status} {reason}: {answer[:500].decode('utf-8', 'replace')}")
    if len(answer) > MAX_ANSWER_BYTES:
        raise ProtocolError(f"{url}: more than {MAX_ANSWER_BYTES} bytes, expected an enrolment")
    return answer


def _parse_answer(answer: bytes) -> Mapping[str, object]:
    try:
        fields = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("enrolment: the answer is not JSON") from error
    if not isinstance(fields, dict):
        raise ProtocolError("enrolment: the answer is no object")
    return fields


def _roots(fields: Mapping[str, object]) -> list[VerifyKey]:
    try:
        return [parse_key(bytes.fromhex(root)) for root in _texts(fields, "roots")]
    except ValueError as error:
        raise ProtocolError("enrolment: a root is not hex") from error


def _statement(text: str) -> Statement:
    try:
        return parse_statement(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise ProtocolError("enrolment: placement is not base64") from error


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > MAX_ANSWER_BYTES:
        raise ProtocolError(f"enrolment: {name} is a {type(value).__name__}, expected text")
    return value


def _texts(fields: Mapping[str, object], name: str) -> list[str]:
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ProtocolError(f"enrolment: {name} is a {type(value).__name__}, expected a list of texts")
    return value
