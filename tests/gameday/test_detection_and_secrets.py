"""Expected alerts are part of the verdict; secrets are part of nothing that is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gameday.kit import Chaoskit

DETECTED = """
apiVersion: chaoskit/v1
kind: Experiment
name: detected
title: People are woken when the only replica dies
prometheus: {url: "${PROMETHEUS_URL}"}
targets: {solo: {docker: {compose: {project: "${BED}", service: solo}}}}
steady_state:
  - {name: prometheus is up, promql: 'count(up{job="load"} == 1)', at_least: 1}
expect:
  recover_within: 20s
  alerts:
    - {alert: %s, fires_within: 15s}
faults: [{kind: instance.kill, target: solo, duration: 12s}]
blast_radius: {max_targets: 1, require_label: chaoskit.allow=true}
sampling: {baseline: 2s}
"""
SECRET = "tok-3f9a51c7e2b84d60"
GUARDED = """
apiVersion: chaoskit/v1
kind: Experiment
name: guarded
title: Logins are by reference
prometheus: {url: "${PROMETHEUS_URL}", auth: {bearer: "env:PROM_TOKEN"}}
targets: {solo: {docker: {compose: {project: "${BED}", service: solo}}}}
steady_state:
  - {name: load, promql: 'sum(rate(client_requests_total[5s]))', at_least: 1}
  - name: front page
    http:
      url: "${FRONT_URL}/"
      auth: {username: ops, password: "file:%(secret)s"}
      headers: {X-Vault-Token: "env:PROM_TOKEN", Cookie: "file:%(secret)s"}
      body: "file:%(secret)s"
faults: [{kind: instance.pause, target: solo, duration: 4s}]
blast_radius: {max_targets: 1}
sampling: {baseline: 1s}
"""


def test_an_expected_alert_that_fires_in_time_is_part_of_passing(chaoskit: Chaoskit, tmp_path: Path) -> None:
    file = tmp_path / "detected.yaml"
    file.write_text(DETECTED % "HighErrorRate")
    done = chaoskit("run", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    judgement = chaoskit.report("detected")["judgement"]
    (detection,) = judgement["detections"]
    assert detection["outcome"] == "held"
    assert 0 < judgement["time_to_detect"] <= 15


def test_an_expected_alert_that_stays_silent_fails_the_run(chaoskit: Chaoskit, tmp_path: Path) -> None:
    file = tmp_path / "detected.yaml"
    file.write_text(DETECTED % "NobodyWroteThisRule")
    done = chaoskit("run", str(file))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "did not fire" in done.stdout


def test_no_secret_is_in_anything_that_is_written(chaoskit: Chaoskit, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(f"{SECRET}\n")
    file = tmp_path / "guarded.yaml"
    file.write_text(GUARDED % {"secret": password})
    chaoskit.env["PROM_TOKEN"] = SECRET
    plan = tmp_path / "plan.json"
    given = ("--set", f"TICKET={SECRET}")
    planned = chaoskit("plan", str(file), "--out", str(plan), *given)
    done = chaoskit("run", str(file), "--verbose", *given)
    assert (planned.returncode, done.returncode) == (0, 0), done.stdout + done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != password]
    assert len(written) >= 7, "the store, the plan and the four reports are among them"
    assert chaoskit.report("guarded")["run"]["command"].endswith("--set TICKET=...")
    texts = [path.read_bytes() for path in written]
    texts += [stream.encode() for ran in (planned, done) for stream in (ran.stdout, ran.stderr)]
    assert not [path for path, text in zip([*written, *"____"], texts, strict=True) if SECRET.encode() in text]


@pytest.mark.parametrize(
    "leaky",
    [
        'http: {url: "http://web/", headers: {X-Auth-Token: "%s"}}',
        'http: {url: "http://web/", headers: {X-Vault-Token: "${PROM_TOKEN}"}}',
        'http: {url: "http://web/", body: "user=ada&password=%s"}',
        'http: {url: "http://web/?api_key=%s"}',
        'command: {run: [redis-cli, -a, "%s", ping]}',
    ],
)
def test_a_file_that_holds_a_secret_is_refused_and_the_secret_not_shown(
    chaoskit: Chaoskit, tmp_path: Path, leaky: str
) -> None:
    file = tmp_path / "leaky.yaml"
    check = leaky.replace("%s", SECRET)
    file.write_text(DETECTED.replace("steady_state:", f"steady_state:\n  - {{name: leaky, {check}}}") % "X")
    chaoskit.env["PROM_TOKEN"] = SECRET
    done = chaoskit("run", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds a secret" in done.stderr
    assert SECRET not in done.stderr
    assert not chaoskit.store.exists()
