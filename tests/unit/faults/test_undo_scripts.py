"""Which faults a target can undo by itself, and that every shell can read how."""

import shutil
import subprocess

import pytest

from chaoskit import registry
from chaoskit.domain.ports import Injection, SelfReverting
from docs._generate.example_targets import ExampleInstance, ExampleProcess

BY_ITSELF = {"process.pause"}
"""The others are made through an API, or need the runner to bring something back."""


def injections(kind: str) -> list[Injection]:
    fault = registry.fault(kind)
    target = ExampleProcess() if "process" in fault.needs else ExampleInstance()
    return [fault.model_validate(example).prepare(target, "chaoskit-test-1") for example in fault.examples]


def test_these_and_no_others_can_undo_themselves() -> None:
    found = {kind for kind in registry.kinds() for one in injections(kind) if isinstance(one, SelfReverting)}
    assert found == BY_ITSELF


@pytest.mark.parametrize("kind", sorted(BY_ITSELF))
@pytest.mark.parametrize("shell", [["dash"], ["busybox", "sh"], ["bash", "--posix"]], ids=" ".join)
def test_every_shell_can_read_an_undo_script(shell: list[str], kind: str) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"missing capability: the shell {shell[0]}")
    for injection in injections(kind):
        assert isinstance(injection, SelfReverting)
        text = injection.undo_script()
        done = subprocess.run([*shell, "-n"], input=text, capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stderr) == (0, "")
