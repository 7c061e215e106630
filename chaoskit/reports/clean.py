"""What must not reach a reader of any report: credentials, and characters that change how a page reads.

A report is made of strings that other systems wrote: error texts, labels, alert names. Each is cleaned once, where
a renderer begins, so that no later line has to think of it.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from chaoskit.domain.secrecy import HEADER_IN_TEXT, PARAMETER_IN_TEXT, is_reference, names_secret

HIDDEN = "***"
_URL_LOGIN = re.compile(r"(?<=://)[^\s/?#@:]*:[^\s/?#]*(?=@)")
_HTTP_TOKEN = re.compile(r"(?<=http://|ttps://)[^\s/?#@:]+(?=@)")  # look-behinds are of one width, so http and (h)ttps
_QUERY_SECRET = re.compile(rf"(?i)([?&](?:{PARAMETER_IN_TEXT})=)[^&\s\"'#]+")
_AUTH_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+)(?=\S*[\d=])[A-Za-z0-9._~+/=-]{8,}")
_HEADER = re.compile(rf"(?i)({HEADER_IN_TEXT})([\"']?\s*+:\s*+[\"']?+)(?!env:|file:)[^\"'\n}}]+")
_BIDI = "\u202a-\u202e\u2066-\u2069"
_UNSEEN = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}\u2028\u2029\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]")
_DELETE = 0x7F
_SPACE = 0x20

Model = TypeVar("Model", bound=BaseModel)


def redact(text: str) -> str:
    """``text`` without logins and tokens in URLs and without the values of authorization headers.

    A net under the rule that records hold references to secrets only: file comments and error texts are free text.
    """
    text = _URL_LOGIN.sub(HIDDEN, text)
    text = _HTTP_TOKEN.sub(HIDDEN, text)
    text = _QUERY_SECRET.sub(rf"\1{HIDDEN}", text)
    text = _HEADER.sub(rf"\1\2{HIDDEN}", text)
    return _AUTH_SCHEME.sub(rf"\1\2{HIDDEN}", text)


def visible(text: str) -> str:
    """``text`` with every character that is invisible or reorders others shown as a sign for it.

    Control characters would be invalid in HTML and XML and could drive a terminal; text-direction overrides could
    make a command by hand read differently from what is pasted. Line breaks and tabs stay.
    """
    return _UNSEEN.sub(_sign, text.replace("\r\n", "\n"))


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < _SPACE:
        return chr(0x2400 + code)
    return "\u2421" if code == _DELETE else f"\u27e8U+{code:04X}\u27e9"


def redacted(model: Model) -> Model:
    """A copy of ``model`` with :func:`redact` applied to every string in it; for readers that are programs."""
    return _mapped(model, redact)


def presentable(model: Model) -> Model:
    """A copy of ``model`` with :func:`redact` and :func:`visible` applied to every string in it; for people."""
    return _mapped(model, lambda text: visible(redact(text)))


def _mapped(model: Model, change: Callable[[str], str]) -> Model:
    changes = {}
    for name in type(model).model_fields:
        old = getattr(model, name)
        new = _walk(old, change)
        if new is not old:
            changes[name] = new
    # Copied, not validated again: a record that could be stored must be reportable, whatever is in it.
    return model.model_copy(update=changes) if changes else model


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with its strings changed; the very same object when there was nothing to change."""
    if type(value) is str:
        new = change(value)
        return value if new == value else new
    if isinstance(value, BaseModel):
        return _mapped(value, change)
    if isinstance(value, tuple | list):
        items = [_walk(item, change) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else type(value)(items)
    if isinstance(value, dict):
        changed = {_walk(key, change): _entry(key, item, change) for key, item in value.items()}
        return value if changed == value else changed
    return value


def _entry(key: Any, item: Any, change: Callable[[str], str]) -> Any:
    hide = isinstance(key, str) and names_secret(key) and isinstance(item, str) and not is_reference(item)
    return HIDDEN if hide else _walk(item, change)
