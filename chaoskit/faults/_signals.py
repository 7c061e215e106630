"""The signals of Linux, and what each can be expected to do to a process that has no handler for it."""

import re

ENDING = frozenset(["KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV", "BUS", "FPE", "ILL", "SYS", "TRAP"])
"""Meant to end a process: one that survives was not hit."""

OTHER = frozenset({"HUP", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "PIPE", "IO", "PWR"}) | frozenset(
    {"WINCH", "CONT", "CHLD", "URG", "XCPU", "XFSZ", "STKFLT"}
)
"""May mean anything to a process: one that survives may have been hit all the same."""

STOPPING = frozenset({"STOP", "TSTP", "TTIN", "TTOU"})
"""Freeze a process behind the back of its engine."""

_REAL_TIME = re.compile(r"RT(MIN(\+\d{1,2})?|MAX(-\d{1,2})?)")


def parse_signal(text: object) -> str:
    """The name of a signal without ``SIG``, in capitals. Raises ValueError."""
    name = text.upper().removeprefix("SIG") if isinstance(text, str) else ""
    if name in STOPPING:
        raise ValueError(f"SIG{name} freezes a process without ending it; use instance.pause")
    if name in ENDING or name in OTHER or _REAL_TIME.fullmatch(name):
        return name
    raise ValueError(f"{text!r} is not the name of a signal; write for example KILL, TERM or RTMIN+3")
