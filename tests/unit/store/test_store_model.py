"""The store against a list in memory: whatever is appended, in whatever order, both answer alike."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chaoskit.domain.errors import Blocked
from chaoskit.domain.journal import Entry, Injected, InjectFailed, Intended, Unrestored, outstanding
from chaoskit.domain.ports import Effect
from chaoskit.store import Store

from .builders import NOON, begun, intended, restored

RUNS = ("a", "b", "c")
TARGETS = ("web-1", "web-2")
runs = st.sampled_from(RUNS)
numbers = st.integers(min_value=1, max_value=3)
words = st.text(max_size=8)

intentions = st.builds(intended, runs, numbers, st.sampled_from(TARGETS))
entries: st.SearchStrategy[Entry] = st.one_of(
    intentions,
    st.builds(restored, runs, numbers),
    st.builds(lambda run, n, error: InjectFailed(run=run, n=n, at=NOON, error=error), runs, numbers, words),
    st.builds(lambda run, n, left: Unrestored(run=run, n=n, at=NOON, residue=(left,)), runs, numbers, words),
    st.builds(
        lambda run, n, bit: Injected(run=run, n=n, at=NOON, effect=Effect(bit=bit, requested="", measured="")),
        runs,
        numbers,
        st.sampled_from([True, False, None]),
    ),
)


class StoreModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="chaoskit-model-"))
        self.store = Store(self.folder / "chaoskit.db")
        self.model: list[Entry] = []
        for run in RUNS:
            self.store.begin(begun(run))

    @rule(batch=st.lists(entries, max_size=6))
    def append(self, batch: list[Entry]) -> None:
        self.store.append(*batch)
        self.model += batch

    @rule(batch=st.lists(intentions, min_size=1, max_size=2), run=runs)
    def claim(self, batch: list[Intended], run: str) -> None:
        mine = [entry.model_copy(update={"run": run}) for entry in batch]
        wanted = {entry.ref.id for entry in mine}
        holders = {i.run for i in outstanding(self.model) if i.ref.id in wanted and i.run != run}
        if not holders:
            self.store.claim(*mine, live=lambda _run: False)
            self.model += mine
            return
        with pytest.raises(Blocked) as blocked:
            self.store.claim(*mine, live=lambda _run: False)
        assert {reason.split(" run ")[1].split()[0] for reason in blocked.value.reasons} == holders

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.folder / "chaoskit.db")

    @invariant()
    def both_answer_alike(self) -> None:
        expected = list(outstanding(self.model))
        assert self.store.entries() == self.model
        assert self.store.outstanding() == expected
        assert set(self.store.open_runs()) == {intention.run for intention in expected}
        for summary in self.store.runs():
            mine = [entry for entry in self.model if entry.run == summary.run]
            assert self.store.entries(summary.run) == self.store.salvage(summary.run)[0] == mine
            assert summary.outstanding == len(outstanding(mine))

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


StoreModel.TestCase.settings = settings(max_examples=15, stateful_step_count=10, deadline=None)
TestTheStoreAndTheModel = StoreModel.TestCase
