"""Plays a run to a real terminal in real time: what the recorder would tell, and signals as in a real run.

Started by the terminal tests as ``python -m tests.testbed.cli.play SCENE``. Prints ``ended`` last.
"""

import argparse
import math
import sys

from chaoskit.cli.live import Live
from chaoskit.engine.clock import RealClock
from chaoskit.engine.halt import Halt, stopped_by_signals
from tests.unit.cli.story import Story, checks, experiment, usual_beginning

TICK = 0.1
TARGETS = {"usual": 1, "many": 300}


def play(scene: str, observe: float, said: str) -> None:
    """Steady, then a latency that swings, until ``observe`` seconds are over or somebody stops it."""
    halt, clock = Halt(), RealClock()
    many = {"steady_state": checks(30)} if scene == "many" else {}
    planned = experiment(blast_radius={"max_targets": 300}, **many)
    names = [check.name for check in planned.steady_state]
    with Live(planned, "260305t093000a1b2c3", sys.stdout) as live, stopped_by_signals(halt, live.again):
        story = Story(live, clock)

        def swing() -> None:
            angle = story.at * 2
            for name in names:
                story.check(name, (0.2 if name == "p95 latency" else 0.995) + 0.004 * math.sin(angle))
            story.condition(0.1 + 0.07 * math.sin(angle))
            story.alert(fires=False)

        targets = [f"web-{n}" for n in range(1, TARGETS[scene] + 1)]
        usual_beginning(story, *targets, baseline=1.0, tick=TICK, tell=swing)
        story.phase("observe", observe)
        if said:
            sys.stderr.write(said + "\n")
        end = story.at + observe
        while story.at < end and not halt.engaged:
            story.until(story.at + TICK)
            swing()
        if halt.engaged:
            story.event("halt", halt.reason)
        story.begin_rollback()
        for n in story.records:
            story.until(story.at + 2.0 / len(story.records))
            story.restore(n)
        story.phase("recovery", 30.0)
        story.steadily(story.at + 1.0, TICK, swing)
    sys.stdout.write("ended\n")


def main() -> None:
    """Read what to play."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scene", choices=sorted(TARGETS))
    parser.add_argument("--observe", type=float, default=60.0)
    parser.add_argument("--print", dest="said", default="", help="what somebody else writes to standard error")
    args = parser.parse_args()
    play(args.scene, args.observe, args.said)


if __name__ == "__main__":
    main()
