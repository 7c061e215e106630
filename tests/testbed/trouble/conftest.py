"""What the tests of trouble share: chaoskit in a folder of its own, a process to freeze, and the stories.

Most of what is told here is waiting: for leases, for engines, for what is tried again and again. So each trouble is a
story in a folder of its own, several of them go on at once, the longest begin first, and tests look at what came of
them. A module's ``STORIES`` holds its own, by name.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.docker import docker_parts as parts
from tests.testbed.trouble.kit import Chaoskit, Sleeper, Story

AT_ONCE = 7
LONGEST = 400.0
"""Seconds that a test may take, with all that it waits for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the time that stories take."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture
def chaoskit(tmp_path: Path) -> Iterator[Chaoskit]:
    """The command line with a store of its own."""
    with Chaoskit(tmp_path) as made:
        yield made


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """A process to freeze, and its bystander."""
    with Sleeper() as made:
        yield made


@pytest.fixture(scope="session")
def busybox_image(docker_engine: None) -> Iterator[str]:
    """An image of busybox on the shared engine."""
    if parts.busybox() is None:
        pytest.skip("missing capability: a static busybox (Debian package busybox-static)")
    with parts.image() as image:
        yield image


@pytest.fixture(scope="session")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """What came of a story, by its name."""
    modules = {item.module for item in request.session.items if isinstance(item, pytest.Function) if _listens(item)}
    stories: dict[str, Story] = {}
    for module in modules:
        assert not stories.keys() & module.STORIES.keys(), "two stories of one name"
        stories |= module.STORIES
    folder = tmp_path_factory.mktemp("stories")
    pool = ThreadPoolExecutor(AT_ONCE)
    begun: dict[str, Future[Any]] = {}
    for number, name in enumerate(sorted(stories, key=lambda name: -stories[name].seconds)):
        begun[name] = pool.submit(stories[name].play, folder / str(number))
    yield lambda name: begun[name].result()
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session", autouse=True)
def _begin_with_the_stories(request: pytest.FixtureRequest) -> None:
    """Let them go on from the start, if any test that was asked for listens to one."""
    if any(_listens(item) for item in request.session.items):
        request.getfixturevalue("told")


def _listens(item: pytest.Item) -> bool:
    return "told" in getattr(item, "fixturenames", ())
