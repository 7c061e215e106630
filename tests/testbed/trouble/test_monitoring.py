"""Prometheus falls silent, or talks nonsense, while a fault is in: a run that is blind stops, and proves nothing."""

import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.testbed.probes.parts import PrometheusServer, Reply, Seen, Server, forward
from tests.testbed.trouble.kit import SLACK, Chaoskit, Sleeper, Story, experiment, verdict

TICK = 0.5
NO_DATA_FOR = 2.0
LATE = 60.0
HTML = b"<!DOCTYPE html><title>502 Bad Gateway</title><h1>nginx</h1>"
HUGE = 24 * 1024 * 1024

Spoil = Callable[[PrometheusServer, Server, threading.Event], None]


class Blind(NamedTuple):
    """What came of a run whose monitoring failed."""

    code: int
    output: str
    restored_after: float
    record: Mapping[str, Any]
    bystander_untouched: bool
    left_behind: list[str]


# --- what goes wrong ------------------------------------------------------------------------------------------


def stopped(prometheus: PrometheusServer, _door: Server, _over: threading.Event) -> None:
    prometheus.process.send_signal(signal.SIGSTOP)


def killed(prometheus: PrometheusServer, _door: Server, _over: threading.Event) -> None:
    prometheus.process.kill()


def html(_prometheus: PrometheusServer, door: Server, _over: threading.Event) -> None:
    door.reply = lambda seen: Reply(HTML, 200, {"Content-Type": "text/html"})


def error(_prometheus: PrometheusServer, door: Server, _over: threading.Event) -> None:
    door.reply = lambda seen: Reply(b"storage is not ready", 500, {"Content-Type": "text/plain"})


def binary(_prometheus: PrometheusServer, door: Server, _over: threading.Event) -> None:
    """It says JSON, and is none."""
    door.reply = lambda seen: Reply(bytes(range(256)) * 4, 200, {"Content-Type": "application/json"})


def truncated(_prometheus: PrometheusServer, door: Server, _over: threading.Event) -> None:
    """A right answer, of which only the half comes: the length that was promised is the half's, too."""
    whole = door.reply

    def half(seen: Seen) -> Reply:
        body = whole(seen).body
        return Reply(body[: len(body) // 2])

    door.reply = half


def huge(_prometheus: PrometheusServer, door: Server, _over: threading.Event) -> None:
    """The beginning of an answer that never seems to end."""
    series = b'{"metric":{"n":"0123456789"},"value":[1,"1"]},'
    body = b'{"status":"success","data":{"resultType":"vector","result":[' + series * (HUGE // len(series))
    door.reply = lambda seen: Reply(body, 200, {"Content-Type": "application/json"})


def late(_prometheus: PrometheusServer, door: Server, over: threading.Event) -> None:
    """A right answer, after a minute."""
    whole = door.reply

    def reply(seen: Seen) -> Reply:
        over.wait(LATE)
        return whole(seen)

    door.reply = reply


# --- stories --------------------------------------------------------------------------------------------------


@contextmanager
def monitored(folder: Path) -> Iterator[tuple[PrometheusServer, Server, threading.Event]]:
    """A real Prometheus, and a door to it that may be spoiled."""
    if shutil.which("prometheus") is None:
        pytest.skip("missing capability: the prometheus binary (install the package prometheus)")
    prometheus, over = PrometheusServer(folder, {}), threading.Event()
    try:
        with Server(forward(lambda: prometheus.port)) as door:
            yield prometheus, door, over
            over.set()
    finally:
        with suppress(ProcessLookupError):
            prometheus.stop()


def blinded(folder: Path, spoil: Spoil) -> Blind:
    """Monitoring fails while a fault is in, and stays so."""
    direct = spoil in {stopped, killed}
    with Chaoskit(folder) as chaoskit, monitored(folder) as all_, Sleeper() as sleeper:
        document = experiment(
            sleeper.selector,
            "process.pause",
            prometheus={"url": all_[0].url if direct else all_[1].url},
            steady_state=[{"name": "measured", "promql": "vector(1)", "at_least": 1}],
            abort_when=[{"promql": "vector(0)", "above": 0.5}, {"no_data_for": f"{NO_DATA_FOR:g}s"}],
            sampling={"tick": f"{TICK:g}s", "baseline": "1s", "min_samples": 1},
            expect={"recover_within": "1s"},
        )
        runner = chaoskit.run(document)
        runner.says("phase     observe")
        spoil(*all_)
        took = sleeper.thawed_after(lambda: runner.output)
        code = runner.ended()
        untouched, left = sleeper.bystander_untouched, chaoskit.left_behind()
        return Blind(code, runner.output, took, chaoskit.record(), untouched, left)


TROUBLES: Mapping[str, tuple[Spoil, str]] = {
    "stopped": (stopped, "no answer from the probe"),
    "killed": (killed, "connection refused"),
    "HTML": (html, "not an answer of Prometheus"),
    "status 500": (error, "status 500"),
    "binary": (binary, "not an answer of Prometheus"),
    "truncated": (truncated, "not an answer of Prometheus"),
    "huge": (huge, "larger than 4 MiB"),
    "late": (late, "no answer from the probe"),
}
STORIES = {f"prometheus {how}": Story(15, partial(blinded, spoil=spoil)) for how, (spoil, _) in TROUBLES.items()}


@pytest.mark.parametrize("how", TROUBLES)
def test_a_run_that_goes_blind_is_rolled_back_in_time_and_proves_nothing(
    how: str, told: Callable[[str], Blind]
) -> None:
    story = told(f"prometheus {how}")
    assert NO_DATA_FOR - 2 * TICK <= story.restored_after <= NO_DATA_FOR + TICK + SLACK
    assert story.code == 5, story.output
    assert verdict(story.record) == "inconclusive"
    abort = story.record["run"]["abort"]
    assert abort["cause"] == "blind"
    assert abort["at"] - abort["breached_at"] <= TICK + SLACK
    assert story.record["run"]["injections"][0]["restored_at"] is not None
    assert story.left_behind == []
    assert story.bystander_untouched


@pytest.mark.parametrize("how", TROUBLES)
def test_it_says_what_monitoring_answered(how: str, told: Callable[[str], Blind]) -> None:
    story = told(f"prometheus {how}")
    (reason,) = {story.record["run"]["abort"]["reason"], story.record["judgement"]["reasons"][0]}
    assert f"no data for {NO_DATA_FOR:.0f}" in reason
    assert TROUBLES[how][1] in reason
