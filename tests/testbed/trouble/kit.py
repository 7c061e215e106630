"""chaoskit as a user has it, beside what goes wrong: runs as processes, their verdicts, what is seen from outside."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from chaoskit.domain.verdict import judge
from chaoskit.guardian.places import sightings
from chaoskit.store.store import Store

LEASE = 3.0
TICK = 0.1
SLACK = 2.0
"""Seconds that a busy machine may take beyond what chaoskit promises."""
PATIENCE = 60.0
"""Seconds to wait for what no promise is about: the start of a process, the end of a run."""


class Story(NamedTuple):
    """Something that happens in a folder of its own, beside others; ``seconds`` is about how long it takes."""

    seconds: float
    play: Callable[[Path], Any]


def seconds_until(holds: Callable[[], bool], what: str, within: float = PATIENCE, every: float = 0.02) -> float:
    """Wait until ``holds``, looking every so many seconds; the seconds that it took. ``what`` was waited for."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < within, f"waited {within:g}s in vain: {what}"
        time.sleep(every)
    return time.monotonic() - begin


def experiment(target: Mapping[str, Any], kind: str, duration: str = "5m", **more: Any) -> dict[str, Any]:
    """An experiment with one fault on one target, a check that holds, and nothing to wait for."""
    return {
        "apiVersion": "chaoskit/v1",
        "kind": "Experiment",
        "name": "trouble",
        "title": "Trouble around a run",
        "targets": {"it": target},
        "steady_state": [{"name": "fine", "command": {"run": ["true"]}}],
        "faults": [{"kind": kind, "target": "it", "duration": duration}],
        "sampling": {"tick": f"{TICK * 1000:g}ms", "baseline": "0s", "min_samples": 1},
        "expect": {"recover_within": "5s"},
        **more,
    }


class Chaoskit:
    """The command line with a store, reports and an environment of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None, lease: float = LEASE) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.state = folder / "state"
        self.store = self.state / "ck.db"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "CHAOSKIT_"))},
            "CHAOSKIT_LEASE": f"{lease:g}s",
            "CHAOSKIT_REPORTS": str(folder / "reports"),
            "CHAOSKIT_HALT_FILE": str(folder / "halt"),
            **(environment or {}),
        }
        self.runners: list[Runner] = []

    def argv(self, command: str, *more: str) -> list[str]:
        """The command line for this store."""
        return [sys.executable, "-m", "chaoskit", command, *more, "--store", str(self.store)]

    def __call__(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.argv(command, *more),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def run(self, document: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> "Runner":
        """Start a run."""
        runner = Runner(self, document, {**self.environment, **(environment or {})})
        self.runners.append(runner)
        return runner

    def status(self) -> dict[str, Any]:
        """What ``chaoskit status`` tells."""
        told: dict[str, Any] = json.loads(self("status", "--json").stdout)
        return told

    def left_behind(self) -> list[str]:
        """The runs of which the journal has anything open, asked past the command line, which takes its time."""
        with Store(self.store) as store:
            return store.open_runs()

    def heartbeat(self) -> datetime:
        """The last sign of life of the newest run."""
        with Store(self.store) as store:
            return store.runs(limit=1)[0].runner.heartbeat_at

    def record(self, run: str = "last") -> dict[str, Any]:
        """A run of the store, judged anew, as its report has it."""
        with Store(self.store) as store:
            record = store.load(run)
        return {"run": record.model_dump(mode="json"), "judgement": judge(record).model_dump(mode="json")}

    def under_way(self, document: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> "Runner":
        """A run that has its fault in, and whose guardian has loaded what undoing needs: in real runs, a baseline is
        long enough for that.
        """
        runner = self.run(document, environment)
        runner.says("phase     observe")
        maps = Path(f"/proc/{self.guardian()['pid']}/maps")
        seconds_until(lambda: "_sqlite3" in maps.read_text(), "the guardian has loaded what undoing needs")
        return runner

    def guardian(self) -> dict[str, Any]:
        """What the only guardian says that it does."""
        (path,) = (self.state / "guardians").glob("*.json")
        told: dict[str, Any] = json.loads(path.read_text())
        return told

    def log(self) -> str:
        """What the guardians wrote."""
        return "\n".join(path.read_text() for path in sorted((self.state / "guardians").glob("*.log")))

    def guardians_end(self, within: float = PATIENCE) -> None:
        """Wait until no guardian of this store is at work."""
        seconds_until(lambda: not any(one.alive for one in sightings(self.store)), self.log(), within)

    def close(self) -> None:
        """End every process that was started, by its id."""
        for runner in self.runners:
            runner.kill()
        for path in (self.state / "guardians").glob("*.json"):
            with suppress(OSError, ValueError):
                end_guardian(json.loads(path.read_text())["pid"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Runner:
    """One run of chaoskit, as a process in a session of its own."""

    def __init__(self, chaoskit: Chaoskit, document: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        number = len(chaoskit.runners) + 1
        file = chaoskit.folder / f"experiment-{number}.yaml"
        file.write_text(json.dumps(document))
        self._output = chaoskit.folder / f"output-{number}"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                chaoskit.argv("run", str(file), "--plain"),
                env=dict(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it said so far."""
        return self._output.read_text()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for what the run should bring about."""

        def over() -> bool:
            assert self.process.poll() is None, self.output
            return holds()

        seconds_until(over, what)

    def says(self, words: str) -> None:
        """Wait until it has said these words."""
        seconds_until(lambda: words in self.output, f"{words!r} in:\n{self.output}")

    def ended(self, within: float = PATIENCE) -> int:
        """Its exit code."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still at work after {within:g}s:\n{self.output}") from None

    def kill(self) -> None:
        """SIGKILL, if it still lives."""
        self.process.kill()
        self.process.wait(10)


def end_guardian(pid: int) -> None:
    """SIGKILL to a guardian: only to a process that is one."""
    with suppress(OSError):
        if b"chaoskit.guardian" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, 9)


class Sleeper:
    """A process to freeze, with ``words`` on its command line, and another one of its kind that nobody may touch."""

    def __init__(self, words: str = "") -> None:
        # Stories go on side by side: no selector may find the process of another one.
        self._mark = f"sleeper-{secrets.token_hex(8)}"
        self.process, self._bystander = (_sleep(text) for text in (f"{self._mark} {words}", "a bystander"))
        self._before = _stat(self._bystander.pid)

    @property
    def selector(self) -> dict[str, Any]:
        """How an experiment finds it."""
        return {"local": {"cmdline": self._mark}}

    def frozen(self) -> bool:
        """Whether the kernel says that it is stopped."""
        return _stat(self.process.pid)[0] == "T"

    def thawed_after(self, why_not: Callable[[], str]) -> float:
        """Seconds until it goes on."""
        begin = time.monotonic()
        try:
            return seconds_until(lambda: not self.frozen(), "the process goes on")
        except AssertionError as error:
            raise AssertionError(f"{error}, {time.monotonic() - begin:.1f}s:\n{why_not()}") from None

    @property
    def bystander_untouched(self) -> bool:
        """Whether the other one is as it was."""
        return _stat(self._bystander.pid) == self._before

    def close(self) -> None:
        """End both."""
        for process in (self.process, self._bystander):
            process.kill()
            process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sleep(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(600)  # {mark}"])


def _stat(pid: int) -> tuple[str, str]:
    """Whether it is stopped, and when it was started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "T" if fields[0] == "T" else "R", fields[19]


def longest_pause(log: str) -> float:
    """The longest seconds until a guardian tries again, by how often its log says that a round was in vain.

    Pauses between rounds double from one second to half a minute; those within a round grow to two seconds.
    """
    rounds = log.count("NOT restored")
    return max(2.0, min(2.0 ** (rounds - 1), 30.0))


def verdict(told: Mapping[str, Any]) -> str:
    """The verdict of a record."""
    return str(told["judgement"]["verdict"])


def abort_moment(told: Mapping[str, Any]) -> float:
    """When the run stopped, in seconds since the epoch."""
    begun = datetime.fromisoformat(told["run"]["started_at"])
    return begun.timestamp() + float(told["run"]["abort"]["at"])


def moment(told: str) -> float:
    """A moment as Docker tells it, to the nanosecond, in seconds since the epoch."""
    seconds, _, fraction = told.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}+00:00").timestamp() + float(f"0.{fraction or 0}")
