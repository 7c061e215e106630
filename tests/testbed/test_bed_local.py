"""The bed of local processes: the same promises as the Docker bed, without Docker and without root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from chaoskit.demo.bed import SUCCESS_RATIO, BedInfo, BedUnavailable, users_requests, vector, wait_until
from chaoskit.demo.local_bed import LocalBed
from chaoskit.demo.local_parts import belongs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAULT_SECONDS = 3.0


@pytest.fixture
def bed(tmp_path: Path, unique_id: str) -> Iterator[LocalBed]:
    """A bed for one test alone, without Prometheus, so that it is ready at once."""
    bed = LocalBed(f"{unique_id}-own", tmp_path, max_seconds=100, prometheus=None)
    yield bed
    bed.down()


def of_bed(bed_id: str, folder: Path) -> list[int]:
    """List the processes whose command line names the bed."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        process.pid
        for process in found
        if belongs(process.info["cmdline"] or (), bed_id, folder) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def error_ratio(info: BedInfo, service: str, seconds: float = FAULT_SECONDS) -> float:
    before = users_requests(info.users_url)
    time.sleep(seconds)
    felt = {key: count - before.get(key, 0) for key, count in users_requests(info.users_url).items()}
    total = sum(count for (name, _), count in felt.items() if name == service)
    assert total > seconds * 10, f"too little load on {service} to judge: {felt}"
    return 1 - felt[service, "200"] / total


def test_prometheus_sees_load_on_both_services_and_only_successes(local_bed: BedInfo) -> None:
    if local_bed.prometheus_url is None:
        pytest.skip("missing capability: prometheus on PATH")
    assert vector(local_bed.prometheus_url, SUCCESS_RATIO) == {"web": 1.0, "solo": 1.0}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_users_hardly_notice_the_loss_of_one_replica_of_three(bed: LocalBed, number: signal.Signals) -> None:
    info = bed.up()
    bed.wait_ready()
    os.kill(info.pids["web-1"], number)
    assert error_ratio(info, "web") < 0.02
    assert error_ratio(info, "solo", 1.0) == 0


def test_users_feel_the_loss_of_the_only_replica_until_someone_starts_it_again(bed: LocalBed) -> None:
    info = bed.up()
    bed.wait_ready()
    os.kill(info.pids["solo-1"], signal.SIGKILL)
    assert error_ratio(info, "solo") > 0.9
    assert bed.info() is None
    restarted = subprocess.Popen(info.processes["solo-1"])
    try:
        wait_until(lambda: None if error_ratio(info, "solo", 0.5) == 0 else "errors", 10, "solo", poll=0)
    finally:
        restarted.kill()
        restarted.wait(5)


def test_a_dead_part_is_started_again_by_its_name(bed: LocalBed) -> None:
    info = bed.up()
    with pytest.raises(BedUnavailable, match=r"web-3 .* is running"):
        bed.start("web-3")
    os.kill(info.pids["web-3"], signal.SIGKILL)
    wait_until(lambda: None if bed.info() is None else "still alive", 5, "web-3", poll=0.02)
    assert bed.start("web-3") != info.pids["web-3"]
    assert bed.info() is not None
    with pytest.raises(BedUnavailable, match="no part 'web-7'"):
        bed.start("web-7")


def test_down_from_another_object_ends_everything_even_what_an_experiment_restarted(
    bed: LocalBed, tmp_path: Path
) -> None:
    info = bed.up()
    folder = tmp_path / bed.bed_id
    os.kill(info.pids["web-1"], signal.SIGKILL)
    os.kill(info.pids["web-2"], signal.SIGSTOP)
    restarted = subprocess.Popen(info.processes["web-1"], stderr=subprocess.DEVNULL)
    assert len(of_bed(bed.bed_id, folder)) == len(info.processes)
    LocalBed(bed.bed_id, tmp_path).down()
    restarted.wait(5)
    assert of_bed(bed.bed_id, folder) == []
    assert not folder.exists()
    LocalBed(bed.bed_id, tmp_path).down()


def test_down_does_not_touch_a_stranger_with_a_recycled_pid(bed: LocalBed, tmp_path: Path) -> None:
    bed.up()
    state = tmp_path / bed.bed_id / "bed.json"
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        saved = json.loads(state.read_text())
        saved["children"]["web-1"] = [stranger.pid, saved["children"]["web-1"][1] - 60]
        state.write_text(json.dumps(saved))
        bed.down()
        assert stranger.poll() is None
        assert of_bed(bed.bed_id, tmp_path / bed.bed_id) == []
    finally:
        stranger.kill()
        stranger.wait(5)


def test_a_half_written_state_file_does_not_keep_the_bed_from_going_down(bed: LocalBed, tmp_path: Path) -> None:
    bed.up()
    (tmp_path / bed.bed_id / "bed.json").write_text('{"info": {"ki')
    assert bed.info() is None
    bed.down()
    assert of_bed(bed.bed_id, tmp_path / bed.bed_id) == []


def test_every_process_ends_by_itself_after_its_time(tmp_path: Path, unique_id: str) -> None:
    bed = LocalBed(f"{unique_id}-short", tmp_path, max_seconds=2)
    try:
        bed.up()
        folder = tmp_path / bed.bed_id
        wait_until(lambda: "some live" if of_bed(bed.bed_id, folder) else None, 8, "the end", poll=0.1)
    finally:
        bed.down()


def test_bringing_a_running_bed_up_again_changes_nothing(bed: LocalBed) -> None:
    assert bed.up() == bed.up()


def test_a_bed_that_cannot_start_takes_down_what_it_made(tmp_path: Path, unique_id: str) -> None:
    broken = LocalBed(f"{unique_id}-broken", tmp_path, prometheus="/no/such/prometheus")
    with pytest.raises(BedUnavailable, match="prometheus"):
        broken.up()
    assert of_bed(broken.bed_id, tmp_path / broken.bed_id) == []
    assert not (tmp_path / broken.bed_id).exists()
