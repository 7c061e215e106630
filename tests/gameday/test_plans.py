"""A plan is a promise: it shows exactly what would be done, and is refused when reality has moved on."""

from __future__ import annotations

import json
from pathlib import Path

import docker

from chaoskit.demo.bed import BedInfo
from tests.gameday.kit import EXPERIMENTS, Chaoskit

REPLICA_LOSS = str(EXPERIMENTS / "replica-loss.yaml")


def test_plan_shows_targets_actions_undo_arithmetic_and_values(chaoskit: Chaoskit, docker_bed: BedInfo) -> None:
    done = chaoskit("plan", REPLICA_LOSS, "--seed", "s")
    assert done.returncode == 0, done.stderr
    chosen = next(name for name in ("web-1", "web-2", "web-3") if docker_bed.containers[name] in done.stdout)
    assert f"{docker_bed.bed_id}-{chosen}" in done.stdout
    for word in ("kill", "start", "availability", "34%", "min_healthy"):
        assert word in done.stdout


def test_the_same_seed_makes_the_same_plan(chaoskit: Chaoskit) -> None:
    first, second = (json.loads(chaoskit("plan", REPLICA_LOSS, "--seed", "s", "--json").stdout) for _ in range(2))
    assert first["fingerprint"] == second["fingerprint"]


def test_a_plan_runs_while_it_holds_and_is_refused_after_a_restart(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    assert chaoskit("plan", str(EXPERIMENTS / "frozen-replica.yaml"), "--out", str(plan)).returncode == 0
    ran = chaoskit("run", "--plan", str(plan))
    assert ran.returncode == 0, ran.stdout + ran.stderr

    engine.containers.get(docker_bed.containers["web-1"]).restart(timeout=1)
    refused = chaoskit("run", "--plan", str(plan))
    assert refused.returncode == 3, refused.stdout
    assert "web-1" in refused.stdout
    assert "restarted" in refused.stdout


def test_the_prometheus_that_judges_is_never_a_target(chaoskit: Chaoskit, tmp_path: Path) -> None:
    text = Path(REPLICA_LOSS).read_text().replace("service: web}", "service: prometheus}")
    file = tmp_path / "own-goal.yaml"
    file.write_text(
        text.replace("require_label: chaoskit.allow=true", "max_percent: 100%").replace("max_percent: 34%, ", "")
    )
    done = chaoskit("run", str(file))
    assert done.returncode == 3, done.stdout + done.stderr
    assert "which this run depends on" in done.stdout


def test_protected_names_of_the_settings_hold(chaoskit: Chaoskit, tmp_path: Path) -> None:
    (tmp_path / "chaoskit.toml").write_text('[protected]\nnames = ["*web*"]\n')
    done = chaoskit("run", REPLICA_LOSS)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "protected" in done.stdout


def test_a_broken_plan_file_is_a_clear_error(chaoskit: Chaoskit, tmp_path: Path) -> None:
    broken = tmp_path / "plan.json"
    broken.write_text('{"experiment": 1}')
    done = chaoskit("run", "--plan", str(broken))
    assert done.returncode == 2
    assert "is not a plan" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_that_was_edited_wrongly_is_a_clear_error(chaoskit: Chaoskit, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    assert chaoskit("plan", REPLICA_LOSS, "--out", str(path)).returncode == 0
    good = json.loads(path.read_text())
    for change, words in (
        ({"parameters": {"signl": 3}}, "experiment.faults.0.parameters.signl: is not a key that is known here"),
        ({"target": "nobody"}, "experiment.faults.0.target: no target is named 'nobody'"),
    ):
        (step,) = good["experiment"]["faults"]
        edited = {**good, "experiment": {**good["experiment"], "faults": [{**step, **change}]}}
        path.write_text(json.dumps(edited))
        done = chaoskit("run", "--plan", str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{path}: {words}" in done.stderr
