"""The kinds of text that experiment files are made of, and a rule that several parts of them share."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from chaoskit.domain.secrecy import REFERENCE, check_argv, check_url

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(?:[-_.][a-z0-9]+)*$", max_length=80),
    Field(examples=["replica-loss"]),
]


Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


SecretRef = Annotated[
    str,
    StringConstraints(pattern=REFERENCE),
    Field(examples=["env:PROM_TOKEN"]),
]


HttpUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/@]+(?:/[^\s]*)?$", max_length=2000), AfterValidator(check_url)
]


Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


def _names_a_program(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv[0]:
        raise ValueError('the first word is the program and cannot be empty; write for example ["/usr/sbin/nginx"]')
    return argv


Argv = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_names_a_program)]
"""A command line; with whatever is in it, for it may be read back from a journal."""


AskedArgv = Annotated[Argv, AfterValidator(check_argv)]
"""A command line as a person writes it into a file."""


Labels = dict[str, str]


def exactly_one(data: object, names: tuple[str, ...], example: str) -> None:
    """Raise ValueError unless exactly one of ``names`` is set on ``data``."""
    given = [name for name in names if getattr(data, name) is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "none of them is given"
        raise ValueError(f"write exactly one of {', '.join(names)}; {what}, for example {example}")
