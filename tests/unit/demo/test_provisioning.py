from itertools import count
from pathlib import Path

import pytest

from chaoskit.demo.__main__ import make_parser
from chaoskit.demo.base_image import Release, pick_release
from chaoskit.demo.bed import BedUnavailable, wait_until, with_elapsed
from chaoskit.demo.builds import digest, follow
from chaoskit.demo.docker_bed import DockerBed
from chaoskit.demo.local_bed import LocalBed
from chaoskit.demo.service import host_and_port

TARGETS = [
    "http://security.example/debian-security|bookworm-security|main|Debian",
    "http://tools.example/apt|bookworm|main|SomeVendor",
    "http://mirror.example/debian|bookworm|contrib|Debian",
    "http://mirror.example/debian|bookworm|main|Debian",
]


def test_the_mirror_is_debians_own_for_this_release() -> None:
    assert pick_release("bookworm", TARGETS) == Release("bookworm", "http://mirror.example/debian")


def test_without_a_mirror_the_message_says_what_to_do() -> None:
    with pytest.raises(BedUnavailable, match="apt-get update"):
        pick_release("trixie", TARGETS)


def test_the_digest_depends_on_names_and_contents_but_not_on_their_order() -> None:
    assert digest({"a": b"1", "b": b"2"}) == digest({"b": b"2", "a": b"1"})
    assert len({digest({"a": b"1"}), digest({"a": b"2"}), digest({"b": b"1"}), digest({"a": b"1", "b": b""})}) == 4


def test_the_steps_of_a_build_are_reported() -> None:
    told: list[str] = []
    follow([{"stream": "Step 1/2 : FROM x"}, {"stream": " ---> 1234\n"}, {"aux": {}}], "failed", told.append, 60)
    assert told == ["Step 1/2 : FROM x"]


def test_a_failed_build_tells_its_last_lines() -> None:
    events = [{"stream": "Step 1/1 : RUN false\n"}, {"stream": "no space left\n"}, {"error": "returned 1"}]
    with pytest.raises(BedUnavailable, match=r"(?s)image x was not built: returned 1.*no space left"):
        follow(events, "image x was not built", lambda line: None, 60)


def test_a_build_without_an_end_is_given_up() -> None:
    with pytest.raises(BedUnavailable, match="within 0 s"):
        follow(({"stream": "on and on"} for _ in count()), "image x was not built", lambda line: None, 0)


def test_giving_up_waiting_tells_what_was_missing() -> None:
    with pytest.raises(BedUnavailable, match="bed x is not ready after 0 s: no load on web is seen yet"):
        wait_until(lambda: "no load on web is seen yet", 0, "bed x")


def test_progress_carries_the_seconds_since_the_start() -> None:
    told: list[str] = []
    clock = iter([100.0, 101.25, 163.0])
    tell = with_elapsed(told.append, now=lambda: next(clock))
    tell("one")
    tell("two")
    assert told == ["[  1.2s] one", "[ 63.0s] two"]


def test_a_redis_address_needs_host_and_port() -> None:
    assert host_and_port("redis:6379") == ("redis", 6379)
    for text in ("redis", "6379", "redis:", ":6379"):
        with pytest.raises(ValueError, match=r".*"):
            host_and_port(text)


def test_the_command_chooses_the_bed_by_itself_unless_told() -> None:
    args = make_parser().parse_args(["up"])
    assert (args.command, args.bed, args.id, args.json) == ("up", "auto", "chaoskit-demo", False)


@pytest.mark.parametrize(
    "argv", [[], ["up", "--bed", "podman"], ["upp"], ["status", "--rate", "3"], ["provision", "--id", "x"]]
)
def test_a_wrong_command_line_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(argv)
    assert ended.value.code == 2


@pytest.mark.parametrize("bed_id", ["", "..", "../home", "a/b", "-x", "Web", "a" * 41, "a b", "a\n"])
def test_a_name_that_cannot_be_a_folder_and_a_container_is_refused(bed_id: str, tmp_path: Path) -> None:
    with pytest.raises(BedUnavailable, match="for example chaoskit-demo"):
        LocalBed(bed_id, tmp_path)
    with pytest.raises(BedUnavailable, match="for example chaoskit-demo"):
        DockerBed(bed_id)


def test_a_folder_that_is_no_beds_is_never_removed(tmp_path: Path) -> None:
    precious = tmp_path / "letters" / "love.txt"
    precious.parent.mkdir()
    precious.write_text("dear")
    with pytest.raises(BedUnavailable, match="not the folder of a bed"):
        LocalBed("letters", tmp_path).down()
    assert precious.read_text() == "dear"
