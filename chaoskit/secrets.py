"""Secrets by reference: the file says where a secret is, and it is read only when it is used.

What is read stays in :class:`pydantic.SecretStr`, which shows stars wherever it is printed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr

from chaoskit.domain.errors import InvalidInput

LONGEST_BYTES = 64 * 1024
"""More than any token or key; a file beyond it is not the one that was meant."""


def resolve(ref: str, *, lines: bool = False) -> SecretStr:
    """The secret that ``ref`` (``env:NAME`` or ``file:PATH``) points to, without the line break at its end.

    Raises InvalidInput when there is none, it is empty, or, unless it may have several ``lines``, cannot be sent in
    one. No message holds any part of the secret.
    """
    scheme, _, place = ref.partition(":")
    if scheme == "env":
        text = os.environ.get(place)
        if text is None:
            raise InvalidInput(f"secret {ref}: the variable {place} is not set; export it before you start chaoskit")
    elif scheme == "file":
        text = _read(ref, Path(place).expanduser())
    else:
        raise InvalidInput("a secret is written as a reference, for example env:PROM_TOKEN or file:/run/secrets/prom")
    return SecretStr(_checked(ref, text.removesuffix("\n").removesuffix("\r"), lines))


def redact(text: str, secrets: Iterable[SecretStr]) -> str:
    """``text`` with every occurrence of every one of ``secrets`` replaced by stars."""
    plain = {secret.get_secret_value() for secret in secrets} - {""}
    for value in sorted(plain, key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def _read(ref: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidInput(f"secret {ref}: the file cannot be read ({why}); check its path and permissions") from error
    if len(raw) > LONGEST_BYTES:
        raise InvalidInput(f"secret {ref}: the file is larger than {LONGEST_BYTES // 1024} KiB; is it the right one?")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # The decoding error quotes the bytes it failed on, so it must not become the cause of ours.
        raise InvalidInput(f"secret {ref}: the file is not UTF-8 text; is it the right one?") from None


def _checked(ref: str, text: str, lines: bool) -> str:  # noqa: FBT001 passed on
    if not text:
        raise InvalidInput(f"secret {ref} is empty; put the token or password there")
    if not lines and not text.isprintable():
        raise InvalidInput(f"secret {ref} holds a line break or a control character; keep one line of text there")
    return text
