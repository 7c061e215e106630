"""Faults on instances as tables: facts in; exact commands, effects, residue and drift out."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.domain.ports import Fault, Handle, InstanceState
from chaoskit.faults._instance import InstanceInjection, instance_residue, missing, renewed
from chaoskit.faults._signals import ENDING, OTHER, parse_signal
from chaoskit.faults.instance_kill import InstanceKill, KillInjection
from chaoskit.faults.instance_pause import InstancePause, PauseInjection
from chaoskit.faults.instance_restart import InstanceRestart, RestartInjection
from chaoskit.faults.instance_stop import InstanceStop, StopInjection
from chaoskit.faults.network_disconnect import NetworkDisconnect

ID = "3192c3b7c7e5"
BEFORE = InstanceState(
    status="running", running=True, pid=42, started_at="T1", health="healthy", restart_policy="always"
)
COMMON: dict[str, Any] = {
    "tag": "chaoskit-r1-1",
    "target": f"docker://vm/web-1@{ID}",
    "handle": Handle(command=("docker", "--host", "ssh://ops@docker-3"), instance=ID),
    "before": BEFORE,
    "attached": ("front",),
}
KILL = KillInjection(**COMMON, signal="KILL", via="engine")
TERM = KillInjection(**COMMON, signal="TERM", via="engine")
HUP = KillInjection(**COMMON, signal="HUP", via="process")
CRASH = KillInjection(**COMMON, signal="KILL", via="process")
STOP = StopInjection(**COMMON, grace=10)
RESTART = RestartInjection(**COMMON, grace=3)
PAUSE = PauseInjection(**COMMON)
ALL: list[InstanceInjection] = [KILL, TERM, HUP, CRASH, STOP, RESTART, PAUSE]
AT = "docker --host ssh://ops@docker-3"


def state(**changes: object) -> InstanceState:
    return BEFORE.model_copy(update=changes)


DOWN = state(status="exited", running=False, pid=0, exit_code=137, health="")
PAUSED = state(status="paused", paused=True)
RESTARTED = state(pid=77, started_at="T2", health="starting", restart_count=1)
RESTARTING = state(status="restarting", running=False, pid=0, exit_code=137, health="")


@pytest.mark.parametrize(
    ("injection", "action", "by_hand"),
    [
        (KILL, f"{AT} kill --signal KILL {ID}", f"{AT} start {ID}"),
        (TERM, f"{AT} kill --signal TERM {ID}", f"{AT} start {ID}"),
        (CRASH, "kill -KILL 42  # the main process, on the Docker host", f"{AT} start {ID}"),
        (STOP, f"{AT} stop -t 10 {ID}", f"{AT} start {ID}"),
        (RESTART, f"{AT} restart -t 3 {ID}", f"{AT} start {ID}"),
        (PAUSE, f"{AT} pause {ID}", f"{AT} unpause {ID}"),
    ],
)
def test_commands_are_exact(injection: InstanceInjection, action: str, by_hand: str) -> None:
    assert injection.actions() == (action,)
    assert injection.by_hand()[0] == by_hand
    assert any(by_hand in line for line in injection.undo())
    assert any(line.startswith("restored: ") for line in injection.undo())


@pytest.mark.parametrize("injection", ALL)
def test_by_hand_a_start_comes_last_for_whatever_was_stopped_meanwhile(injection: InstanceInjection) -> None:
    assert injection.by_hand()[-1].partition("  # ")[0] == f"{AT} start {ID}"


@pytest.mark.parametrize("injection", ALL)
def test_an_injection_is_data(injection: InstanceInjection) -> None:
    assert type(injection).model_validate(json.loads(injection.model_dump_json())) == injection


@pytest.mark.parametrize(
    ("injection", "now", "bit"),
    [
        (KILL, BEFORE, False),
        (KILL, DOWN, True),
        (KILL, RESTARTED, True),
        (KILL, RESTARTING, True),
        (TERM, BEFORE, False),
        (HUP, BEFORE, None),
        (HUP, DOWN, True),
        (CRASH, RESTARTED, True),
        (STOP, BEFORE, False),
        (STOP, PAUSED, False),
        (STOP, DOWN, True),
        (STOP, RESTARTED, True),
        (STOP, RESTARTING, True),
        (RESTART, BEFORE, False),
        (RESTART, RESTARTED, True),
        (RESTART, DOWN, True),
        (PAUSE, BEFORE, False),
        (PAUSE, DOWN, False),
        (PAUSE, PAUSED, True),
    ],
)
def test_the_effect_is_what_is_seen(injection: InstanceInjection, now: InstanceState, bit: bool | None) -> None:
    seen, measured = injection.measure(now)
    assert seen is bit
    assert measured


@pytest.mark.parametrize("injection", [KILL, CRASH, STOP])
def test_one_that_waits_for_its_restart_has_not_been_started_yet(injection: InstanceInjection) -> None:
    _, measured = injection.measure(RESTARTING)
    assert measured.startswith("the engine says restarting")


@pytest.mark.parametrize(
    ("now", "residue"),
    [
        (BEFORE, ()),
        (RESTARTED, ()),
        (state(health="starting"), ()),
        (state(health="unhealthy"), ("unhealthy; it was healthy before",)),
        (DOWN, ("not running: exited (exit code 137); it was running before",)),
        (PAUSED, ("paused; it was not paused before",)),
        (RESTARTING, ("not running: restarting (exit code 137); it was running before",)),
        (state(status="stopping"), ("stopping; it was running before",)),
        (
            state(status="paused", paused=True, health="unhealthy"),
            ("paused; it was not paused before", "unhealthy; it was healthy before"),
        ),
    ],
)
def test_residue_is_what_is_not_as_before(now: InstanceState, residue: tuple[str, ...]) -> None:
    assert instance_residue(BEFORE, now) == residue


def test_one_that_was_not_healthy_before_need_not_be_after() -> None:
    for health in ("", "starting", "unhealthy"):
        assert instance_residue(state(health=health), state(health="unhealthy")) == ()


def test_a_network_that_is_missing_is_residue_and_one_more_is_not() -> None:
    assert missing(("back", "front"), ("front", "new")) == ("not attached to the network back, as it was before",)


def test_only_what_the_engine_gave_anew_and_different_is_told() -> None:
    before = {"host port of 80/tcp": "32774", "address on front": "172.19.0.2", "address on back": "10.0.0.2"}
    now = {"host port of 80/tcp": "32775", "address on front": "172.19.0.2", "address on new": "10.0.1.2"}
    assert renewed(before, now) == "; not as before: host port of 80/tcp is 32775, was 32774"
    assert renewed(before, before) == ""


@pytest.mark.parametrize(
    ("injection", "now", "drift"),
    [
        (PAUSE, PAUSED, ""),
        (PAUSE, BEFORE, "thawed by somebody else"),
        (PAUSE, RESTARTED, "restarted by somebody else, which also thawed it"),
        (PAUSE, DOWN, "stopped by somebody else (status exited)"),
        (PAUSE, RESTARTING, "stopped by somebody else (status restarting)"),
        (STOP, DOWN, ""),
        (STOP, RESTARTING, ""),
        (STOP, RESTARTED, "started again by somebody else"),
        (KILL, DOWN, ""),
        (KILL, RESTARTED, ""),
        (CRASH, RESTARTED, ""),
        (RESTART, RESTARTED, ""),
    ],
)
def test_drift_is_what_others_did(injection: InstanceInjection, now: InstanceState, drift: str) -> None:
    assert injection.changed_by_others(now) == drift


def test_the_worst_case_of_a_revert_covers_what_may_still_be_under_way() -> None:
    assert KILL.revert_within == 15
    assert TERM.revert_within == 25
    assert STOP.revert_within == 27
    assert RESTART.revert_within == 20
    assert PAUSE.revert_within == 15


@pytest.mark.parametrize(
    ("written", "name"),
    [("KILL", "KILL"), ("SIGKILL", "KILL"), ("sigterm", "TERM"), ("usr1", "USR1"), ("RTMIN+3", "RTMIN+3")],
)
def test_signals_are_written_as_people_write_them(written: str, name: str) -> None:
    assert InstanceKill.model_validate({"signal": written}).signal == name


@pytest.mark.parametrize("written", ["STOP", "SIGSTOP", "TSTP"])
def test_a_signal_that_freezes_points_to_pause(written: str) -> None:
    with pytest.raises(ValidationError, match=r"use instance\.pause"):
        InstanceKill.model_validate({"signal": written})


@pytest.mark.parametrize("written", ["", "KILLL", "9", 9, None, "RTMIN+", "RTMIN+333", "KILL; rm", ["KILL"]])
def test_what_is_no_signal_is_refused_with_an_example(written: object) -> None:
    with pytest.raises(ValidationError, match="write for example KILL, TERM or RTMIN"):
        InstanceKill.model_validate({"signal": written})


def test_no_signal_is_of_two_minds() -> None:
    assert not ENDING & OTHER
    assert all(parse_signal(name) == name for name in ENDING | OTHER)


@pytest.mark.parametrize("grace", ["301s", "-1s", "10", 10, "soon"])
@pytest.mark.parametrize("fault", [InstanceStop, InstanceRestart])
def test_a_grace_period_has_a_unit_and_an_end(fault: type[Fault], grace: object) -> None:
    with pytest.raises(ValidationError):
        fault.model_validate({"grace": grace})


@pytest.mark.parametrize("fault", [InstanceKill, InstancePause, InstanceRestart, InstanceStop, NetworkDisconnect])
def test_examples_are_valid_and_unknown_parameters_are_not(fault: type[Fault]) -> None:
    assert fault.examples
    for example in fault.examples:
        parameters: Mapping[str, object] = example
        assert fault.model_validate(parameters).model_dump(mode="json", exclude_unset=True) == parameters
        with pytest.raises(ValidationError):
            fault.model_validate({**parameters, "grase": "1s"})
