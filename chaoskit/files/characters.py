"""Characters that have no place in a file that people review: they hide what the file says, or steer a terminal."""

import re

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, tab, line feed and carriage return excepted
    "\u2028\u2029"  # breaks that YAML takes for a new line and many editors do not show
    "\u202a-\u202e\u2066-\u2069"  # overrides of the writing direction: what is read is not what is there
    "\ud800-\udfff\ufffe\uffff"  # not text at all
    "]"
)


def find_unsafe(text: str) -> tuple[int, str] | None:
    """The offset and the name (``U+0007``) of the first unsafe character in ``text``, or None."""
    found = _UNSAFE.search(text)
    return (found.start(), f"U+{ord(found.group()):04X}") if found else None
