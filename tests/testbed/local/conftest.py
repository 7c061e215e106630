"""What every test of this folder needs."""

from pathlib import Path

import pytest

from chaoskit.faults import process_kill


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what faults put aside out of the state folder of whoever runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a shorter time for what will never come back; what does come back here takes a tenth of a second."""
    monkeypatch.setattr(process_kill, "_BACK_WITHIN", 3.0)
    monkeypatch.setattr(process_kill, "_IN_FLIGHT", 2.0)
