"""What outlives a run: the journal, the history and the halts. Import :class:`Store`; it is light until used."""

from chaoskit.store.rows import ALL_RUNS, Halt, RunnerRow, RunSummary
from chaoskit.store.store import Store

__all__ = ["ALL_RUNS", "Halt", "RunSummary", "RunnerRow", "Store"]
