"""One bounded HTTP exchange (RFC 9112): no redirect is followed, no proxy used, no answer larger than asked for."""

import base64
import http.client
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from chaoskit import __version__
from chaoskit.domain.connection import Auth
from chaoskit.domain.secrecy import is_reference
from chaoskit.probes.wire import BoundedTlsSocket, CannotAsk, Deadline, NoAnswer, asking, connect
from chaoskit.secrets import resolve

_KEPT = "%/:=&?~+!$,;'@()*[]"
_CHUNK = 64 * 1024


class Request(NamedTuple):
    """What is asked."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None


class Answer(NamedTuple):
    """What came back; ``whole`` is False when the body was cut at the size that was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


class Login(NamedTuple):
    """Headers that may log in, and every form in which they could give a secret away."""

    headers: Mapping[str, str]
    secrets: tuple[SecretStr, ...]


def login(auth: Auth | None) -> Login:
    """The Authorization header for ``auth`` (RFC 6750, RFC 7617). Raises InvalidInput when a secret is missing."""
    if auth is None:
        return Login({}, ())
    if auth.bearer is not None:
        token = resolve(auth.bearer)
        return Login({"Authorization": f"Bearer {token.get_secret_value()}"}, (token,))
    password = resolve(auth.password) if auth.password is not None else SecretStr("")
    pair = f"{auth.username or ''}:{password.get_secret_value()}".encode()
    basic = base64.b64encode(pair).decode()
    return Login({"Authorization": f"Basic {basic}"}, (password, SecretStr(basic)))


def filled(headers: Mapping[str, str]) -> Login:
    """``headers`` with what their references lead to. Raises InvalidInput when a secret is missing."""
    secrets = {name: resolve(value) for name, value in headers.items() if is_reference(value)}
    plain = {name: secret.get_secret_value() for name, secret in secrets.items()}
    return Login({**headers, **plain}, tuple(secrets.values()))


def place(url: str) -> str:
    """``url`` without its query, which may hold what must not be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:  # an unfinished IPv6 address, say
        return url.partition("?")[0]
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def exchange(request: Request, context: ssl.SSLContext | None, deadline: Deadline, most: int) -> Answer:
    """Send ``request`` and read the answer, at most ``most`` bytes of its body, all before ``deadline``.

    ``context`` is for https. Raises NoAnswer and CannotAsk.
    """
    where = place(request.url)
    with asking(where, deadline):
        try:
            return _exchange(request, context, deadline, most)
        except ssl.SSLError:
            raise  # an untrusted certificate is a ValueError as well
        except (http.client.InvalidURL, ValueError) as error:
            # The error quotes the URL or the header, which may hold a token.
            raise CannotAsk(f"{where}: the URL or a header holds what cannot be sent") from error
        except http.client.RemoteDisconnected as error:
            raise NoAnswer(f"{where}: the connection was closed without an answer") from error
        except http.client.IncompleteRead as error:
            raise NoAnswer(f"{where}: the connection was closed in the middle of the answer") from error
        except http.client.HTTPException as error:
            raise NoAnswer(f"{where}: what came back is not HTTP ({type(error).__name__})") from error


def _exchange(request: Request, context: ssl.SSLContext | None, deadline: Deadline, most: int) -> Answer:
    connection, path = _connected(request.url, context, deadline)
    try:
        headers = {"User-Agent": f"chaoskit/{__version__}", "Connection": "close", **request.headers}
        connection.request(request.method, path, body=request.body, headers=headers)
        with connection.getresponse() as response:
            body = _read(response, most)
            return Answer(response.status, dict(response.headers), body[:most], whole=len(body) <= most)
    finally:
        connection.close()


def _connected(url: str, context: ssl.SSLContext | None, deadline: Deadline) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    path = quote(parts.path or "/", safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT)}" if parts.query else "")
    if parts.scheme == "http":
        plain = http.client.HTTPConnection(host, parts.port or http.client.HTTP_PORT)
        plain.sock = connect(host, plain.port, deadline)
        return plain, path
    assert context is not None
    secure = http.client.HTTPSConnection(host, parts.port or http.client.HTTPS_PORT, context=context)
    secure.sock = _over_tls(host, secure.port, context, deadline)
    return secure, path


def _over_tls(host: str, port: int, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    sock = connect(host, port, deadline)
    try:
        sock.settimeout(deadline.left())
        secured = context.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise
    assert isinstance(secured, BoundedTlsSocket)
    secured.deadline = deadline
    return secured


def _read(response: http.client.HTTPResponse, most: int) -> bytes:
    """The body, up to one byte more than ``most``. Raises IncompleteRead when the other side stops early."""
    body = bytearray()
    while len(body) <= most and (chunk := response.read(min(_CHUNK, most + 1 - len(body)))):
        body += chunk
    if len(body) <= most and response.length:
        # With a size given, http.client takes an early end of the connection for the end of the body.
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)
