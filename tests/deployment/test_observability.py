"""Prometheus' settings and Grafana's dashboard, checked against each other, the Compose file and a running service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from tests.deployment.container import Container, free_port
from tests.deployment.support import ROOT, Image, compose, dashboard, environment, plain, queries
from unspun.model.verdict import VERDICTS
from unspun.service.http import metrics
from unspun.service.http.problems import TITLES

PROMETHEUS = ROOT / "deploy/prometheus.yml"
RULES = ROOT / "deploy/prometheus-rules.yml"
GRAFANA = ROOT / "deploy/grafana"
SERVICES = compose()["services"]
PANELS = dashboard()["panels"]
QUERIES = [pytest.param(target, id=f"{title}: {target['refId']}") for title, target in queries()]

ENDING = {"counter": "_total", "histogram": "_bucket", "gauge": ""}
EXPOSED = {family.name + ENDING[family.type] for family in metrics.OWN.collect()}
"""The metrics of the service, as Prometheus stores them."""

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's package prometheus")


def mounted(service: str, source: str) -> str:
    """Return the path of a file or folder of deploy/ inside a container."""
    [target] = [volume.split(":")[1] for volume in SERVICES[service]["volumes"] if volume.startswith(f"./{source}:")]
    return target


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


class TestSettings:
    @needs_promtool
    def test_promtool_accepts_prometheus_settings(self) -> None:
        result = subprocess.run(["promtool", "check", "config", str(PROMETHEUS)], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr

    def test_prometheus_reads_its_settings_where_they_are_mounted(self) -> None:
        assert f"--config.file={mounted('prometheus', 'deploy/prometheus.yml')}" in SERVICES["prometheus"]["command"]

    def test_prometheus_scrapes_the_port_of_the_service(self, image: Image) -> None:
        jobs = {job["job_name"]: job for job in loaded(PROMETHEUS)["scrape_configs"]}
        [target] = jobs["unspun"]["dns_sd_configs"]
        assert target["port"] == image.port
        assert set(target["names"]) <= SERVICES.keys()

    def test_grafana_queries_prometheus(self) -> None:
        [source] = loaded(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
        assert urllib.parse.urlsplit(source["url"]).hostname in SERVICES
        assert SERVICES["prometheus"]["ports"][0].rpartition(":")[2] == source["url"].rpartition(":")[2]
        assert source["jsonData"]["timeInterval"] == loaded(PROMETHEUS)["global"]["scrape_interval"]

    def test_grafana_finds_the_dashboard_where_it_is_mounted(self) -> None:
        [provider] = loaded(GRAFANA / "provisioning/dashboards/unspun.yml")["providers"]
        folder = mounted("grafana", "deploy/grafana/dashboards")
        assert provider["options"]["path"] == folder
        home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        assert (GRAFANA / "dashboards" / Path(home).relative_to(folder)).is_file()
        assert mounted("grafana", "deploy/grafana/provisioning") == "/etc/grafana/provisioning"

    def test_grafana_is_read_only_and_nobody_can_sign_in(self) -> None:
        settings = SERVICES["grafana"]["environment"]
        assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
        assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
        assert not any("PASSWORD" in name for name in settings)


EVERY_RULE = [rule for group in loaded(RULES)["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in EVERY_RULE if "alert" in rule}
RECORDED = {rule["record"] for rule in EVERY_RULE if "record" in rule}
EXAMPLES = loaded(ROOT / "tests/data/deployment/alerts.yml")
"""Examples of alerts, each with the series that Prometheus has."""


LABELS = {
    value._name: {*value._labelnames, "job", "instance", "le"}
    for value in vars(metrics).values()
    if isinstance(value, MetricWrapperBase)
}
VALUES = {"problem": set(TITLES), "outcome": {"swapped", "changed", "refused"}, "verdict": set(VERDICTS)}
"""Labels whose values are known, with the values."""


def wrong_selectors(expressions: Iterable[str]) -> list[str]:
    """Return the selectors that no series of the service can match, such as `unspun_problems_total{reason="x"}`."""
    wrong = []
    for expression in expressions:
        for name, inside in re.findall(r"\b(unspun_\w+)\{([^}]*)\}", expression):
            known = LABELS[re.sub("_(total|bucket|sum|count)$", "", name)]
            for label, values in re.findall(r'(\w+)\s*[!=]~?\s*"([^"]*)"', inside):
                if label not in known or not set(values.split("|")) <= VALUES.get(label, {*values.split("|")}):
                    wrong.append(f"{name}{{{inside}}}")
    return wrong


def test_a_wrong_selector_is_noticed() -> None:
    right = 'unspun_problems_total{problem=~"overloaded|not-stored"}'
    wrong = ['unspun_problems_total{reason="overloaded"}', 'unspun_problems_total{problem="overload"}']
    assert wrong_selectors([right, *wrong]) == wrong


class TestAlerts:
    def test_prometheus_reads_them_where_they_are_mounted(self) -> None:
        [name] = loaded(PROMETHEUS)["rule_files"]
        assert ROOT / "deploy" / name == RULES
        assert mounted("prometheus", "deploy/prometheus-rules.yml") == f"/etc/prometheus/{name}"

    @needs_promtool
    def test_promtool_accepts_them(self) -> None:
        result = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr

    @needs_promtool
    def test_each_fires_and_is_silent_as_in_its_examples(self, tmp_path: Path) -> None:
        file = tmp_path / "examples.yml"
        file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [self.as_test(one) for one in EXAMPLES]}))
        result = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr

    def as_test(self, example: dict[str, Any]) -> dict[str, Any]:
        """Return an example as promtool takes it."""
        rule = ALERTS[example["alert"]]
        fires = {
            "exp_labels": {**rule["labels"], **example.get("labels", {})},
            "exp_annotations": {**rule["annotations"], "description": example.get("says")},
        }
        return {
            "name": f"{example['alert']}: {example['why']}",
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in example["series"].items()],
            "alert_rule_test": [
                {
                    "alertname": example["alert"],
                    "eval_time": example["at"],
                    "exp_alerts": [fires] if "says" in example else [],
                }
            ],
        }

    @pytest.mark.parametrize("name", ALERTS)
    def test_each_has_an_example_in_which_it_fires_and_one_in_which_it_is_silent(self, name: str) -> None:
        assert {"says" in one for one in EXAMPLES if one["alert"] == name} == {True, False}

    def test_each_has_a_severity(self) -> None:
        assert {rule["labels"]["severity"] for rule in ALERTS.values()} == {"page", "ticket"}

    def test_they_use_only_metrics_of_the_service_and_recorded_ones(self) -> None:
        asked = set(re.findall(r"\bunspun[_:][\w:]+", " ".join(rule["expr"] for rule in EVERY_RULE)))
        assert asked <= EXPOSED | RECORDED

    def test_they_select_labels_and_values_that_the_metrics_have(self) -> None:
        assert wrong_selectors(rule["expr"] for rule in EVERY_RULE) == []


class TestDashboard:
    def test_every_panel_has_a_title_and_a_description(self) -> None:
        assert [panel["id"] for panel in PANELS if not (panel["title"] and panel["description"])] == []

    def test_panels_do_not_overlap_or_share_an_id(self) -> None:
        assert len({panel["id"] for panel in PANELS}) == len(PANELS)
        places = [panel["gridPos"] for panel in PANELS]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        for one, other in combinations(places, 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or above

    def test_every_query_uses_the_configured_data_source(self) -> None:
        [source] = loaded(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
        asked = [panel["datasource"] for panel in PANELS] + [target["datasource"] for _, target in queries()]
        assert {(one["type"], one["uid"]) for one in asked} == {(source["type"], source["uid"])}

    def test_it_shows_all_metrics_of_the_service_and_no_others(self) -> None:
        asked = set(re.findall(r"\bunspun_\w+", " ".join(target["expr"] for _, target in queries())))
        assert asked == EXPOSED

    def test_it_selects_labels_and_values_that_the_metrics_have(self) -> None:
        assert wrong_selectors(target["expr"] for _, target in queries()) == []

    def test_it_shows_only_what_the_rules_record(self) -> None:
        asked = set(re.findall(r"\bunspun:[\w:]+", " ".join(target["expr"] for _, target in queries())))
        assert asked <= RECORDED

    @needs_promtool
    def test_promtool_accepts_its_queries(self, tmp_path: Path) -> None:
        rules = [{"record": f"panel:{i}", "expr": plain(one["expr"], "5m")} for i, (_, one) in enumerate(queries())]
        file = tmp_path / "rules.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
        result = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def ask(root: Path, workplace: Path, image: Image) -> Iterator[Callable[[str], Any]]:
    """Return a function that queries Prometheus, which scrapes a container of the service, after some traffic."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs Debian's package prometheus")
    labels = "sqlite:////tmp/labels.db"
    variables = {**environment("unspun"), "UNSPUN_REDIS_URL": "", "UNSPUN_DATABASE_URL": labels}
    container = Container(image, root, workplace / "tmp-watched", variables)
    port, process = free_port(), None
    try:
        container.wait_until_ready()
        process = _watch(container, workplace / "prometheus", port)
        examples = [file.read_bytes() for file in sorted((ROOT / "seeds/examples").rglob("*.txt"))]
        for _ in range(3):
            for text in examples:
                container.ask("/v1/score", text, Content_Type="text/plain; charset=utf-8")
            container.ask("/v1/score", b"{}", Content_Type="application/json")
            pair = {"suspect": examples[-1].decode(), "source": examples[0].decode()}
            container.ask("/v1/compare", json.dumps(pair).encode(), Content_Type="application/json")
            label = {"text": examples[0].decode(), "label": "human", "consent": True, "source": str(time.monotonic())}
            container.ask("/v1/feedback", json.dumps(label).encode(), Content_Type="application/json")
            time.sleep(1.1)
        yield lambda query: _result(port, query)
    finally:
        container.close()
        if process is not None:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize("target", QUERIES)
def test_every_query_of_the_dashboard_has_a_result(ask: Callable[[str], Any], target: dict[str, Any]) -> None:
    answer = ask(plain(target["expr"], "30s"))
    assert answer
    # The legend uses labels of the result.
    for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
        assert all(series["metric"].get(label) for series in answer)


def test_metrics_are_summed_over_all_workers(ask: Callable[[str], Any]) -> None:
    [model] = ask("sum(unspun_model_info)")
    assert model["value"][1] == environment("unspun")["UNSPUN_WORKERS"]


def _watch(container: Container, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start Prometheus with our settings, except for Compose's host names and a scrape every half second."""
    folder.mkdir()
    settings = loaded(PROMETHEUS)
    settings["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "500ms")
    settings["rule_files"] = [str(RULES)]
    [job] = [job for job in settings["scrape_configs"] if job["job_name"] == "unspun"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [container.url.removeprefix("http://")]}]
    settings["scrape_configs"] = [job]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings))
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(["prometheus", *options, "--log.level=error"])
    for _ in range(600):
        try:
            if _query(port, "up"):
                return process
        except OSError:
            assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError("Prometheus does not answer")


def _result(port: int, query: str) -> Any:
    """Ask until there is a result: after a scrape that took too long, series have no value until the next one."""
    for _ in range(300):
        if answer := _query(port, query):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"no result: {query}")


def _query(port: int, query: str) -> Any:
    data = urllib.parse.urlencode({"query": query}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/api/v1/query", data, timeout=10) as answer:
        return json.load(answer)["data"]["result"]
