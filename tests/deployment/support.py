"""Parse the Dockerfile, .dockerignore and the Compose file as their tools do, as far as these tests need it."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH in the Python base images."""
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<operator>:?-)(?P<default>[^}]*))?\}")


@dataclass(frozen=True)
class Image:
    """How to run the last stage of the Dockerfile."""

    arguments: dict[str, str]
    environment: dict[str, str]
    user: str
    port: int
    command: list[str]
    health: list[str]
    labels: dict[str, str]


def instructions(path: Path = ROOT / "Dockerfile") -> list[tuple[str, str]]:
    """Return the instructions with their arguments, without comments and with continued lines joined."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [
        (word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word
    ]


def image() -> Image:
    """Parse the Dockerfile."""
    every = instructions()
    starts = [i for i, (word, _) in enumerate(every) if word == "FROM"]
    arguments = dict(shlex.split(rest)[0].partition("=")[::2] for word, rest in every[: starts[0]] if word == "ARG")
    final = every[starts[-1] :]
    known = {"PATH": BASE_PATH, **arguments}

    def pairs(wanted: str) -> dict[str, str]:
        items = [item.partition("=")[::2] for word, rest in final if word == wanted for item in shlex.split(rest)]
        return {name: Template(value).substitute(known) for name, value in items}

    def last(wanted: str) -> str:
        return [rest for word, rest in final if word == wanted][-1]

    return Image(
        arguments,
        {"PATH": BASE_PATH, **pairs("ENV")},
        last("USER"),
        int(last("EXPOSE")),
        [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))],
        json.loads(last("HEALTHCHECK").partition("CMD")[2]),
        pairs("LABEL"),
    )


def copy_context(to: Path) -> None:
    """Copy the build context: all files that .dockerignore does not exclude. The last matching rule wins."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    def ignored(path: Path) -> bool:
        answer = False
        for rule in rules:
            if any(_fits(rule.removeprefix("!"), part) for part in (path, *path.parents)):
                answer = not rule.startswith("!")
        return answer

    heads = {rule[1:].partition("/")[0] for rule in rules if rule.startswith("!")}
    for head in sorted(heads):
        for file in [ROOT / head, *(ROOT / head).rglob("*")]:
            path = file.relative_to(ROOT)
            if file.is_file() and not ignored(path):
                (to / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, to / path)


def _fits(rule: str, path: Path) -> bool:
    anywhere, _, name = rule.rpartition("**/")
    assert not anywhere, f"rules like {rule} are not supported here"
    return fnmatch.fnmatchcase(path.name if name != rule else path.as_posix(), name)


def compose(**variables: str) -> dict[str, Any]:
    """Return the Compose file, interpolated as by Compose with only `variables` set."""

    def value(match: re.Match[str]) -> str:
        given = variables.get(match["name"])
        if given is None or (match["operator"] == ":-" and not given):
            assert match["operator"] is not None, f"{match['name']} has no default: Compose would warn"
            return str(match["default"])
        return given

    def fill(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: fill(child) for name, child in node.items()}
        if isinstance(node, list):
            return [fill(child) for child in node]
        return VARIABLE.sub(value, node) if isinstance(node, str) else node

    return dict(fill(yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))))


def environment(service: str, **variables: str) -> dict[str, str]:
    """Return the environment that Compose gives a service."""
    return {name: str(value) for name, value in compose(**variables)["services"][service]["environment"].items()}


def dashboard() -> dict[str, Any]:
    """Return Grafana's dashboard."""
    return dict(json.loads((ROOT / "deploy/grafana/dashboards/unspun.json").read_text("utf-8")))


def queries() -> list[tuple[str, dict[str, Any]]]:
    """Return the dashboard's queries, each with the title of its panel."""
    return [(panel["title"], target) for panel in dashboard()["panels"] for target in panel["targets"]]


def plain(expression: str, window: str) -> str:
    """Return a query as Grafana sends it, with its variables replaced by a time window."""
    return re.sub(r"\$__(rate_interval|range)", window, expression)
