import sys
from pathlib import Path

import yaml

from chaoskit.demo.configs import Front, alert_rules, haproxy_config, prometheus_config
from chaoskit.demo.docker_parts import BED_LABEL, FRONTS, SCRAPED, Part, config_files, container_settings, parts
from chaoskit.demo.local_parts import belongs

PARTS = {part.name: part for part in parts("bed", rate=20, max_seconds=60)}
FOLDER = Path("state/bed-1")


def settings(name: str) -> dict[str, object]:
    return container_settings(PARTS[name], "bed")


def labels(name: str) -> dict[str, str]:
    found = settings(name)["labels"]
    assert isinstance(found, dict)
    return found


def test_every_replica_is_a_checked_server_of_its_front() -> None:
    text = haproxy_config([Front("web", 8080, ["web-1:8000", "web-2:8000"], 500), Front("solo", 8081, ["s:1"], 1800)])
    web, solo = text.split("\nlisten ")[1:]
    assert web.splitlines()[:2] == ["web", "    bind :8080"]
    assert "    timeout server 500ms" in web
    assert [line.strip() for line in web.splitlines() if "server web" in line] == [
        "server web-1 web-1:8000 check",
        "server web-2 web-2:8000 check",
    ]
    assert "    server s s:1 check" in solo
    assert "web-1" not in solo


def test_only_requests_that_may_be_sent_twice_are_retried() -> None:
    for front in haproxy_config(FRONTS).split("\nlisten ")[1:]:
        assert "http-request disable-l7-retry unless METH_GET" in front


def test_prometheus_scrapes_every_job_each_second() -> None:
    config = yaml.safe_load(prometheus_config({"web": ["a:1", "b:1"], "load": ["c:1"]}, "rules.yml"))
    assert config["global"] == {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    assert config["rule_files"] == ["rules.yml"]
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert jobs == {"web": ["a:1", "b:1"], "load": ["c:1"]}


def test_the_rules_hold_an_alert_on_what_users_feel() -> None:
    rules = yaml.safe_load(alert_rules())["groups"][0]["rules"]
    by_name = {rule["alert"]: rule for rule in rules}
    assert set(by_name) == {"HighErrorRate", "HighLatency", "InstanceDown"}
    assert "client_requests_total" in by_name["HighErrorRate"]["expr"]
    assert all({"expr", "for", "labels"} <= set(rule) for rule in rules)


def test_only_the_replicas_of_the_service_opt_in_to_chaos() -> None:
    allowed = {name for name in PARTS if labels(name).get("chaoskit.allow") == "true"}
    assert allowed == {"web-1", "web-2", "web-3", "solo-1"}


def test_every_container_is_found_by_the_bed_and_by_compose_labels() -> None:
    for name in PARTS:
        assert settings(name)["name"] == f"bed-{name}"
        assert labels(name)[BED_LABEL] == "bed"
        assert labels(name)["com.docker.compose.project"] == "bed"
    assert labels("web-2")["com.docker.compose.service"] == "web"
    assert labels("web-2")["com.docker.compose.container-number"] == "2"
    assert labels("lb")["com.docker.compose.container-number"] == "1"


def test_the_replicas_of_web_lie_in_three_zones() -> None:
    assert [labels(f"web-{number}")["zone"] for number in (1, 2, 3)] == ["a", "b", "c"]


def test_ports_are_published_on_loopback_only() -> None:
    published = [ports for name in PARTS if (ports := settings(name)["ports"])]
    assert published
    for ports in published:
        assert isinstance(ports, dict)
        assert all(binding == ("127.0.0.1", None) for binding in ports.values())


def test_only_the_third_replica_comes_back_by_itself() -> None:
    restarting = {name: policy for name in PARTS if (policy := settings(name).get("restart_policy"))}
    assert restarting == {"web-3": {"Name": "always"}}


def test_every_container_has_a_memory_limit_and_no_swap_beyond_it() -> None:
    for part in PARTS.values():
        assert settings(part.name)["mem_limit"] == settings(part.name)["memswap_limit"] == f"{part.memory}m"
        assert 0 < part.memory <= 256


def test_the_load_starts_last_and_drives_both_fronts() -> None:
    last: Part = parts("bed", rate=12.5, max_seconds=60)[-1]
    assert last.name == "load"
    assert "--target=web=http://lb:8080/" in last.argv
    assert "--target=solo=http://lb:8081/" in last.argv
    assert list(last.argv[-4:]) == ["--rate", "12.5", "--max-seconds", "60"]


def test_everything_scraped_is_a_part_of_the_bed() -> None:
    scraped = {address.partition(":")[0] for addresses in SCRAPED.values() for address in addresses}
    assert scraped <= set(PARTS)
    assert set(config_files()) == {"haproxy.cfg", "prometheus.yml", "rules.yml"}


def test_a_process_belongs_to_the_bed_that_its_command_line_names() -> None:
    replica = [sys.executable, "demo/service.py", "--name", "web-1", "--bed", "bed-1", "--port", "1"]
    assert belongs(replica, "bed-1", FOLDER)
    assert not belongs(replica, "bed-2", FOLDER)
    assert not belongs(replica, "bed", FOLDER)


def test_a_process_that_merely_mentions_the_bed_is_a_stranger() -> None:
    assert not belongs(["less", "notes-on---bed", "--bed", "bed-1"], "bed-1", FOLDER)
    assert not belongs([sys.executable, "-m", "chaoskit.demo", "up", "--bed", "bed-1"], "bed-1", FOLDER)
    assert not belongs(["vi", "demo/service.py", "bed-1"], "bed-1", FOLDER)
    assert not belongs([], "bed-1", FOLDER)


def test_the_beds_prometheus_is_known_by_its_configuration_file() -> None:
    ours = ["/usr/bin/prometheus", f"--config.file={FOLDER / 'prometheus.yml'}"]
    assert belongs(ours, "bed-1", FOLDER)
    assert not belongs(ours, "bed-1", Path("state/other"))
