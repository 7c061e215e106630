"""The HTTP API of Prometheus through ``prometheus_api_client``, every request within one deadline.

The client library speaks through a ``requests`` session; the session here has a transport of our own, because the
one of ``requests`` follows redirects, takes proxies and logins from the environment, and waits for every byte anew.
Import this module on first use only: it loads ``requests``.
"""

import io
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from pydantic import SecretStr
from requests.adapters import BaseAdapter

from chaoskit.domain.connection import Prometheus
from chaoskit.probes.freshness import Row
from chaoskit.probes.tls import tls_context
from chaoskit.probes.web import Answer, Request, exchange, login, place
from chaoskit.probes.wire import CannotAsk, Deadline
from chaoskit.secrets import redact

MOST_BYTES = 4 * 1024 * 1024
MOST_SERIES = 1000
_WORDS = 300
_COACHING: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "it asks for a login; set prometheus.auth, for example bearer: env:PROM_TOKEN",
    HTTPStatus.FORBIDDEN: "it refuses this login; check prometheus.auth, and the secret that it refers to",
    HTTPStatus.NOT_FOUND: "there is no Prometheus API here; check the path of prometheus.url",
}


class Api(AbstractContextManager["Api"]):
    """One sample's worth of conversation with a Prometheus; everything raises CannotAsk and NoAnswer only.

    But for a missing secret: then the constructor raises InvalidInput. The login and the certificates are read anew
    each time, so that a rotated token or CA is picked up.
    """

    def __init__(self, prometheus: Prometheus, deadline: Deadline) -> None:
        self._url = prometheus.url.rstrip("/")
        self._deadline = deadline
        transport = _Transport(prometheus, deadline)
        self.secrets = transport.secrets
        self._session = requests.Session()
        self._session.trust_env = False
        try:
            self._client = PrometheusConnect(url=self._url, session=self._session)
        except ValueError as error:
            raise CannotAsk(f"prometheus.url {self._url} is not an address ({error})") from error
        self._session.mount(self._url, transport)  # in place of the one that the client has just mounted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def instant(self, promql: str, lookback: float | None = None) -> list[Row]:
        """Evaluate ``promql`` at the server's present time."""
        try:
            result = self._client.custom_query(promql, params=self._params(lookback))
            if isinstance(result, list) and result and not isinstance(result[0], dict):
                return [_row({}, result)]  # a scalar is one bare pair
            return [_row(series["metric"], series["value"]) for series in _counted(result)]
        except _UNREADABLE as error:
            raise self._unreadable(error, promql) from error

    def range(self, promql: str, end: float, last: float, step: float, lookback: float) -> list[Row]:
        """Evaluate ``promql`` over the ``last`` seconds before ``end``, which is in the server's seconds."""
        until = datetime.fromtimestamp(int(end), UTC)  # the client rounds, and the future holds no samples
        since = datetime.fromtimestamp(int(end) - max(round(last), 1), UTC)
        try:
            result = self._client.custom_query_range(promql, since, until, f"{step:g}", params=self._params(lookback))
            return [_row(series["metric"], point) for series in _counted(result) for point in series["values"]]
        except _UNREADABLE as error:
            raise self._unreadable(error, promql) from error

    def get(self, path: str) -> Any:
        """The ``data`` of another endpoint of the API, for example ``/api/v1/targets``."""
        try:
            return self._session.get(self._url + path).json()["data"]
        except _UNREADABLE as error:
            raise self._unreadable(error, path) from error

    def _params(self, lookback: float | None) -> dict[str, str]:
        params = {"timeout": f"{self._deadline.left():.3f}"}
        return params if lookback is None else {**params, "lookback_delta": f"{lookback:.3f}"}

    def _unreadable(self, error: Exception, asked: str) -> CannotAsk:
        if isinstance(error, TimeoutError):
            return CannotAsk(f"{self._url}: no answer within {self._deadline.seconds:g}s")
        if isinstance(error, KeyError) and error.args == ("value",):
            wrap = f"wrap it, for example rate({asked})" if len(asked) < _WORDS else "wrap it, for example in rate(...)"
            return CannotAsk(f"the query gives a range of samples or a histogram, not one number; {wrap}")
        return CannotAsk(f"{self._url}: what came back is not an answer of Prometheus ({type(error).__name__})")


_UNREADABLE = (
    TimeoutError,
    requests.RequestException,
    PrometheusApiClientException,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)


class _Transport(BaseAdapter):
    """Sends what the session prepares over our own bounded exchange, and refuses every answer but a whole 200."""

    def __init__(self, prometheus: Prometheus, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline
        self._context = tls_context(prometheus.tls) if prometheus.url.startswith("https:") else None
        self._login = login(prometheus.auth)
        self.secrets: tuple[SecretStr, ...] = self._login.secrets

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]  # requests passes all but the request by keyword
        """Answer ``request``. Raises CannotAsk, NoAnswer."""
        assert request.url is not None
        headers = {"Accept": "application/json", "Cache-Control": "no-store", **self._login.headers}
        answer = exchange(Request("GET", request.url, headers), self._context, self._deadline, MOST_BYTES)
        if problem := _refusal(request.url, answer, logged_in=bool(self._login.headers)):
            raise CannotAsk(redact(problem, self.secrets))
        response = requests.Response()
        response.status_code = answer.status
        response.url = request.url
        response.raw = io.BytesIO(answer.body)
        return response

    def close(self) -> None:
        """Nothing is kept open between requests."""


def _refusal(url: str, answer: Answer, *, logged_in: bool) -> str:
    """Why ``answer`` cannot be used, in one line; empty when it can."""
    where = place(url)
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        moved = (
            place(answer.headers.get("Location", "")) if "://" in answer.headers.get("Location", "") else "elsewhere"
        )
        return f"{where}: redirects to {moved}, which is not followed; write the final address in prometheus.url"
    if answer.status != HTTPStatus.OK:
        status = HTTPStatus.FORBIDDEN if logged_in and answer.status == HTTPStatus.UNAUTHORIZED else answer.status
        told = _told(answer.body, "error") or _COACHING.get(status, "")
        return f"{where}: status {answer.status}" + (f": {told}" if told else "")
    if not answer.whole:
        return f"{where}: the answer is larger than {MOST_BYTES >> 20} MiB; aggregate the query, for example with sum()"
    # Prometheus and its kin answer 200 with only a part of the data, and say so here.
    partial = b'"warnings"' in answer.body and _told(answer.body, "warnings")
    return f"{where}: the answer may be incomplete: {partial}" if partial else ""


def _told(body: bytes, key: str) -> str:
    try:
        told = json.loads(body)[key]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    text = "; ".join(map(str, told)) if isinstance(told, list) else str(told or "")
    return " ".join(text.split())[:_WORDS]


def _counted(result: Any) -> list[dict[str, Any]]:
    if not isinstance(result, list):
        raise TypeError
    if len(result) > MOST_SERIES:
        raise CannotAsk(f"the query gives {len(result)} series; aggregate it to at most {MOST_SERIES}")
    return result


def _row(labels: dict[str, str], pair: Any) -> Row:
    at, value = pair
    return Row(dict(labels), float(at), float(value))
