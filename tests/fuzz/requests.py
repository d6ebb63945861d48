"""HTTP requests that nobody sends by mistake: good ones, changed where it hurts.

What is changed is the body, the method, the path, the headers, how the length of the body is
said, or any bytes of all of it.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.fuzz.hostile import LONG, altered_bytes, altered_json

Header = tuple[bytes, bytes]

METHODS = (
    *(b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI"),
    *(b"post", b"POST\0", b"P\xc3\xb6ST", b"\xff", b"", b"X" * 9000, b"POST POST"),
)
PATHS = (
    *(b"", b"/", b"*", b"//", b"/..", b"/%2e%2e/", b"/%00", b"/%ff", b"/\xff", b"/\xc3\xa4"),
    *(b"/?" + b"a=b&" * 1000, b"/#x", b"/;x", b"http://[::1/", b"http://evil.example/", b"evil:80"),
    *(b"/a b", b"/" + b"x" * 9000, b"/" + b"x/" * 4000, b"\\", b"/%", b"/%zz", b"javascript:x"),
)
HEADERS: tuple[Header, ...] = (
    (b"Content-Type", b"application/json; charset=utf-16"),
    (b"Content-Type", b'application/json; charset="'),
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Content-Type", b"multipart/form-data; boundary="),
    (b"Content-Type", b"\xff\xfe"),
    (b"Content-Type", b""),
    (b"Content-Encoding", b"gzip"),
    (b"Content-Encoding", b"deflate"),
    (b"Content-Encoding", b"br, gzip, \xff"),
    (b"Accept", b"\xff\xfe"),
    (b"Accept", b"text/html, \xc3\xa4"),
    (b"Accept-Encoding", b"*;q=nan"),
    (b"Authorization", b"Bearer \xff\xfe"),
    (b"Authorization", b"Basic " + b"x" * 7000),
    (b"Cookie", b'a="' + b";" * 500),
    (b"Connection", b"upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Upgrade", b"h2c"),
    (b"Expect", b"100-continue"),
    (b"Expect", b"nonsense"),
    (b"Forwarded", b'for="'),
    (b"Host", b""),
    (b"Host", b"[::1"),
    (b"Host", b"evil.example"),
    (b"Host", b"\xff"),
    (b"If-None-Match", b'"'),
    (b"Last-Event-ID", b"9" * 400),
    (b"Last-Event-ID", b"\xd9\xa1"),
    (b"Range", b"bytes=-"),
    (b"Trailer", b"Content-Length"),
    (b"X-Long", b"x" * LONG),
    (b"X-Forwarded-For", b"\0"),
    (b"", b"x"),
    (b"No Space", b"x"),
    (b"X\xff", b"x"),
)
LENGTHS = (b"-1", b"+1", b"1_0", b"0x10", b"9" * 400, b"1e3", b"", b"4, 4", b"\xd9\xa1")
CODINGS = (
    b"chunked",
    b"chunked, chunked",
    b"gzip, chunked",
    b"identity",
    b"xchunked",
    b"\x0bchunked",
)
SIZES = (b"-1", b"zz", b"", b"F" * 17, b"0x5", b"5;" + b"x" * 9000, b"1\n", b"\xff")


@dataclass(frozen=True)
class Example:
    """A request that a server takes.

    Attributes:
        document: What it says, as JSON; empty: it has no body.
        pack: Makes the body of the document, where it is not the document itself.
        prove: Returns the headers by which the server knows whose body it is.
    """

    path: str
    document: bytes = b""
    method: str = "POST"
    media_type: str = "application/json"
    pack: Callable[[bytes], bytes] = bytes
    prove: Callable[[bytes], Mapping[str, str]] = lambda _body: {}


@dataclass(frozen=True)
class Sent:
    """What goes over one connection.

    Attributes:
        is_whole: The server can tell where the request ends.
    """

    data: bytes
    is_whole: bool

    @property
    def has_answer_without_body(self) -> bool:
        """Whether the answer ends with its head, whatever that says of a length."""
        return self.data.startswith(b"HEAD ")


def hostile_requests(
    examples: Sequence[Example], host: str, *, count: int, seed: str
) -> Iterator[Sent]:
    """Yield *count* requests made of *examples*, the same for the same seed."""
    source = random.Random(seed)
    for _ in range(count):
        yield _altered(source.choice(examples), host, source)


def good_request(example: Example, host: str) -> Sent:
    """Return a request as it should be."""
    return _written(example, example.pack(example.document), _headers(example, host))


def _altered(example: Example, host: str, source: random.Random) -> Sent:
    document = example.document
    if document and source.random() < 0.8:
        document = altered_json(document, source)
    body = example.pack(document)
    headers = _headers(example, host, body)
    way = source.random()
    if way < 0.5:
        return _written(example, body, headers)
    if way < 0.6:
        return _written(example, body, headers, method=source.choice(METHODS))
    if way < 0.7:
        return _written(example, body, headers, path=_altered_path(example, source))
    if way < 0.9:
        return _written(example, body, _altered_headers(headers, source))
    if way < 0.96:
        return _badly_framed(example, body, headers, source)
    return Sent(altered_bytes(_written(example, body, headers).data, source), is_whole=False)


def _headers(example: Example, host: str, body: bytes | None = None) -> list[Header]:
    """Return the headers of a request, the last of which closes its connection."""
    proof = example.prove(example.pack(example.document) if body is None else body)
    named = {"Host": host, "Content-Type": example.media_type, **proof}
    written = [(name.encode(), value.encode()) for name, value in named.items()]
    return [*written, (b"Connection", b"close")]


def _written(
    example: Example,
    body: bytes,
    headers: Sequence[Header],
    *,
    method: bytes | None = None,
    path: bytes | None = None,
) -> Sent:
    method = example.method.encode() if method is None else method
    path = example.path.encode() if path is None else path
    length = (b"Content-Length", str(len(body)).encode())
    head = _head(method, path, [length, *headers])
    return Sent(head + body, is_whole=True)


def _head(method: bytes, path: bytes, headers: Sequence[Header]) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (method, path), *(b"%s: %s" % one for one in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _altered_path(example: Example, source: random.Random) -> bytes:
    if source.random() < 0.4:
        return source.choice(PATHS)
    if source.random() < 0.3:
        return example.path.encode() + source.choice(PATHS)
    return _on_one_line(altered_bytes(example.path.encode(), source))


def _altered_headers(headers: Sequence[Header], source: random.Random) -> list[Header]:
    """Return *headers* with one altered, gone, there twice, or with some that nobody expects."""
    place = source.randrange(len(headers) - 1)  # all but the last
    name, value = headers[place]
    before, after = list(headers[:place]), list(headers[place + 1 :])
    match source.randrange(6):
        case 0:
            return [*before, (name, _on_one_line(altered_bytes(value, source))), *after]
        case 1:
            return [*before, *after]
        case 2:
            return [*before, (name, value), (name, b"x"), *after]
        case 3:
            many = [(b"X-%d" % number, b"x") for number in range(source.choice((60, 200, 10_000)))]
            return [*before, *many, (name, value), *after]
        case _:
            return [*source.choices(HEADERS, k=source.choice((1, 1, 2, 4))), *headers]


def _badly_framed(
    example: Example, body: bytes, headers: Sequence[Header], source: random.Random
) -> Sent:
    """Return a request whose end the server may seek in vain."""
    length = (b"Content-Length", str(len(body)).encode())
    coding = (b"Transfer-Encoding", source.choice(CODINGS))
    match source.randrange(4):
        case 0:
            wrong = source.choice((*LENGTHS, b"%d" % (len(body) + 9), b"%d" % (len(body) // 2)))
            framing, data = [(b"Content-Length", wrong)], body
        case 1:
            framing, data = [length, (b"Content-Length", source.choice(LENGTHS))], body
        case 2:
            framing, data = source.choice(([coding], [coding, length])), body
        case _:
            framing, data = [coding], b"%s\r\n%s\r\n0\r\n\r\n" % (source.choice(SIZES), body)
    head = _head(example.method.encode(), example.path.encode(), [*framing, *headers])
    return Sent(head + data, is_whole=False)


def _on_one_line(text: bytes) -> bytes:
    return text.replace(b"\r", b"").replace(b"\n", b"")
