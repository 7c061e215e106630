"""How an HTTP endpoint is reached: its address, login and TLS. Secrets are references, never values."""

from pydantic import model_validator

from chaoskit.domain.quantities import PositiveDuration, Value
from chaoskit.domain.texts import HttpUrl, SecretRef


class Auth(Value):
    """How to log in to an HTTP endpoint; secrets are references (``env:NAME`` or ``file:PATH``), never values."""

    bearer: SecretRef | None = None
    username: str | None = None
    password: SecretRef | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Auth":
        if (self.bearer is None) == (self.username is None or self.password is None):
            raise ValueError("write either bearer, or username and password, for example bearer: env:PROM_TOKEN")
        return self


class Tls(Value):
    """How an HTTPS endpoint is verified: a CA bundle, a client certificate, or (stated aloud) not at all."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True


class Prometheus(Value):
    """The Prometheus that judges."""

    url: HttpUrl
    auth: Auth | None = None
    tls: Tls = Tls()
    timeout: PositiveDuration = 5.0
