"""What chaoskit may have left somewhere, found by its tag alone, where no journal tells of it."""

import re
from collections.abc import Callable
from typing import NamedTuple

_TAG = re.compile(r"chaoskit-(?P<run>[a-z0-9]+)-[a-z0-9]+")


class Trace(NamedTuple):
    """One thing that carries a tag.

    ``at_work``: it will do its duty by itself, or is doing it. ``remove`` undoes what it stands for and removes it;
    says what was done, and raises TargetError.
    """

    where: str
    tag: str
    what: str
    at_work: bool
    remove: Callable[[], str]

    @property
    def run(self) -> str:
        """The run that it is of; empty when its tag does not tell."""
        found = _TAG.fullmatch(self.tag)
        return found["run"] if found else ""
