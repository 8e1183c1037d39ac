"""Requests as bytes: what a client may write that no client library would."""

import asyncio
import re

AFTER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""Hidden behind or inside each of them; whoever sees it as a request has read one as two."""

_HEAD = b"POST /first HTTP/1.1\r\nHost: localhost\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def _length(text: str) -> bytes:
    return f"Content-Length: {text}\r\n".encode()


_HIDDEN = b"0\r\n\r\n" + AFTER
_N = str(len(_HIDDEN))

AMBIGUOUS = {
    "CL.TE": _HEAD + _length(_N) + _CHUNKED + b"\r\n" + _HIDDEN,
    "TE.CL": _HEAD + _CHUNKED + _length("4") + b"\r\n2c\r\n" + AFTER + b"\r\n0\r\n\r\n",
    "TE twice": _HEAD + _CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + _HIDDEN,
    "TE unknown": _HEAD + b"Transfer-Encoding: xchunked\r\n" + _length(_N) + b"\r\n" + _HIDDEN,
    "TE not last": _HEAD + b"Transfer-Encoding: chunked, identity\r\n" + _length(_N) + b"\r\n" + _HIDDEN,
    "TE blank before colon": _HEAD + b"Transfer-Encoding : chunked\r\n" + _length(_N) + b"\r\n" + _HIDDEN,
    "TE vertical tab": _HEAD + b"Transfer-Encoding:\x0bchunked\r\n" + _length(_N) + b"\r\n" + _HIDDEN,
    "TE folded": _HEAD + b"Transfer-Encoding:\r\n chunked\r\n" + _length(_N) + b"\r\n" + _HIDDEN,
    "TE behind a bare CR": _HEAD + b"X: a\rTransfer-Encoding: chunked\r\n" + _length(_N) + b"\r\n" + _HIDDEN,
    "TE behind a bare LF": _HEAD + b"X: a\nTransfer-Encoding: chunked\r\n" + _length(_N) + b"\r\n" + _HIDDEN,
    "TE behind a zero": _HEAD + b"X: a\0\r\n" + _CHUNKED + _length(_N) + b"\r\n" + _HIDDEN,
    "TE of HTTP/1.0": _HEAD.replace(b"1.1", b"1.0") + _CHUNKED + _length(_N) + b"\r\n" + _HIDDEN,
    "CL twice": _HEAD + _length("0") + _length(_N) + b"\r\n" + _HIDDEN,
    "CL list": _HEAD + _length(f"0, {_N}") + b"\r\n" + _HIDDEN,
    "CL signed": _HEAD + _length("+0") + b"\r\n" + AFTER,
    "CL negative": _HEAD + _length("-1") + b"\r\n" + AFTER,
    "CL hex": _HEAD + _length("0x0") + b"\r\n" + AFTER,
    "CL blanks": _HEAD + _length("0 0") + b"\r\n" + AFTER,
    "CL underscore": _HEAD + _length("0_0") + b"\r\n" + AFTER,
    "CL folded": _HEAD + b"Content-Length:\r\n 0\r\n\r\n" + AFTER,
    "chunk no hex": _HEAD + _CHUNKED + b"\r\nzz\r\n" + AFTER,
    "chunk 0x": _HEAD + _CHUNKED + b"\r\n0x0\r\n\r\n" + AFTER,
    "chunk signed": _HEAD + _CHUNKED + b"\r\n-1\r\n\r\n" + AFTER,
    "chunk overflow": _HEAD + _CHUNKED + b"\r\n10000000000000000\r\n" + AFTER,
    "chunk too long": _HEAD + _CHUNKED + b"\r\n1\r\nab\r\n0\r\n\r\n" + AFTER,
    "chunk extension with bare LF": _HEAD + _CHUNKED + b"\r\n1;a\nb\r\nx\r\n0\r\n\r\n" + AFTER,
    "chunk ends with bare LF": _HEAD + _CHUNKED + b"\r\n1\r\nx\n0\r\n\r\n" + AFTER,
    "head ends with bare LF": b"GET /first HTTP/1.1\nHost: localhost\n\n" + AFTER,
    "name with a blank": _HEAD + b"Content Length: 0\r\n\r\n" + AFTER,
    "no colon": _HEAD + b"Content-Length\r\n\r\n" + AFTER,
    "CR LF in the path": b"GET /first\r\n HTTP/1.1\r\nHost: localhost\r\n\r\n" + AFTER,
    "two hosts": b"GET /first HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "unknown version": b"GET /first HTTP/9.9\r\nHost: localhost\r\n\r\n" + AFTER,
    "method with a blank": b"GE T /first HTTP/1.1\r\nHost: localhost\r\n\r\n" + AFTER,
    "head too large": b"GET /first HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n" + AFTER,
    "path too long": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" + AFTER,
    "too many lines": b"GET /first HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 5_000 + b"\r\n" + AFTER,
}


async def exchange(port: int, sent: bytes, *, within_s: float = 20.0) -> bytes:
    """Everything that comes back until the other side closes, as a node does with a connection that idles."""
    async with asyncio.timeout(within_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = b""
        try:
            writer.write(sent)
            await writer.drain()
            while chunk := await reader.read(65_536):
                answer += chunk
        except ConnectionError:
            pass
        finally:
            writer.close()
        return answer


def statuses(answer: bytes) -> list[int]:
    """Of the answers, one after the other."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]
