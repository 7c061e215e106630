"""Experiment files: what a good one becomes, and every problem of a bad one with its exact place and words."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaoskit.domain.errors import InvalidExperiment
from chaoskit.domain.experiment import Experiment
from chaoskit.files.loader import LoadedExperiment, faults_of, load, load_text
from tests.unit.files.kinds import GOOD, KINDS, Delay, Kill


def loaded(text: str, **variables: str) -> LoadedExperiment:
    return load_text(text, name="f", variables=variables, registry=KINDS)


def problems(text: str, **variables: str) -> list[str]:
    with pytest.raises(InvalidExperiment) as caught:
        loaded(text, **variables)
    return list(caught.value.problems)


# --- good files -----------------------------------------------------------------------------------------------


def test_a_good_file_becomes_an_experiment_with_a_fault_for_each_step(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    found = load(str(file), variables={}, registry=KINDS)
    assert found.path == str(file)
    assert found.text == GOOD
    assert found.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert found.experiment.name == "replica-loss"
    assert [step.kind for step in found.experiment.faults] == ["instance.kill", "network.delay"]
    assert found.faults == (Kill(signal="TERM"), Delay.model_validate({"by": "100ms"}))
    assert [step.duration for step in found.experiment.faults] == [60.0, 90.0]


def test_a_loaded_experiment_cannot_be_changed() -> None:
    found = loaded(GOOD)
    with pytest.raises(AttributeError):
        found.path = "other"  # type: ignore[misc]  # that it is refused is the test


def test_variables_fill_in_values_of_any_type() -> None:
    text = GOOD.replace("pick: 30%", "pick: ${PICK}").replace("duration: 60s", "duration: ${SECONDS:-20}s")
    experiment = loaded(text, PICK="2").experiment
    assert experiment.faults[0].pick == 2
    assert experiment.faults[0].duration == 20.0


def test_what_a_variable_holds_never_becomes_structure() -> None:
    text = GOOD.replace("title: The shop", "title: ${TITLE}")
    assert loaded(text, TITLE="x\nname: other").experiment.title.startswith("x\nname: other keeps")


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("pick: 30%", "pick: {zone: a}"), GOOD.replace("0.99", "1e16")])
def test_an_experiment_survives_json(text: str) -> None:
    found = loaded(text)
    dumped = found.experiment.model_dump_json(by_alias=True)
    assert Experiment.model_validate_json(dumped) == found.experiment
    again = load_text(dumped, variables=None, registry=KINDS)
    assert again.experiment == found.experiment
    assert again.faults == found.faults


def test_an_experiment_whose_text_holds_a_dollar_and_a_brace_survives_json() -> None:
    found = loaded(GOOD.replace("sum(rate(ok[15s]))", "sum(rate(ok{job='$${job}'}[15s]))"))
    assert "${job}" in (found.experiment.steady_state[0].promql or "")
    dumped = found.experiment.model_dump_json(by_alias=True, exclude_defaults=True)
    assert load_text(dumped, variables=None, registry=KINDS).experiment == found.experiment


def test_json_is_accepted_as_it_stands() -> None:
    document = json.loads(loaded(GOOD).experiment.model_dump_json(by_alias=True))
    assert loaded(json.dumps(document, indent=2)).experiment == loaded(GOOD).experiment


NOT_NEEDED = (
    "docker", "requests", "rich", "jinja2", "sqlalchemy", "psutil", "prometheus_api_client", "platformdirs", "tomllib",
    "pkgutil", "difflib", "chaoskit.files.problems", "chaoskit.files.sentences", "chaoskit.files.meanings",
    "chaoskit.files.schema", "chaoskit.settings",
)  # fmt: skip


def test_loading_a_good_file_imports_nothing_it_does_not_need() -> None:
    program = (
        "import sys; from chaoskit.files.loader import load; load(sys.argv[1], variables={});"
        f"print([name for name in {NOT_NEEDED} if name in sys.modules])"
    )
    file = Path(__file__).parents[2] / "data/experiments/good/least.yaml"
    argv = [sys.executable, "-c", program, str(file)]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.strip() == "[]"


# --- bad files ------------------------------------------------------------------------------------------------

REPLACED: list[tuple[str, str, list[str]]] = [
    # the head
    (
        "chaoskit/v1",
        "chaoskit/v2",
        ["f:1:13: apiVersion: 'chaoskit/v2' is not accepted; write apiVersion: chaoskit/v1"],
    ),
    ("apiVersion: chaoskit/v1\n", "", ["f:1:1: apiVersion: is missing; write for example apiVersion: chaoskit/v1"]),
    ("kind: Experiment", "kind: GameDay", ["f:2:7: kind: 'GameDay' is not accepted; write kind: Experiment"]),
    (
        "replica-loss",
        "Replica Loss",
        [
            (
                "f:3:7: name: 'Replica Loss' does not have the right form; use lower-case letters and digits, in "
                "words joined by - _ or .; write for example name: checkout-survives-web-loss"
            )
        ],
    ),
    ("replica-loss", "r" * 81, ["f:3:7: name: is 81 characters long; write at most 80"]),
    (
        "title: The shop keeps serving when one replica dies",
        "title:",
        [("f:4:7: title: is empty; write for example title: Checkout keeps serving when one web replica dies")],
    ),
    (
        "title: The shop keeps serving when one replica dies",
        "title: 1.10",
        ['f:4:8: title: must be text; put it in quotes: "1.10"'],
    ),
    # unknown keys
    (
        "blast_radius:",
        "blast_radus:",
        ["f:24:1: blast_radus: is not a key that is known here; did you mean blast_radius?"],
    ),
    ("title:", "Title:", ["f:4:1: Title: is not a key that is known here; did you mean title?"]),
    (
        "max_targets: 2",
        "zone: a",
        [
            (
                "f:24:16: blast_radius.zone: is not a key that is known here; "
                "known are max_targets, max_percent, max_percent_min, min_healthy, require_label"
            )
        ],
    ),
    (
        "for: 3s",
        "held_for: 3s",
        [
            (
                "f:26:39: abort_when.0.held_for: is not a key that is known here; known are promql, http, tcp, "
                "command, range, reduce, fresh_within, name, above, below, for, no_data_for"
            )
        ],
    ),
    # targets
    (
        "  db: {local",
        "  DB: {local",
        [
            (
                "f:7:3: targets.DB: 'DB' does not have the right form; "
                "use lower-case letters and digits, in words joined by - _ or ."
            ),
            "f:21:13: faults.1.target: no target is named 'db'; did you mean DB?",
        ],
    ),
    (
        "{docker: {labels: {app: web}}}",
        "{dokcer: {labels: {app: web}}}",
        ["f:6:9: targets.web.dokcer: is not a key that is known here; did you mean docker?"],
    ),
    (
        "{docker: {labels: {app: web}}}",
        "{}",
        [
            (
                "f:6:8: targets.web: write exactly one of docker, local; none of them is given, "
                "for example docker: {labels: {app: web}}"
            )
        ],
    ),
    (
        "{app: web}",
        "{app: 1.10}",
        ['f:6:32: targets.web.docker.labels.app: must be text; put it in quotes: "1.10"'],
    ),
    (
        "{app: web}",
        "[app]",
        [("f:6:26: targets.web.docker.labels: must be a mapping, not a list; write for example labels: {app: web}")],
    ),
    (
        "port: 5432",
        "port: 543210",
        ["f:7:22: targets.db.local.port: 543210 is out of range; write at most 65535"],
    ),
    # checks
    (
        "at_least: 0.99",
        "at_least: 300 ms",
        [
            "f:11:15: steady_state.0.at_least: '300 ms' is not a number; write for example 0.99, 300ms, 5% or 512MiB",
        ],
    ),
    (
        "at_least: 0.99",
        "at_least: .inf",
        [
            (
                "f:11:15: steady_state.0.at_least: .inf is not a finite number; "
                "write for example 0.99, or put it in quotes if it is meant as text"
            )
        ],
    ),
    (
        "    at_least: 0.99\n",
        "",
        [("f:9:5: steady_state.0: a promql check needs at_least, at_most or equals, for example at_least: 0.99")],
    ),
    (
        "name: front page",
        "name: availability",
        ["f:9:3: steady_state: two checks are named 'availability'; give each its own name"],
    ),
    (
        "[200, 204]",
        "ok",
        [
            (
                "f:13:51: steady_state.1.http.status: must be a whole number or a list, not 'ok'; "
                "write for example status: 200"
            )
        ],
    ),
    ("[200, 204]", "[200, ok]", ["f:13:57: steady_state.1.http.status.1: must be a whole number, not 'ok'"]),
    ("within: 1s", "within: 1", ["f:13:71: steady_state.1.http.within: a duration needs a unit; write 1s or 1ms"]),
    ("within: 1s", "within: 0s", ["f:13:71: steady_state.1.http.within: 0s is out of range; write more than 0s"]),
    (
        "within: 1s",
        "method: get",
        ["f:13:71: steady_state.1.http.method: 'get' is not one of the choices; did you mean GET?"],
    ),
    (
        "http://127.0.0.1:8080/",
        "127.0.0.1:8080",
        [
            (
                "f:13:17: steady_state.1.http.url: '127.0.0.1:8080' does not have the right form; begin it with "
                "http:// or https://, without spaces, user and password (those go into auth); "
                "write for example url: http://127.0.0.1:8080/healthz"
            )
        ],
    ),
    ("  - name: front page", "  -\n  - name: front page", ["f:12:4: steady_state.1: is empty"]),
    # faults
    (
        "kind: instance.kill",
        "kind: instance.kil",
        ["f:15:11: faults.0.kind: no fault is of kind 'instance.kil'; did you mean instance.kill?"],
    ),
    (
        "kind: instance.kill",
        "kind: disk.fill",
        ["f:15:11: faults.0.kind: no fault is of kind 'disk.fill'; known are instance.kill, network.delay"],
    ),
    ("target: web", "target: cache", ["f:16:13: faults.0.target: no target is named 'cache'; declared are web, db"]),
    ("    duration: 60s\n", "", ["f:15:5: faults.0.duration: is missing; write for example duration: 60s"]),
    ("duration: 60s", "duration: 60", ["f:18:15: faults.0.duration: a duration needs a unit; write 60s or 60ms"]),
    (
        "duration: 60s",
        "duration: 30d",
        ["f:18:15: faults.0.duration: 30d is longer than the longest duration chaoskit accepts, 7d"],
    ),
    (
        "duration: 60s",
        "druation: 60s",
        ["f:18:5: faults.0.druation: is not a key that is known here; did you mean duration?"],
    ),
    (
        "pick: 30%",
        "pick: 0",
        [
            (
                "f:17:11: faults.0.pick: 0 is not a pick; "
                "write a count such as 1, a share such as 30%, all, or labels such as {zone: a}"
            )
        ],
    ),
    (
        "signal: TERM",
        "signal: HUP",
        ["f:19:13: faults.0.signal: 'HUP' is not one of the choices; write one of KILL, TERM"],
    ),
    (
        "signal: TERM",
        "sginal: TERM",
        ["f:19:5: faults.0.sginal: is not a key that is known here; did you mean signal?"],
    ),
    (
        "signal: TERM",
        "zone: a",
        [
            (
                "f:19:5: faults.0.zone: is not a key that is known here; "
                "known are signal, kind, target, pick, pick_min, duration"
            )
        ],
    ),
    ("    by: 100ms\n", "", ["f:20:5: faults.1.by: is missing; write for example by: 100ms"]),
    ("by: 100ms", "by: 100", ["f:23:9: faults.1.by: a duration needs a unit; write 100s or 100ms"]),
    (
        "by: 100ms",
        "by: 100ms\n    peers: [{host: a, ports: [0, x]}, {hots: b}]",
        [
            "f:24:31: faults.1.peers.0.ports.0: 0 is out of range; write at least 1",
            "f:24:34: faults.1.peers.0.ports.1: must be a whole number, not 'x'",
            "f:24:40: faults.1.peers.1.hots: is not a key that is known here; did you mean host?",
        ],
    ),
    # kinds of collections
    (
        "abort_when:\n  - {",
        "abort_when:\n    {",
        [
            (
                "f:27:3: is not valid YAML: did not find expected key while parsing a block mapping that begins on "
                "line 1; check the indentation and the quotes, here and in the line above"
            )
        ],
    ),
    (
        "{max_targets: 2, max_percent: 34%}",
        "2",
        [
            (
                "f:24:15: blast_radius: must be a mapping, not 2; "
                "write for example blast_radius: {max_targets: 1, max_percent: 34%}"
            )
        ],
    ),
    (
        "max_targets: 2",
        "max_targets: true",
        ["f:24:29: blast_radius.max_targets: must be a whole number, not true; write for example max_targets: 1"],
    ),
    (
        "max_percent: 34%",
        "max_percent: 34",
        ["f:24:45: blast_radius.max_percent: a percentage needs its sign; write 34%"],
    ),
    (
        "max_percent: 34%",
        "max_percent_min: 1",
        [
            (
                "f:24:15: blast_radius: max_percent_min belongs to max_percent; "
                "add for example max_percent: 34%, or remove it"
            )
        ],
    ),
    # variables
    (
        "pick: 30%",
        "pick: ${PICK}",
        [
            (
                "f:17:11: faults.0.pick: variable PICK is not set; "
                "export it, give --set PICK=..., or write ${PICK:-default}"
            )
        ],
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), REPLACED)
def test_a_file_is_refused_with(old: str, new: str, expected: list[str]) -> None:
    assert GOOD.count(old) >= 1
    assert problems(GOOD.replace(old, new, 1)) == expected


ADDED: list[tuple[str, list[str]]] = [
    ("owner: [me]\n", ["f:28:8: owner: must be text, not a list; write for example owner: team-checkout"]),
    ("tags: tier-1\n", ["f:28:7: tags: must be a list, not 'tier-1'; write for example tags: [tier-1]"]),
    ("tags: [tier-1, 1]\n", ['f:28:16: tags.1: must be text; put it in quotes: "1"']),
    ("sampling: {tick: 10ms}\n", ["f:28:18: sampling.tick: 10ms is out of range; write at least 100ms"]),
    ("sampling: {tick: 2m}\n", ["f:28:18: sampling.tick: 2m is out of range; write at most 1m"]),
    ("sampling: {min_samples: 0}\n", ["f:28:25: sampling.min_samples: 0 is out of range; write at least 1"]),
    (
        "runbook: /wiki\n",
        [
            (
                "f:28:10: runbook: '/wiki' does not have the right form; begin it with http:// or https://, "
                "without spaces, user and password; write for example runbook: https://runbooks.example/checkout"
            )
        ],
    ),
    (
        'prometheus: {url: "http://p", auth: {username: me}}\n',
        [
            (
                "f:28:37: prometheus.auth: write either bearer, or username and password, "
                "for example bearer: env:PROM_TOKEN"
            )
        ],
    ),
    (
        'prometheus: {url: "http://p", tls: {verify: maybe}}\n',
        ["f:28:45: prometheus.tls.verify: must be true or false, not 'maybe'; write for example verify: true"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), ADDED)
def test_a_file_with_this_added_is_refused_with(text: str, expected: list[str]) -> None:
    assert problems(GOOD + text) == expected


def test_all_problems_of_a_file_come_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("Experiment", "Experimnt").replace("at_least: 0.99", "at_least: .nan")
    text = text.replace("instance.kill", "disk.fill").replace("duration: 60s", "duration: 60").replace("by:", "in:")
    text = text.replace("target: db", "target: cache") + "title: again\n"
    places = [line.split(": ", 2)[0:2] for line in problems(text)]
    assert places == [
        ["f:2:7", "kind"],
        ["f:11:15", "steady_state.0.at_least"],
        ["f:15:11", "faults.0.kind"],
        ["f:18:15", "faults.0.duration"],
        ["f:20:5", "faults.1.by"],
        ["f:21:13", "faults.1.target"],
        ["f:23:5", "faults.1.in"],
        ["f:28:1", "title"],
    ]


def test_a_list_is_not_called_empty_because_all_that_is_in_it_is_wrong() -> None:
    text = GOOD[: GOOD.index("steady_state:")] + (
        "steady_state:\n  - {name: availability, promql: up, at_least: fast}\n"
        "faults:\n  - {kind: instance.kill, target: web, duration: 60}\n"
    )
    assert problems(text) == [
        "f:9:48: steady_state.0.at_least: 'fast' is not a number; write for example 0.99, 300ms, 5% or 512MiB",
        "f:11:50: faults.0.duration: a duration needs a unit; write 60s or 60ms",
    ]
    assert [line.split(": ")[:2] for line in problems(text.replace("fast", "1") + "tags: []\n")] == [
        ["f:11:50", "faults.0.duration"]
    ]


def test_a_list_that_is_empty_is_called_empty() -> None:
    text = GOOD[: GOOD.index("faults:")] + "faults: []\n"
    assert problems(text) == [
        (
            "f:14:9: faults: must not be empty; "
            "write for example faults: [{kind: instance.kill, target: web, duration: 60s}]"
        )
    ]


def test_a_list_that_is_too_short_for_a_fault_of_others_is_refused() -> None:
    assert problems(GOOD.replace("by: 100ms", "by: 100ms\n    pair: [a]")) == [
        "f:24:11: faults.1.pair: must hold at least 2"
    ]


def test_a_bad_key_hides_no_other_problem() -> None:
    text = GOOD.replace("kind: Experiment", "1: one\nkind: Experimnt").replace(
        "duration: 60s", "2: x\n    duration: 60"
    )
    assert [line.split(": ")[0] for line in problems(text)] == ["f:2:1", "f:3:7", "f:19:5", "f:20:15"]


def test_what_follows_from_an_unreadable_value_is_not_reported_again() -> None:
    assert problems(GOOD.replace('url: "http://127.0.0.1:8080/"', "url: '${NOPE}'")) == [
        (
            "f:13:17: steady_state.1.http.url: variable NOPE is not set; "
            "export it, give --set NOPE=..., or write ${NOPE:-default}"
        )
    ]


def test_a_value_behind_an_alias_is_reported_where_it_is_defined() -> None:
    text = GOOD.replace("pick: 30%", "pick: &share 0%").replace("max_percent: 34%", "max_percent: *share")
    assert [line.split(": ")[:2] for line in problems(text)] == [
        ["f:17:11", "blast_radius.max_percent"],
        ["f:17:11", "faults.0.pick"],
    ]


@pytest.mark.parametrize("key", ["bearer", "password"])
@pytest.mark.parametrize("value", ["hunter2", "12345678", "[hunter2]"])
def test_a_secret_written_out_is_refused_and_not_repeated(key: str, value: str) -> None:
    [line] = problems(f'{GOOD}prometheus: {{url: "http://p", auth: {{{key}: {value}, username: me}}}}\n')
    assert "secrets are never written out; say where it is, as env:NAME or file:PATH" in line
    assert value.strip("[]") not in line


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    [line] = problems(GOOD + 'prometheus: {url: "http://me:hunter2@p"}\n')
    assert "user and password (those go into auth)" in line
    assert "hunter2" not in line


def test_parameters_may_stand_apart_as_in_a_dump_and_are_judged_there() -> None:
    apart = GOOD.replace("signal: TERM", "parameters: {signal: TERM}")
    assert loaded(apart).experiment == loaded(GOOD).experiment
    assert problems(GOOD.replace("signal: TERM", "parameters: {signal: HUP, zone: a}")) == [
        "f:19:26: faults.0.parameters.signal: 'HUP' is not one of the choices; write one of KILL, TERM",
        "f:19:31: faults.0.parameters.zone: is not a key that is known here; known are signal",
    ]


def test_faults_of_a_plan_are_judged_like_those_of_a_file() -> None:
    whole = loaded(GOOD)
    assert faults_of(whole.experiment, name="p.json", registry=KINDS) == whole.faults
    kill, delay = whole.experiment.faults
    steps = (
        kill.model_copy(update={"kind": "instance.kil", "target": "wbe"}),
        delay.model_copy(update={"parameters": {"by": "soon", "shre": 1}}),
    )
    with pytest.raises(InvalidExperiment) as caught:
        faults_of(whole.experiment.model_copy(update={"faults": steps}), name="p.json", registry=KINDS)
    lines = caught.value.problems
    assert [line.split("; ")[0] for line in lines] == [
        "p.json: experiment.faults.0.kind: no fault is of kind 'instance.kil'",
        "p.json: experiment.faults.0.target: no target is named 'wbe'",
        "p.json: experiment.faults.1.parameters.by: 'soon' is not a duration",
        "p.json: experiment.faults.1.parameters.shre: is not a key that is known here",
    ]
    assert "did you mean instance.kill?" in lines[0]


@pytest.mark.parametrize("faults", ["5", "[5]", "[[]]", "{}", "null", "[null]", "[{kind: 5}]", "[{parameters: 5}]"])
def test_faults_of_the_wrong_shape_are_refused(faults: str) -> None:
    head = GOOD[: GOOD.index("faults:")]
    assert all(line.startswith("f:14:") and ": faults" in line for line in problems(f"{head}faults: {faults}\n"))


def test_more_problems_than_a_person_can_read_are_counted() -> None:
    found = problems(GOOD + "".join(f"x{number}: 1\n" for number in range(500)))
    assert len(found) == 201
    assert found[-1] == "f: 300 more problems are not shown; mend these first"


def test_many_names_that_are_not_declared_cost_little_time() -> None:
    targets = ", ".join(f"t{number}: {{local: {{port: 1}}}}" for number in range(1500))
    steps = "".join(f"  - {{kind: k{number}, target: y{number}, duration: 1s}}\n" for number in range(1500))
    text = GOOD[: GOOD.index("targets:")] + f"targets: {{{targets}}}\nfaults:\n{steps}"
    start = time.process_time()
    assert len(problems(text)) == 201
    assert time.process_time() - start < 4


def test_names_in_messages_cannot_steer_the_terminal() -> None:
    name = "f\x1b[2J.yaml"
    with pytest.raises(InvalidExperiment) as caught:
        load_text("a: 1", name=name, variables={}, registry=KINDS)
    assert "\x1b" not in str(caught.value)
