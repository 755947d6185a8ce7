"""docs/operations.md names exactly the events, metrics and alerts that there are."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("prometheus_client", reason="the service: pip install 'unspun[service]'")

from tests.docs.pages import PAGES, ROOT, anchor, commands_of, sections
from unspun.service.http import metrics
from unspun.service.http.problems import TITLES
from unspun.service.http.server import CONNECTIONS

PAGE = PAGES["docs/operations.md"]
SECTIONS = sections(PAGE)
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus-rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"] for rule in RULES if "alert" in rule}
FAMILIES = {
    f"{family.name}_total" if family.type == "counter" else family.name: family for family in metrics.OWN.collect()
}
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/unspun.json").read_text("utf-8"))


def rows(section: str) -> list[list[str]]:
    """Return the cells of a section's first table, without its head."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def logged() -> Iterator[tuple[str, str]]:
    """Yield each event that the service logs, with its level."""
    for file in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("event", "logs.event"):
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    level = ast.unparse(node.args[1]).removeprefix("logging.").lower() if len(node.args) > 1 else "info"
                    yield name.value, level


EVENTS = dict(logged())
FAILURES = rows("failures")


def test_exactly_the_events_of_the_log_are_listed_with_their_levels() -> None:
    assert {name.strip("`"): level for name, level, _ in rows("events-in-the-log")} == EVENTS


def test_exactly_the_metrics_are_listed_with_their_labels() -> None:
    listed = {name.strip("`"): quoted(labels) for name, labels, _ in rows("metrics")}
    labels = {name: set(_labels(name)) for name in FAMILIES}
    assert listed == labels


def _labels(name: str) -> tuple[str, ...]:
    [metric] = [
        value
        for value in vars(metrics).values()
        if hasattr(value, "_labelnames") and value._name == name.removesuffix("_total")
    ]
    return tuple(metric._labelnames)


def test_every_name_of_a_metric_or_of_an_alert_exists() -> None:
    assert set(re.findall(r"`(unspun_\w+)`", PAGE)) <= FAMILIES.keys()
    assert set(re.findall(r"`(Unspun\w+)`", PAGE)) == ALERTS


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: row[0])
def test_a_failure_names_problems_events_metrics_and_alerts_that_exist(row: list[str]) -> None:
    _, seen, log, metric, alert = row
    assert quoted(seen) <= TITLES.keys()
    assert quoted(log) <= EVENTS.keys()
    assert quoted(metric) <= FAMILIES.keys() | {"up"}
    assert quoted(alert) <= ALERTS


def test_every_failure_has_a_section_and_every_section_is_in_the_table() -> None:
    linked = [re.findall(r"\]\(#([\w-]+)\)", row[0])[0] for row in FAILURES]
    part = PAGE.partition("\n## Failures")[2].partition("\n## ")[0]
    assert linked == [anchor(heading) for heading in re.findall(r"^### (.*)$", part, re.MULTILINE)]


def test_every_alert_is_in_the_table_and_its_section_names_it() -> None:
    assert {name for row in FAILURES for name in quoted(row[4])} == ALERTS
    for rule in RULES:
        if "alert" in rule:
            page, _, place = rule["annotations"]["runbook"].partition("#")
            assert page == "docs/operations.md"
            assert f"`{rule['alert']}`" in SECTIONS[place]


def test_the_command_of_the_page_makes_every_section_a_link(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    copy = Path(shutil.copy(ROOT / "deploy/prometheus-rules.yml", tmp_path / "deploy"))
    [command] = commands_of("docs/operations.md", "what-to-watch")
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True)
    groups = yaml.safe_load(copy.read_text("utf-8"))["groups"]
    alerts = [rule["annotations"] for group in groups for rule in group["rules"] if "alert" in rule]
    assert all(alert["runbook_url"].startswith("https://") and "runbook" not in alert for alert in alerts)


def test_the_panels_that_it_names_are_on_the_dashboard() -> None:
    named = {" ".join(name.split()) for name in re.findall(r'panel\s+"([^"]+)"', PAGE)}
    assert named
    assert named <= {panel["title"] for panel in DASHBOARD["panels"]}


def test_limits_are_those_of_the_service() -> None:
    assert f"at most {CONNECTIONS:,} connections" in SECTIONS["too-many-connections"]
    assert f"{sum(metrics.RESERVED.values()) / 1e6:.1f} MB for each worker" in SECTIONS["sizing"]
    [alert] = [rule for rule in RULES if rule.get("alert") == "UnspunConnectionsNearlyFull"]
    assert alert["expr"].endswith(f"> {CONNECTIONS * 0.8:.0f}")
