"""Which command lines are chaoskit's own."""

import pytest

from chaoskit.targets.local_exclusion import is_chaoskit


@pytest.mark.parametrize(
    "command",
    [
        "chaoskit run x.yaml",
        "/usr/bin/python3 /usr/local/bin/chaoskit run x.yaml",
        "python3 -m chaoskit run x.yaml",
        "python3 -I -m chaoskit.guardian 12",
        "sh /run/chaoskit-260101t120000abc-1/loop",
    ],
)
def test_runners_guardians_and_timers_are_recognised(command: str) -> None:
    assert is_chaoskit(command.split())


@pytest.mark.parametrize(
    "command",
    [
        "",
        "python3",
        "python3 -m",
        "python3 -m http.server --directory chaoskit",
        "python3 -m chaoskit.demo up",
        "/usr/bin/python3 /opt/chaoskit/demo/service.py --name web-1",
        "tail -f chaoskit.log",
        "python3 -m chaoskitten",
        "sh /srv/chaoskit-tools/loop forever",
        "sh /srv/tools/loop",
    ],
)
def test_everything_else_is_not(command: str) -> None:
    assert not is_chaoskit(command.split())
