import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.domain.humane import NONE
from chaoskit.domain.plan import Plan
from chaoskit.domain.ports import Effect
from chaoskit.reports.text import MOST_LINES, plan_text, summary
from tests.unit.reports import factory
from tests.unit.reports.test_html import HOSTILE

LOOSER = "while the fault is in: at most 800ms, may be missed for 10s in one piece"


def told(name: str) -> list[str]:
    return summary(*factory.judged(factory.ALL[name]())).splitlines()


@pytest.mark.parametrize("name", factory.ALL)
def test_every_run_is_told_in_a_few_lines(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    lines = summary(record, judgement).splitlines()
    assert lines[0].split() == [judgement.verdict.upper(), record.experiment.name, "run", record.run]
    assert lines[1] == judgement.headline
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= 120


def test_a_passed_run_is_told_with_its_checks_times_and_proof() -> None:
    assert told("passed") == [
        "PASSED  checkout-survives-web-loss  run 01jv4x7m9ztc",
        "The hypothesis held, the fault is proven, and every target is restored.",
        "  - all 3 checks held while 1 fault was proven in force",
        "  ✓ availability              baseline 99.84%, worst 99.21%, after 99.79%; 63 samples, 0 missing",
        (
            "  ✓ p95 latency               baseline 116.7 ms, worst 480.6 ms, after 106.7 ms; 63 samples, 4 missing, "
            "4.00 s unseen"
        ),
        "  ✓ front page                63 samples, 0 missing",
        f"Time to detect 23.9 s, to abort {NONE}, to recover 9.00 s",
        "Rollback verified 1/1: every target read back as before",
    ]


def test_every_reason_of_a_blocked_run_is_told() -> None:
    assert told("blocked")[2:6] == [f"  - {reason}" for reason in factory.blocked().blocked]


def test_a_dirty_run_tells_what_is_left_and_the_commands_whole() -> None:
    lines = told("dirty")
    start = next(index for index, line in enumerate(lines) if line.startswith("Rollback NOT verified, 2/3"))
    assert lines[start + 1].startswith("  #3 instance.kill on web-3: TargetTimeout")
    assert lines[start + 2 :] == [
        "      docker start web-3",
        "      docker inspect --format '{{.State.Status}}' web-3",
    ]


def test_a_run_dirty_on_very_many_targets_still_fits_and_says_there_is_more() -> None:
    many = tuple(factory.injection(n, f"web-{n}", restored_at=None) for n in range(1, 200))
    lines = summary(*factory.judged(factory.record(injections=many))).splitlines()
    assert len(lines) <= MOST_LINES
    assert lines[-1].endswith("more lines in the report")


def test_a_command_by_hand_is_never_shortened() -> None:
    command = "docker network connect " + "--alias x " * 60 + "net web-1"
    record = factory.record(injections=(factory.injection(restored_at=None, by_hand=(command,)),))
    assert f"      {command}" in summary(*factory.judged(record)).splitlines()


@pytest.mark.parametrize("poison", HOSTILE)
def test_hostile_text_cannot_drive_the_terminal(poison: str) -> None:
    check_hostile("dirty", poison)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([*factory.VERDICTS]), st.text(min_size=1, max_size=40))
def test_any_text_stays_printable(name: str, poison: str) -> None:
    check_hostile(name, poison)


def check_hostile(name: str, poison: str) -> None:
    record = factory.written_over(factory.small(name), lambda said: said + poison)
    assert record.plan is not None
    for text in (summary(*factory.judged(record)), plan_text(record.plan)):
        assert not [char for char in text if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)]
        assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
    assert len(summary(*factory.judged(record)).splitlines()) <= MOST_LINES


def test_what_is_restored_but_not_as_before_is_told_with_the_proof() -> None:
    """Another address counts as restored, for nobody had fixed the one before; yet somebody may rely on it."""
    record = factory.record()
    note = "attached again by chaoskit to front; not as before: address on front is 10.0.0.9, was 10.0.0.2"
    moved = record.injections[0].model_copy(update={"note": note})
    told = summary(*factory.judged(record.model_copy(update={"injections": (moved,)}))).splitlines()
    proof = next(n for n, line in enumerate(told) if line.startswith("Rollback verified"))
    assert told[proof] == "Rollback verified 1/1: but not all is as before:"
    assert told[proof + 1] == f"  #1 {moved.kind} on {moved.target}: address on front is 10.0.0.9, was 10.0.0.2"
    many = tuple(moved.model_copy(update={"n": n}) for n in range(1, 300))
    long = summary(*factory.judged(record.model_copy(update={"injections": many}))).splitlines()
    assert len(long) <= MOST_LINES
    assert "  ... 297 more lines in the report" in long


def a_plan(**changes: object) -> Plan:
    found = factory.record().plan
    assert found is not None
    return found.model_copy(update=changes)


def test_a_plan_says_by_way_of_which_other_groups_more_is_touched() -> None:
    [one] = a_plan().radius
    told = plan_text(a_plan(radius=(one.model_copy(update={"touched": 2, "shared_with": ("api", "edge")}),)))
    assert "web: 2 of 3 matched targets in the blast radius, by way of api and edge too; max_percent" in told


def test_a_plan_is_told_in_full() -> None:
    readings = factory.readings()[:2]
    assert plan_text(a_plan(), readings) == "\n".join(
        [
            "Plan of checkout-survives-web-loss: Checkout keeps serving when one web replica dies",
            "  file         experiments/checkout.yaml",
            "  seed         b7d1c3",
            f"  fingerprint  {a_plan().fingerprint}",
            "",
            "Will be touched: 1 injection",
            "  1. instance.kill on web-2 for 1m",
            "     target   docker://engine-1/web-2@019d019d019d (running)",
            "     labels   app=web, chaoskit.allow=true",
            "     do       docker kill --signal KILL web-2",
            "     undo     docker start web-2",
            "     by hand  docker start web-2",
            "     undone   within 15s of the start of rollback",
            "",
            "Matched, not touched",
            "  web-1 of web: not picked by the seed",
            "  web-3 of web: excluded: has not opted in: label chaoskit.allow=true is missing",
            "",
            "Blast radius",
            "  1 different target in all; max_targets allows 1.",
            "  web: 1 of 3 matched targets in the blast radius; max_percent 34% of 3 allows 1.",
            "  web: 3 of 3 healthy before, 2 of them left untouched; min_healthy asks for 2.",
            "  Only targets that carry the label chaoskit.allow=true may be picked.",
            "",
            "Checks",
            "  ✓ availability is at least 99%; now 99.85% held",
            f"  ✓ p95 latency is at most 300ms ({LOOSER}); now 118.6 ms held",
            f"  {NONE} front page answers 200 within 1s",
            "",
            "Abort",
            f"  when {factory.ERRORS} above 20% for 3s",
            "  when any probe gives no data for 10s",
            "  From a breach to every target restored: at most 25.0 s.",
            "        1.00 s  age of the newest Prometheus sample",
            "        6.00 s  two turns of the slowest abort probe",
            "        3.00 s  longest time a limit must be exceeded",
            "        15.0 s  slowest rollback, for every target",
        ]
    )


def test_no_name_can_forge_a_line_or_a_column_of_its_own() -> None:
    forged = factory.written_over(factory.dirty(), lambda said: f"{said}\nPASSED\t0")
    assert forged.plan is not None
    for text in (summary(*factory.judged(forged)), plan_text(forged.plan)):
        assert "\t" not in text
        mine = [line for line in text.splitlines() if line.startswith("PASSED")]
        assert not mine


def test_every_reason_that_blocks_a_plan_is_told_first() -> None:
    text = plan_text(a_plan(blocked=("too many targets", "no data")))
    assert text.split("\n\n")[1] == "BLOCKED: 2 reasons not to start\n  - too many targets\n  - no data"


def test_a_named_abort_condition_is_told_with_what_it_watches() -> None:
    named = factory.experiment(abort_when=[{"name": "too many errors", "promql": "e", "above": 0.2, "for": "3s"}])
    assert "\n  when too many errors: e above 0.2 for 3s\n" in plan_text(a_plan(experiment=named))


def test_a_scrape_interval_that_could_not_be_read_is_said_so() -> None:
    latency = factory.record().plan
    assert latency is not None
    unread = latency.latency.model_copy(update={"scrape": None})
    assert "which could not be read" in plan_text(a_plan(latency=unread))


def test_a_target_whose_fault_could_not_be_prepared_is_told_apart_from_one_left_alone() -> None:
    text = plan_text(a_plan(injections=(), chosen=(factory.ref("web-2"),)))
    assert "web-2 of web: picked, but its fault could not be prepared" in text
    assert "web-1 of web: not picked by the seed" in text


def test_a_check_that_gives_no_answer_now_says_why() -> None:
    silent = factory.reading("availability", 0.0, "unknown", problem="no data")
    assert "? availability is at least 99%; now unknown (no data)" in plan_text(a_plan(), [silent])


def test_every_target_of_a_large_plan_is_told() -> None:
    plan = factory.crowd().plan
    assert plan is not None
    assert all(f" instance.kill on web-{n} for 1m" in plan_text(plan) for n in (1, 150, 300))


def test_an_effect_that_was_not_proven_is_told() -> None:
    effect = Effect(bit=None, requested="100ms", measured="no answer")
    record = factory.record(injections=(factory.injection(effect=effect),))
    assert "could not be proven to have an effect" in summary(*factory.judged(record))
