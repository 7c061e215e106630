"""The wire of a deputy, over files: order, what is half written, what a new start hears, and what silence means."""

import json
from pathlib import Path

import pytest

from chaoskit.guardian.folder import ANSWER, INBOX, SILENCE, FolderWire, file_name, written
from chaoskit.guardian.wire import Closed


class Folder:
    """What an engine would do to the files, and a clock that goes when it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / INBOX).mkdir()
        self.time = 0.0

    def wire(self) -> FolderWire:
        return FolderWire(self.path, lambda: self.time)

    def put(self, number: int, word: str, **more: object) -> None:
        (self.path / INBOX / file_name(number)).write_bytes(written({"word": word, **more}))

    def answer(self) -> object:
        return json.loads((self.path / ANSWER).read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def heard(wire: FolderWire) -> list[str]:
    words = []
    while said := wire.receive(0.0):
        words.append(str(said["word"]))
    return words


def test_messages_are_heard_once_and_in_their_order(folder: Folder) -> None:
    wire = folder.wire()
    for number, word in ((10, "release"), (2, "arm"), (9, "renew")):
        folder.put(number, word)
    assert heard(wire) == ["arm", "renew", "release"]
    assert heard(wire) == []


def test_an_answer_says_which_messages_it_knows_of(folder: Folder) -> None:
    wire = folder.wire()
    folder.put(1, "stand by")
    folder.put(2, "arm")
    heard(wire)
    wire.send("armed")
    assert folder.answer() == {"taken": 2, "word": "armed"}


def test_every_answer_has_one_size_so_that_one_may_replace_another_while_it_is_fetched(folder: Folder) -> None:
    wire = folder.wire()
    sizes = set()
    for why in ("", "the runner was silent for its whole lease of 8s"):
        wire.send("fired", why=why)
        sizes.add((folder.path / ANSWER).stat().st_size)
    assert len(sizes) == 1


def test_what_is_half_written_is_heard_when_it_is_whole(folder: Folder) -> None:
    wire = folder.wire()
    whole = written({"word": "arm", "intended": [{"n": 1}]})
    path = folder.path / INBOX / file_name(1)
    for length in (0, 1, 20, len(whole.rstrip()) - 1):
        path.write_bytes(whole[:length])
        assert wire.receive(0.0) is None
    path.write_bytes(whole)
    assert wire.receive(0.0) == {"word": "arm", "intended": [{"n": 1}]}


def test_a_message_that_is_put_twice_is_heard_once(folder: Folder) -> None:
    wire = folder.wire()
    folder.put(1, "arm")
    assert heard(wire) == ["arm"]
    folder.put(1, "arm")
    assert heard(wire) == []


def test_one_that_is_started_again_hears_what_counts_and_no_old_signs_of_life(folder: Folder) -> None:
    for number, word in enumerate(("stand by", "arm", "renew", "release", "renew"), start=1):
        folder.put(number, word)
    assert heard(folder.wire()) == ["stand by", "arm", "renew", "release", "renew"]
    assert heard(folder.wire()) == ["stand by", "arm", "release"]


def test_a_long_silence_is_the_end_of_the_other_side_and_a_word_ends_the_silence(folder: Folder) -> None:
    wire = folder.wire()
    folder.time = SILENCE - 1
    folder.put(1, "renew")
    assert heard(wire) == ["renew"]
    folder.time += SILENCE - 1
    assert wire.receive(0.0) is None
    folder.time += 1
    with pytest.raises(Closed):
        wire.receive(None)


def test_who_waits_for_a_time_is_never_told_of_the_end(folder: Folder) -> None:
    """A lease runs out, and an undo is tried again, however long nobody has spoken."""
    wire = folder.wire()
    folder.time = 10 * SILENCE
    assert wire.receive(0.0) is None
