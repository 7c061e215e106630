"""The guardian: a small process beside the runner that undoes the run's faults when the runner goes silent.

It is started before anything is touched, in a session of its own, and talks with the runner over one connection: its
standard input and output. When the runner dies, the kernel closes the connection, and the guardian knows at once;
when the runner is frozen or unreachable, its lease runs out.
"""
