"""Cold start, side by side with the core of the closest peer; everything of ours is installed, of theirs the core."""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.figures import interleaved, show

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "replica-loss.yaml"
PEER = "chaostoolkit==1.19.0"


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The peer's command, installed in an environment of its own."""
    folder = tmp_path_factory.mktemp("peer")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    install = [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", PEER, "setuptools<81"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"missing capability: {PEER} from the package registry ({done.stderr.strip()[-200:]})")
    return folder / "bin" / "chaos"


@pytest.fixture(scope="module")
def peer_experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment of the peer's own kind: smaller than ours, to its advantage."""
    path = tmp_path_factory.mktemp("experiment") / "trivial.json"
    probe = {"type": "probe", "name": "ok", "tolerance": 0, "provider": {"type": "process", "path": "true"}}
    document = {
        "title": "t",
        "description": "d",
        "steady-state-hypothesis": {"title": "s", "probes": [probe]},
        "method": [{**probe, "type": "action"}],
    }
    path.write_text(json.dumps(document))
    return path


def test_version_and_validate_start_no_slower_than_the_peer(
    peer: Path, peer_experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = Path(sys.executable).parent / "chaoskit"
    # A checkout is not compiled by pip as an installed package is; both sides start from bytecode.
    compileall.compile_dir(str(EXPERIMENT.parents[1] / "chaoskit"), quiet=1)
    median = interleaved(
        {
            "chaoskit --version": [str(ours), "--version"],
            "chaos --version": [str(peer), "--version"],
            "chaoskit validate": [str(ours), "validate", str(EXPERIMENT)],
            "chaos validate": [str(peer), "--no-version-check", "validate", str(peer_experiment)],
        },
        peer_experiment.parent,
    )
    version = median["chaoskit --version"] / median["chaos --version"]
    validate = median["chaoskit validate"] / median["chaos validate"]
    rows = {name: f"{seconds * 1000:.0f} ms" for name, seconds in median.items()}
    show(
        capsys,
        "cold start, medians",
        {**rows, "ratio --version": f"{version:.2f}", "ratio validate": f"{validate:.2f}"},
    )
    assert version <= 1
    assert validate <= 1
