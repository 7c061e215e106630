import json
import os
from pathlib import Path

import pytest

from chaoskit.domain.errors import ChaoskitError, ReportNotWritten
from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Judgement
from chaoskit.reports import write as module
from chaoskit.reports.write import write
from tests.unit.reports import factory


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("name", factory.ALL)
def test_every_run_gets_its_four_reports(name: str, tmp_path: Path) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    written = write(record, judgement, tmp_path / "reports")
    place = tmp_path / "reports" / record.experiment.name / record.run
    assert written == {
        "json": place / "report.json",
        "junit": place / "junit.xml",
        "markdown": place / "report.md",
        "html": place / "report.html",
    }
    assert sorted(path.name for path in place.iterdir()) == ["junit.xml", "report.html", "report.json", "report.md"]
    assert json.loads(written["json"].read_text())["run"]["run"] == record.run


def test_folders_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        written = write(*factory.judged(factory.passed()), tmp_path / "reports")
    finally:
        os.umask(old)
    assert {mode(path) for path in written.values()} == {0o600}
    place = written["html"].parent
    assert {mode(folder) for folder in (place, place.parent, place.parent.parent)} == {0o700}


def test_a_folder_that_was_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    write(*factory.judged(factory.passed()), tmp_path / "shared")
    assert mode(tmp_path / "shared") == 0o755


def test_writing_again_replaces_the_reports(tmp_path: Path) -> None:
    first = write(*factory.judged(factory.killed()), tmp_path)
    again = write(*factory.judged(factory.passed()), tmp_path)
    assert first == again
    assert json.loads(again["json"].read_text())["judgement"]["verdict"] == "passed"


def test_a_reader_who_has_the_old_report_open_keeps_it_whole(tmp_path: Path) -> None:
    path = write(*factory.judged(factory.failed()), tmp_path)["html"]
    with path.open() as reader:
        write(*factory.judged(factory.passed()), tmp_path)
        assert reader.read().rstrip().endswith("</html>")


def test_a_file_in_the_way_of_the_folder_is_a_coaching_error(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("")
    with pytest.raises(ReportNotWritten, match=r"cannot write .*reports.*: Not a directory; choose a folder"):
        write(*factory.judged(factory.passed()), tmp_path / "reports")


def test_one_report_that_cannot_be_replaced_costs_none_of_the_others(tmp_path: Path) -> None:
    record, judgement = factory.judged(factory.passed())
    place = tmp_path / record.experiment.name / record.run
    (place / "report.md" / "taken").mkdir(parents=True)
    with pytest.raises(ReportNotWritten, match=r"report\.md"):
        write(record, judgement, tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["junit.xml", "report.html", "report.json", "report.md"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="missing capability: /dev/full")
def test_a_full_disk_leaves_the_old_report_and_no_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, judgement = factory.judged(factory.passed())
    path = write(record, judgement, tmp_path)["html"]
    before = path.read_text()
    made = tmp_path / "full"

    def full(*, prefix: str, dir: Path) -> tuple[int, str]:  # noqa: A002 the name of mkstemp's own parameter
        made.touch()
        return os.open("/dev/full", os.O_WRONLY), str(made)

    monkeypatch.setattr("chaoskit.reports.write.tempfile.mkstemp", full)
    with pytest.raises(ReportNotWritten, match="No space left on device"):
        write(record, judgement, tmp_path)
    assert path.read_text() == before
    assert not made.exists()


def test_a_defect_in_one_renderer_costs_none_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(record: RunRecord, judgement: Judgement) -> str:
        raise KeyError("x")

    monkeypatch.setitem(module.FILES, "html", ("report.html", broken))
    record, judgement = factory.judged(factory.passed())
    with pytest.raises(ReportNotWritten, match=r"report\.html could not be made"):
        write(record, judgement, tmp_path)
    assert len([*(tmp_path / record.experiment.name / record.run).iterdir()]) == 3


@pytest.mark.parametrize("run", ["../../elsewhere", "", ".", "..", "a/b", "a\0b"])
def test_a_run_id_never_leads_out_of_the_folder(run: str, tmp_path: Path) -> None:
    with pytest.raises(ChaoskitError, match="cannot name a folder"):
        write(*factory.judged(factory.record(run=run)), tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_a_link_in_place_of_a_report_is_replaced_not_followed(tmp_path: Path) -> None:
    record, judgement = factory.judged(factory.passed())
    place = tmp_path / record.experiment.name / record.run
    place.mkdir(parents=True)
    (tmp_path / "precious").write_text("mine")
    (place / "report.html").symlink_to(tmp_path / "precious")
    write(record, judgement, tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (place / "report.html").is_symlink()
