"""What stands for a secret: a file refers to it and never holds it, and no report shows it.

One list of words serves both. It errs on the strict side: who is refused can write a reference, and what leaked
cannot be taken back.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

REFERENCE = r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"
"""How a secret is written: where it is."""

_VALUES = "token|secret|password|passwd|passphrase|passcode|api[-_]?key|access[-_]?key|signature"
"""What the name of a value ends with that is a secret wherever it stands."""
_IN_HEADERS = rf"{_VALUES}|key(?!word|space)|auth(?!or(?!i[sz]))|cookie|credential|session|jwt"
"""What makes the name of a header, or of another key with a text, that of a secret; authors are none."""
_PUBLIC = {"sec-websocket-key", "idempotency-key", "www-authenticate", "proxy-authenticate"}
"""Headers that sound like one, and are none."""

_NAME = re.compile(_IN_HEADERS, re.IGNORECASE)
_REFERENCE = re.compile(REFERENCE)
_LOGIN = re.compile(r"://[^\s/?#@:]*:[^\s/?#@]+@")
_IN_QUERY = re.compile(rf"(?i)[?&]([\w.-]*(?:{_VALUES}|sig))=[^&#\s]")
_IN_TEXT = re.compile(rf"(?i)(?<![\w.-])([\w.-]*(?:{_VALUES}))[\"']?\s*[=:]\s*[\"']?[^\s\"'&,}}]")
_OPTION = re.compile(rf"(?i)--?+(?!no-)[\w.-]*(?:{_VALUES}|requirepass)")
_HEADER_LINE = re.compile(r"([A-Za-z][\w-]*):\s*\S")
_SHORT_OPTIONS = {"redis-cli": "-a", "curl": "-u", "sshpass": "-p", "ldapsearch": "-w", "mosquitto_sub": "-P"}
"""Programs with a short option that takes a login."""

HEADER_IN_TEXT = (
    rf"(?<![\w-])(?:(?:[\w-]*-)?(?:authorization|cookie)|apikey|[\w-]*[-_](?:{_VALUES})"
    r"|api[-_]key|x-[\w-]*(?:key|auth|session|jwt))"
)
"""A header with a secret in free text, which is about other things too: ``shop-auth: connection refused``."""
PARAMETER_IN_TEXT = rf"[\w-]*(?:{_VALUES})|sig"
"""A parameter of a URL with a secret, in free text."""


def names_secret(name: str) -> bool:
    """Whether what is kept under ``name``, a header say, is probably a secret."""
    return _NAME.search(name) is not None and name.lower() not in _PUBLIC


def is_reference(text: str) -> bool:
    """Whether ``text`` says where a secret is."""
    return _REFERENCE.match(text) is not None


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError for a header that holds a secret itself."""
    for name, value in headers.items():
        if names_secret(name) and not is_reference(value):
            raise ValueError(
                f"{name} holds a secret, which a file must not; write where it is, for example {name}: env:NAME or "
                f"{name}: file:PATH, or log in with auth: {{bearer: env:NAME}}"
            )


def check_url(url: str) -> str:
    """``url``. Raises ValueError when it holds a login, or a secret in its query."""
    if _LOGIN.search(url):
        raise ValueError(
            "the URL holds a password, which a file must not; logins go into auth, or into the environment"
        )
    if found := _IN_QUERY.search(url):
        raise ValueError(
            f"the URL holds a secret ({found[1]}), which a file must not; send it in a header, for example "
            "headers: {X-Api-Key: env:NAME}"
        )
    return url


def check_body(body: str) -> None:
    """Raise ValueError for a body that holds a secret itself."""
    if not is_reference(body) and (found := _IN_TEXT.search(body)):
        raise ValueError(
            f"the body holds a secret ({found[1]}), which a file must not; write where the whole body is, as env:NAME "
            "or file:PATH"
        )


def check_argv(argv: Sequence[str]) -> Sequence[str]:
    """``argv``. Raises ValueError for a command line that holds a secret."""
    if where := _secret_in(argv):
        raise ValueError(
            f"the command line holds a secret ({where}), which a file must not; let the program read it from a file, "
            "or from its environment, which is that of chaoskit"
        )
    return argv


def _secret_in(argv: Sequence[str]) -> str:
    """What in ``argv`` gives a secret away; empty when nothing seems to."""
    short = _SHORT_OPTIONS.get(argv[0].rpartition("/")[2], "\0") if argv else "\0"
    for word, following in pairwise((*argv, "-")):
        option, equals, value = word.partition("=")
        header = _HEADER_LINE.match(word)
        if _LOGIN.search(word):
            return "a login in a URL"
        if _OPTION.fullmatch(option) and (value or not (equals or following.startswith("-"))):
            return option
        if word.startswith(short) and (word != short or following != "-"):
            return short
        if header and names_secret(header[1]):
            return header[1]
        if found := _IN_QUERY.search(word) or _IN_TEXT.match(word):
            return found[1]
    return ""
