"""Settings: where they are found, what overrides what, and every refusal with its file and key."""

from pathlib import Path

import pytest

from chaoskit.domain.errors import InvalidSettings
from chaoskit.domain.limits import Limits
from chaoskit.domain.selection import Protection
from chaoskit.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, so that no file of this machine is found."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def refused(text: str | None = None, environ: dict[str, str] | None = None) -> list[str]:
    if text is not None:
        Path("chaoskit.toml").write_text(text)
    with pytest.raises(InvalidSettings) as caught:
        load_settings(None, environ or {})
    return list(caught.value.problems)


# --- what is found --------------------------------------------------------------------------------------------


def test_every_path_of_a_file_starts_at_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "chaoskit.toml"
    path.parent.mkdir()
    tls = 'tls = {ca_file = "ca.pem", cert_file = "/abs/cert.pem", key_file = "../key.pem"}'
    path.write_text(f'store = "ck.db"\nprometheus = {{url = "https://p", {tls}}}')
    settings = load_settings(str(path), {})
    assert settings.store == path.parent / "ck.db"
    assert settings.prometheus is not None
    found = settings.prometheus.tls
    assert (found.ca_file, found.cert_file) == (str(path.parent / "ca.pem"), "/abs/cert.pem")
    assert Path(found.key_file or "").resolve() == tmp_path / "key.pem"


def test_without_a_file_there_are_defaults() -> None:
    settings = load_settings(None, {})
    assert settings == Settings()
    assert settings.reports == Path("chaoskit-reports")
    assert settings.prometheus is None
    assert settings.protected == Protection()
    assert settings.log_level == "warning"


def test_the_store_lies_in_the_state_folder_of_the_user_unless_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert load_settings(None, {}).store_path() == Path("/state/chaoskit/chaoskit.db")
    assert load_settings(None, {"CHAOSKIT_STORE": "runs.db"}).store_path() == Path("runs.db")


def test_the_halt_file_lies_in_the_state_folder_of_the_user_unless_written_whatever_the_store(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert load_settings(None, {"CHAOSKIT_STORE": "/a/runs.db"}).halt_path() == Path("/state/chaoskit/halt")
    assert load_settings(None, {"CHAOSKIT_HALT_FILE": "stop"}).halt_path() == elsewhere / "stop"
    Path("chaoskit.toml").write_text('halt_file = "~/stop"')
    monkeypatch.setenv("HOME", "/home/me")
    assert load_settings(None, {}).halt_path() == Path("/home/me/stop")


def test_limits_come_from_the_file_and_the_number_of_runs_from_the_environment_too() -> None:
    assert load_settings(None, {}).limits == Limits()
    assert load_settings(None, {"CHAOSKIT_MAX_RUNS": "2"}).limits == Limits(max_runs=2)
    Path("chaoskit.toml").write_text('[limits]\nmax_runs = 3\nmax_per_label = {service = 1, "a.b" = 2}')
    assert load_settings(None, {}).limits == Limits(max_runs=3, max_per_label={"service": 1, "a.b": 2})
    assert load_settings(None, {"CHAOSKIT_MAX_RUNS": "1"}).limits.max_runs == 1


def test_everything_can_be_written() -> None:
    Path("chaoskit.toml").write_text(
        """
        store = "/var/lib/chaoskit.db"
        reports = "/var/reports"
        docker_host = "ssh://ops@docker-3"
        log_level = "debug"
        [prometheus]
        url = "https://prometheus.example"
        auth = {bearer = "env:PROM_TOKEN"}
        timeout = "2s"
        [protected]
        names = ["*-db-*"]
        labels = ["tier=0", "billing"]
        """
    )
    settings = load_settings(None, {})
    assert settings.store_path() == Path("/var/lib/chaoskit.db")
    assert settings.reports == Path("/var/reports")
    assert settings.docker_host == "ssh://ops@docker-3"
    assert settings.prometheus is not None
    assert settings.prometheus.timeout == 2.0
    assert settings.protected == Protection(names=("*-db-*",), labels=("tier=0", "billing"))


def test_the_first_file_found_is_used_alone(tmp_path: Path) -> None:
    config = tmp_path / "config"
    (config / "chaoskit").mkdir(parents=True)
    (config / "chaoskit" / "chaoskit.toml").write_text('log_level = "error"\nreports = "/a"')
    environ = {"XDG_CONFIG_HOME": str(config)}
    assert load_settings(None, environ).log_level == "error"
    Path("chaoskit.toml").write_text('log_level = "info"')
    assert load_settings(None, environ).log_level == "info"
    assert load_settings(None, environ).reports == Path("chaoskit-reports")
    named = tmp_path / "named.toml"
    named.write_text('log_level = "debug"')
    assert load_settings(str(named), environ).log_level == "debug"
    assert load_settings(None, environ | {"CHAOSKIT_CONFIG": str(named)}).log_level == "debug"


def test_the_home_folder_stands_in_for_the_configuration_folder(tmp_path: Path) -> None:
    (tmp_path / ".config" / "chaoskit").mkdir(parents=True)
    (tmp_path / ".config" / "chaoskit" / "chaoskit.toml").write_text('log_level = "error"')
    assert load_settings(None, {"HOME": str(tmp_path)}).log_level == "error"


def test_relative_paths_start_at_the_folder_of_the_file_and_a_tilde_is_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    named = tmp_path / "chaoskit.toml"
    named.write_text('store = "runs.db"\nreports = "~/reports"')
    settings = load_settings(str(named), {})
    assert settings.store == tmp_path / "runs.db"
    assert settings.reports == Path("/home/me/reports")
    assert load_settings(None, {"CHAOSKIT_REPORTS": "~/x"}).reports == Path("/home/me/x")


def test_the_environment_overrides_the_file_key_by_key() -> None:
    Path("chaoskit.toml").write_text('reports = "/a"\n[prometheus]\nurl = "http://one"\ntimeout = "1s"')
    settings = load_settings(
        None, {"CHAOSKIT_REPORTS": "/b", "CHAOSKIT_PROMETHEUS_URL": "http://two", "CHAOSKIT_LOG_LEVEL": "INFO"}
    )
    assert settings.reports == Path("/b")
    assert settings.log_level == "info"
    assert settings.prometheus is not None
    assert (settings.prometheus.url, settings.prometheus.timeout) == ("http://two", 1.0)


def test_an_empty_variable_says_nothing() -> None:
    assert load_settings(None, {"CHAOSKIT_STORE": "", "CHAOSKIT_PROMETHEUS_URL": ""}) == Settings()


def test_the_environment_adds_to_protection_and_never_takes_away() -> None:
    Path("chaoskit.toml").write_text('[protected]\nnames = ["db-*"]')
    environ = {"CHAOSKIT_PROTECTED_NAMES": "pay-*, auth-*", "CHAOSKIT_PROTECTED_LABELS": "tier=0"}
    settings = load_settings(None, environ)
    assert settings.protected == Protection(names=("db-*", "pay-*", "auth-*"), labels=("tier=0",))


# --- what is refused ------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, list[str]]] = [
    ('stroe = "x"', ["chaoskit.toml: stroe: is not a key that is known here; did you mean store?"]),
    ("store = 5", ['chaoskit.toml: store: must be a path, not 5; write for example store = "chaoskit.db"']),
    (
        'log_level = "loud"',
        ["chaoskit.toml: log_level: 'loud' is not one of the choices; write one of debug, info, warning, error"],
    ),
    (
        'docker_host = "docker-3"',
        [
            (
                "chaoskit.toml: docker_host: 'docker-3' does not have the right form; begin it with unix://, tcp:// "
                'or ssh://; write for example docker_host = "unix:///var/run/docker.sock"'
            )
        ],
    ),
    (
        "prometheus = true",
        [
            (
                "chaoskit.toml: prometheus: must be a mapping, not true; "
                'write for example prometheus = {url = "http://127.0.0.1:9090"}'
            )
        ],
    ),
    (
        "[prometheus]",
        ['chaoskit.toml: prometheus.url: is missing; write for example url = "http://127.0.0.1:9090"'],
    ),
    (
        '[prometheus]\nurl = "http://p"\ntimeout = 5',
        ["chaoskit.toml: prometheus.timeout: a duration needs a unit; write 5s or 5ms"],
    ),
    (
        '[protected]\nnames = "db-*"\nlables = []',
        [
            "chaoskit.toml: protected.names: must be a list, not 'db-*'",
            "chaoskit.toml: protected.lables: is not a key that is known here; did you mean labels?",
        ],
    ),
    ('store = "a\\u0000b"', ["chaoskit.toml: store: holds the character U+0000, which no path can; remove it"]),
    (
        "[limits]\nmax_runs = 0\nmax_per_label = {service = 0}",
        [
            "chaoskit.toml: limits.max_runs: 0 is out of range; write at least 1",
            "chaoskit.toml: limits.max_per_label.service: 0 is out of range; write at least 1",
        ],
    ),
    (
        '[limits]\nmax_runs = "3"',
        ["chaoskit.toml: limits.max_runs: must be a whole number, not '3'; write for example max_runs = 3"],
    ),
    (
        "[limits]\nmax_per_label = {com.docker.compose.service = 1}",
        [
            (
                "chaoskit.toml: limits.max_per_label: a label with dots stands in quotes; "
                'write for example "com.service" = 1'
            )
        ],
    ),
    (
        '[limits]\nmax_per_label = {"service=pay" = 1}',
        [
            (
                "chaoskit.toml: limits.max_per_label: 'service=pay' is no key of a label; each value is counted by "
                "itself, so write service = 1"
            )
        ],
    ),
    ('halt_file = "a\\u0000b"', ["chaoskit.toml: halt_file: holds the character U+0000, which no path can; remove it"]),
    (
        "store = ",
        [
            (
                "chaoskit.toml: is not valid TOML: Invalid value (at end of document); "
                'write for example store = "chaoskit.db"'
            )
        ],
    ),
    ("a = " + "[" * 100_000, ["chaoskit.toml: is nested too deeply; no setting is"]),
]


@pytest.mark.parametrize(("text", "problems"), REFUSED)
def test_a_file_is_refused_with(text: str, problems: list[str]) -> None:
    assert sorted(refused(text)) == sorted(problems)


def test_a_variable_is_refused_by_its_name() -> None:
    assert refused(environ={"CHAOSKIT_LOG_LEVEL": "LOUD", "CHAOSKIT_PROMETHEUS_URL": "prometheus:9090"}) == [
        (
            "CHAOSKIT_PROMETHEUS_URL: 'prometheus:9090' does not have the right form; begin it with http:// or "
            "https://, without spaces, user and password (those go into auth); "
            'write for example CHAOSKIT_PROMETHEUS_URL="http://127.0.0.1:9090"'
        ),
        "CHAOSKIT_LOG_LEVEL: 'loud' is not one of the choices; write one of debug, info, warning, error",
    ]


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "9" * 5000])
def test_a_number_in_a_variable_must_be_one(text: str) -> None:
    (line,) = refused(environ={"CHAOSKIT_MAX_RUNS": text})
    assert line.startswith("CHAOSKIT_MAX_RUNS: must be a whole number, not ")
    assert line.endswith("; write for example CHAOSKIT_MAX_RUNS=3")


def test_a_misspelt_variable_of_ours_is_refused_and_one_of_others_is_left_alone() -> None:
    assert refused(environ={"CHAOSKIT_PROTECTED_NAME": "db-*", "CHAOSKIT_TEST_BED": "x", "CHAOSKITTEN": "y"}) == [
        "CHAOSKIT_PROTECTED_NAME: is not a setting; did you mean CHAOSKIT_PROTECTED_NAMES?"
    ]


def test_protection_in_the_environment_does_not_hide_a_bad_one_in_the_file() -> None:
    assert refused('[protected]\nnames = "db-*"', {"CHAOSKIT_PROTECTED_NAMES": "web-*"}) != []


def test_a_secret_written_out_is_refused_and_not_repeated() -> None:
    [line] = refused('[prometheus]\nurl = "http://p"\nauth = {bearer = "hunter2"}')
    assert "hunter2" not in line


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="does not exist"):
        load_settings(str(tmp_path / "no.toml"), {})


def test_a_file_that_is_there_but_cannot_be_read_is_not_passed_over() -> None:
    Path("chaoskit.toml").mkdir()
    assert refused() == ["chaoskit.toml: is a directory; name a file in it"]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().log_level = "info"  # type: ignore[misc]  # that it is refused is the test
