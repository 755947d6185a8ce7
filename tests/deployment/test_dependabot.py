"""Dependabot's settings: its schema, and that they cover all that the repository takes from others."""

from __future__ import annotations

import subprocess
import sys

import yaml

from tests.deployment.support import ROOT

FILE = ROOT / ".github/dependabot.yml"
UPDATES = yaml.safe_load(FILE.read_text("utf-8"))["updates"]
SOURCES = {
    ("pip", "/"): "pyproject.toml",
    ("pip", "/deploy"): "deploy/requirements.txt",
    ("docker", "/"): "Dockerfile",
    ("docker-compose", "/"): "docker-compose.yml",
    ("npm", "/benchmarks/retext"): "benchmarks/retext/package-lock.json",
    ("github-actions", "/"): "action.yml",
}


def test_it_is_valid_by_the_schema() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.dependabot", str(FILE)]
    result = subprocess.run(check, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_it_updates_all_files_that_name_versions_of_others() -> None:
    known = {(one["package-ecosystem"], at) for one in UPDATES for at in one.get("directories", [one.get("directory")])}
    assert known == SOURCES.keys()
    assert [file for file in SOURCES.values() if not (ROOT / file).is_file()] == []


def test_each_kind_comes_once_a_week_in_one_pull_request() -> None:
    for one in UPDATES:
        assert one["schedule"] == {"interval": "weekly"}
        assert [group["patterns"] for group in one["groups"].values()] == [["*"]]
