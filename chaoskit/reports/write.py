"""Puts the reports of a run into a folder: ``<folder>/<experiment>/<run>/report.html`` and its siblings."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chaoskit.domain.errors import ReportNotWritten
from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Judgement
from chaoskit.reports import html, json_, junit, markdown

Render = Callable[[RunRecord, Judgement], str]

# The record itself comes first: if the disk fills up, it is what must not be missing.
FILES: dict[str, tuple[str, Render]] = {
    "json": ("report.json", json_.render),
    "junit": ("junit.xml", junit.render),
    "markdown": ("report.md", markdown.render),
    "html": ("report.html", html.render),
}
_FOLDER_MODE = 0o700


def write(record: RunRecord, judgement: Judgement, folder: Path) -> dict[str, Path]:
    """Write every report of one run, readable by the owner only; each file is whole or not there at all.

    Returns the paths by format: ``json``, ``junit``, ``markdown``, ``html``. Raises ReportNotWritten after trying
    all of them.
    """
    place = folder / _part(record.experiment.name) / _part(record.run)
    try:
        _make(place)
    except OSError as error:
        raise ReportNotWritten(_cannot(place, error)) from error
    written, troubles = {}, []
    for name, (file, render) in FILES.items():
        try:
            _replace(place / file, render(record, judgement))
            written[name] = place / file
        except OSError as error:
            troubles.append(_cannot(place / file, error))
        except Exception as error:  # noqa: BLE001 a defect in one renderer must not cost the reports of the others
            troubles.append(f"{file} could not be made ({type(error).__name__}: {error}); the other reports are whole")
    if troubles:
        raise ReportNotWritten("\n".join(troubles))
    return written


def _part(name: str) -> str:
    """``name`` as one component of a path."""
    if not name or name.startswith(".") or any(char in name for char in "/\\\0"):
        raise ReportNotWritten(
            f"{name!r} cannot name a folder; the name of an experiment is a slug such as replica-loss"
        )
    return name


def _make(place: Path) -> None:
    """Create what is missing of ``place``, each new folder for its owner only; what exists stays as it is."""
    missing = [part for part in (place, *place.parents) if not part.exists()]
    for part in reversed(missing):
        with suppress(FileExistsError):  # another run may have made the experiment's folder just now
            part.mkdir(mode=_FOLDER_MODE)


def _replace(path: Path, text: str) -> None:
    """Write beside and rename over, so that a reader, or a crash, never meets half a file."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _cannot(path: Path, error: OSError) -> str:
    why = error.strerror or str(error)
    return f"cannot write {path}: {why}; choose a folder you may write to with --reports, or make room on the disk"
