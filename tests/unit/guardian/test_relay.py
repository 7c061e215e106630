"""The relay: who gets which share of the undo, and what the runner hears when a deputy is not up to it."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from chaoskit.guardian.deputy import Deputy
from chaoskit.guardian.relay import Relay

NEAR, FAR = "unix:///near.sock", "tcp://far:2376"


class Runner:
    """The other end of the wire."""

    def __init__(self) -> None:
        self.says: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []

    def send(self, word: str, **more: object) -> None:
        self.heard.append({"word": word, **more})

    def receive(self, timeout: float | None) -> Mapping[str, Any] | None:
        assert timeout is not None, "the relay must look after its deputies meanwhile"
        return self.says.pop(0) if self.says else None


class Engine:
    """A deputy that does as it is told."""

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []
        self.trouble = ""
        self.dismissed = False

    def tell(self, message: Mapping[str, Any]) -> int:
        self.messages.append(message)
        return len(self.messages)

    def stands_by(self) -> str:
        return self.trouble

    def heeds(self, number: int, _within: float) -> str:
        assert number == len(self.messages)
        return self.trouble

    def lost(self) -> str:
        return self.trouble

    def told(self) -> str:
        return "here"

    def dismiss(self, _within: float) -> bool:
        self.dismissed = True
        return not self.trouble


class Scene:
    """A relay between a runner and two deputies."""

    def __init__(self) -> None:
        self.runner, self.near, self.far = Runner(), Engine(), Engine()
        deputies = cast("dict[str, Deputy]", {NEAR: self.near, FAR: self.far})
        self.notes: list[str] = []
        self.relay = Relay(self.runner, deputies, lambda host: host or FAR, self.notes.append)

    def hear(self, word: str, **more: object) -> None:
        self.runner.says.append({"word": word, **more})
        said = self.relay.receive(None)
        assert said is not None
        assert said["word"] == word


@pytest.fixture
def scene() -> Scene:
    return Scene()


def intended(n: int, host: str | None) -> dict[str, Any]:
    return {"n": n, "spec": {"docker": {"names": ["web"], "host": host}, "local": None}}


def test_each_gets_what_is_at_its_engine_and_looks_for_it_at_its_own_socket(scene: Scene) -> None:
    local = {"n": 4, "spec": {"docker": None, "local": {"port": 80}}}
    scene.hear("arm", intended=[intended(1, NEAR), intended(2, FAR), intended(3, None), local])
    scene.relay.send("armed")
    assert scene.runner.heard == [{"word": "armed"}]
    share = {"names": ["web"], "host": None}
    assert scene.near.messages == [{"word": "arm", "intended": [{"n": 1, "spec": {"docker": share}}]}]
    assert scene.far.messages == [{"word": "arm", "intended": [{"n": n, "spec": {"docker": share}} for n in (2, 3)]}]


def test_one_with_nothing_to_undo_is_not_armed_and_hears_that_the_runner_lives(scene: Scene) -> None:
    scene.hear("arm", intended=[intended(1, NEAR)])
    scene.hear("renew")
    assert scene.far.messages == [{"word": "renew"}]
    assert [message["word"] for message in scene.near.messages] == ["arm", "renew"]


def test_a_release_goes_to_who_holds_it(scene: Scene) -> None:
    scene.hear("arm", intended=[intended(1, NEAR), intended(2, FAR)])
    scene.hear("release", n=2)
    scene.hear("release", n=7)
    assert scene.far.messages[1:] == [{"word": "release", "n": 2}]
    assert len(scene.near.messages) == 1


@pytest.mark.parametrize("word", ["ready", "held", "armed"])
def test_the_runner_hears_why_a_deputy_is_not_up_to_it_in_place_of_the_answer(scene: Scene, word: str) -> None:
    scene.hear("arm", intended=[intended(1, NEAR)])
    scene.near.trouble = "no image"
    scene.relay.send(word)
    assert scene.runner.heard == [{"word": "lost", "why": "no image"}]


def test_a_loss_is_told_at_once_and_only_once(scene: Scene) -> None:
    scene.far.trouble = "it is gone"
    assert scene.relay.receive(0.0) is None
    assert scene.relay.receive(0.0) is None
    assert scene.runner.heard == [{"word": "lost", "why": "it is gone"}]


@pytest.mark.parametrize("word", ["fired", "disarmed"])
def test_what_the_guardian_did_itself_is_told_whatever_became_of_the_deputies(scene: Scene, word: str) -> None:
    scene.far.trouble = "it is gone"
    scene.relay.send(word, why="x")
    assert scene.runner.heard == [{"word": word, "why": "x"}]


def test_the_end_sends_all_of_them_home(scene: Scene) -> None:
    scene.near.trouble = "unreachable"
    scene.relay.send("disarmed")
    assert scene.near.dismissed
    assert scene.far.dismissed
    assert not scene.relay.dismiss()
