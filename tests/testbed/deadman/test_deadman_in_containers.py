"""Dead-man timers in containers: full disks, no processes to be had, nothing to write to, a service manager."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from chaoskit.domain.errors import TargetError
from chaoskit.targets import deadman
from tests.testbed.deadman.conftest import in_container
from tests.testbed.deadman.timers import Place, script, timer, uptime, wait_for
from tests.testbed.docker import docker_parts as parts

LEASE = 2.0
NEVER = 600.0
MakePlace = Callable[..., Place]


@pytest.fixture
def make(busybox_image: str) -> Iterator[MakePlace]:
    """Makes places of containers with these options."""
    with ExitStack() as stack:

        def made(*options: str) -> Place:
            container = stack.enter_context(parts.container(busybox_image, "--network", "none", *options))
            return stack.enter_context(contextmanager(in_container)(container))

        yield made


@pytest.mark.parametrize(
    ("options", "base"),
    [
        (["--tmpfs", "/run"], "/run"),
        ([], "/tmp"),
        (["--read-only"], "/dev/shm"),
        (["--user", "12345", "--tmpfs", "/run:mode=755"], "/dev/shm"),
    ],
)
def test_it_lives_where_its_user_can_write(make: MakePlace, options: list[str], base: str) -> None:
    with timer(make(*options)) as it:
        it.arm(LEASE)
        assert it.folders() == [f"{base}/{it.tag}"]
        assert it.renew(LEASE) == ""
        it.fires()
        it.disarm()
        assert it.nothing_left()


def test_where_nothing_can_be_written_it_is_refused(make: MakePlace) -> None:
    with timer(make("--read-only", "--ipc", "none")) as it:
        with pytest.raises(TargetError, match="no folder for it can be made in any of: /run /tmp /dev/shm"):
            it.arm(LEASE)
        assert it.nothing_left()


def test_on_a_disk_that_was_full_already_it_is_refused(make: MakePlace) -> None:
    place = make("--tmpfs", "/run:size=64k")
    fill(place, "/run")
    with timer(place) as it:
        with pytest.raises(TargetError, match="nothing can be written in /run"):
            it.arm(LEASE)
        assert it.nothing_left()


def fill(place: Place, folder: str) -> None:
    done = place.target.run("sh", "-c", f"yes >{folder}/full")
    assert "No space left" in done.stderr


def test_a_full_disk_neither_loses_nor_keeps_a_lease(make: MakePlace) -> None:
    place = make("--tmpfs", "/run:size=64k")
    with timer(place) as it:
        it.arm(LEASE)
        fill(place, "/run")
        until = uptime() + 2 * LEASE
        while uptime() < until:
            assert it.renew(LEASE) == ""
            time.sleep(0.3)
        assert it.fired_at() == []
        it.fires()
        wait_for(lambda: "undone" in it.files())
        assert it.renew().startswith("it fired")
        it.disarm()
        assert it.nothing_left()


def test_it_outlives_a_time_without_processes_to_be_had(container: str, contained: Place) -> None:
    """The loop's shell ends when it cannot start so much as a sleep, and begins anew until it can."""
    with timer(contained) as it:
        it.arm(NEVER)
        loop = it.loop
        parts.docker("update", "--pids-limit", "1", container)
        it.expire()
        time.sleep(2 * LEASE)
        assert Path(f"/proc/{loop}").exists()
        assert it.fired_at() == []
        assert len((it.folder / "log").read_text().splitlines()) < 5
        # What it hands on to its next beginning must not grow, or one day there is none.
        wait_for(lambda: Path(f"/proc/{loop}/environ").read_bytes().count(b"/usr/local/sbin") == 1)
        parts.docker("update", "--pids-limit", "100", container)
        freed = uptime()
        assert it.fires() <= freed + deadman.LATE
        assert it.loops() in ([loop], [])


def test_a_restart_of_the_container_ends_the_loop_and_that_is_noticed(container: str) -> None:
    with contextmanager(in_container)(container) as before, timer(before) as it:
        it.arm(NEVER)
        parts.docker("restart", "--time", "0", container)
        assert it.renew(NEVER).startswith("its loop has died")
        it.disarm()
        assert it.renew(NEVER) == "it is not there any more"


def test_a_timer_of_a_container_is_not_one_of_the_machine(contained: Place, here: Place) -> None:
    with timer(contained) as it:
        it.arm(NEVER)
        assert it.tag not in {found.tag for found in deadman.armed(here.target)}
        deadman.disarm(here.target, it.tag)
        assert it.renew(NEVER) == ""


# --- a service manager ----------------------------------------------------------------------------------------

NOTE = 'for word in "$@"; do echo "$word"; done >/dev/shm/asked'


def with_service_manager(make: MakePlace, deed: str) -> Place:
    """A container that looks as if systemd ran it; no real one can run here, so it is what is asked that counts."""
    place = make()
    place.seen("/run/systemd/system").mkdir(parents=True)
    script(place.seen("/bin"), "systemd-run", f"{NOTE}\n{deed}")
    return place


def test_a_service_manager_is_asked_to_start_the_loop(make: MakePlace) -> None:
    with timer(with_service_manager(make, 'shift 3; "$@" & exit 0')) as it:
        it.arm(LEASE)
        asked = ["--collect", "--quiet", f"--unit={it.tag}", "sh", f"/run/{it.tag}/loop"]
        assert it.place.read("/dev/shm/asked").splitlines() == asked
        assert len(it.loops()) == 1
        assert it.renew(LEASE) == ""
        it.fires()
        it.disarm()
        assert it.nothing_left()


def test_where_the_service_manager_refuses_the_loop_is_started_without_it(make: MakePlace) -> None:
    with timer(with_service_manager(make, "echo was already loaded >&2; exit 1")) as it:
        it.arm(LEASE)
        assert it.place.read("/dev/shm/asked")
        assert len(it.loops()) == 1
        it.fires()


def test_a_service_manager_that_starts_it_too_late_starts_nothing(make: MakePlace) -> None:
    with timer(with_service_manager(make, "exit 0")) as it:
        with pytest.raises(TargetError, match="its loop did not start"):
            it.arm(LEASE)
        assert it.nothing_left()
        done = it.place.target.run("sh", *it.place.read("/dev/shm/asked").splitlines()[4:])
        assert done.status != 0
        assert it.fired_at() == []
