"""One HTTP request as a sample: the number is the latency in seconds, the judgement is status, body and time."""

import ssl

from pydantic import SecretStr

from chaoskit.domain.checks import HttpProbe
from chaoskit.domain.errors import InvalidInput
from chaoskit.domain.ports import Sample
from chaoskit.domain.secrecy import is_reference
from chaoskit.probes.tls import tls_context
from chaoskit.probes.web import Answer, Request, exchange, filled, login, place
from chaoskit.probes.wire import GRACE, CannotAsk, Deadline, NoAnswer
from chaoskit.secrets import redact, resolve

MOST_BYTES = 1024 * 1024
"""How much of a body is read; the latency of a larger one is the time until this much of it has come."""


class HttpRequestProbe:
    """Asks as ``spec`` says. A redirect is not followed: its status is the answer.

    Refused, reset, late, cut short, not trusted or with another status: the system said no (``holds`` is False).
    A name that does not resolve, a missing secret or certificate file, no free socket: we could not ask (unknown).
    """

    def __init__(self, spec: HttpProbe) -> None:
        self._spec = spec
        self._right = (spec.status,) if isinstance(spec.status, int) else spec.status
        self._context: ssl.SSLContext | None = None

    @property
    def bound(self) -> float:
        """The longest one sample may take, in seconds."""
        return self._spec.within + GRACE

    def sample(self) -> Sample:
        """Ask once, over a connection of its own, from looking up the name to the last byte within ``within``."""
        spec = self._spec
        try:
            headers, known, body = filled(spec.headers), login(spec.auth), _secret_body(spec)
        except InvalidInput as error:
            return Sample(problem=str(error))
        secrets = (*headers.secrets, *known.secrets, *((body,) if body else ()))
        text = body.get_secret_value() if body else spec.body
        try:
            sample = self._ask({**headers.headers, **known.headers}, text)
        except CannotAsk as error:
            sample = Sample(problem=str(error))
        except NoAnswer as error:
            sample = Sample(holds=False, problem=str(error))
        return sample.model_copy(update={"problem": redact(sample.problem, secrets)})

    def _ask(self, headers: dict[str, str], text: str | None) -> Sample:
        spec = self._spec
        if self._context is None and spec.url.startswith("https:"):
            self._context = tls_context(spec.tls)
        body = None if text is None else text.encode()
        # Reading certificates is our own work, so the clock starts after it.
        deadline = Deadline(spec.within)
        answer = exchange(Request(spec.method, spec.url, headers, body), self._context, deadline, MOST_BYTES)
        return self._judge(answer, deadline.spent)

    def _judge(self, answer: Answer, took: float) -> Sample:
        spec, where = self._spec, place(self._spec.url)
        wanted = (spec.body_contains or "").encode()
        if answer.status not in self._right:
            right = " or ".join(map(str, self._right))
            return Sample(values=(took,), holds=False, problem=f"{where}: status {answer.status}, not {right}")
        if took > spec.within:
            return Sample(values=(took,), holds=False, problem=f"{where}: answered after {took:.3f}s, not in time")
        if wanted in answer.body:
            return Sample(values=(took,), holds=True)
        if not answer.whole:
            read = f"the first {MOST_BYTES // 1024} KiB"
            return Sample(problem=f"{where}: {read} of the body do not hold the text, and more was not read")
        return Sample(values=(took,), holds=False, problem=f"{where}: the body does not hold the text asked for")


def _secret_body(spec: HttpProbe) -> SecretStr | None:
    """The body that a reference leads to. Raises InvalidInput when there is none."""
    return resolve(spec.body, lines=True) if spec.body is not None and is_reference(spec.body) else None
