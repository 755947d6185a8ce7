"""The wheel, installed with pip into an empty environment without the development tools.

uv installs the libraries it depends on: the newest ones that its metadata allows, in a tenth of pip's time.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPUN = ROOT / "seeds" / "examples" / "spun" / "01-harbour-swimmers.wordnet.txt"


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel in it, and the folder with the built files."""

    dist: Path
    python: Path
    new: set[str]

    def run(self, *arguments: str | Path) -> str:
        """Run the environment's Python outside the repository and return its standard output."""
        command = [str(self.python), *(str(argument) for argument in arguments)]
        return subprocess.run(command, cwd=self.dist, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """Build sdist and wheel, and install the wheel with its run-time dependencies only."""
    with tempfile.TemporaryDirectory(prefix="unspun-wheel-") as folder:
        dist, environment = Path(folder) / "dist", Path(folder) / "venv"
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT)]
        subprocess.run(build, check=True, capture_output=True, timeout=300)
        venv.create(environment, with_pip=True)
        [packages] = environment.glob("lib/python*/site-packages")
        python = environment / "bin" / "python"
        [wheel] = dist.glob("*.whl")
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        with zipfile.ZipFile(wheel) as archive:
            [metadata] = [name for name in archive.namelist() if name.endswith("/METADATA")]
            lines = archive.read(metadata).decode().splitlines()
        needed = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist:")]
        run_time = [requirement for requirement in needed if "extra ==" not in requirement]
        if subprocess.run([*uv, *run_time], capture_output=True, timeout=500).returncode:
            pytest.skip("the package index cannot be reached")
        before = {path.name for path in packages.iterdir()}
        subprocess.run([*pip, "--no-deps", str(wheel)], check=True, capture_output=True, timeout=120)
        yield Installed(dist, python, {path.name for path in packages.iterdir()} - before)


def test_one_package_is_installed(installed: Installed) -> None:
    assert {name for name in installed.new if not name.endswith(".dist-info")} == {"unspun"}


def test_every_module_of_the_repository_is_in_the_wheel(installed: Installed) -> None:
    [wheel] = installed.dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    listed = subprocess.run(
        ["git", "ls-files", "model", "reading", "service", "training"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    missing = {f"unspun/{name}" for name in listed.stdout.splitlines()} - names
    assert not missing
    assert "unspun/py.typed" in names


def test_the_sdist_has_what_the_wheel_has(installed: Installed) -> None:
    [sdist], [wheel] = installed.dist.glob("*.tar.gz"), installed.dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix("unspun/") for name in archive.namelist() if name.startswith("unspun/")}
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2].removeprefix("src/unspun/") for name in archive.getnames()}
    assert packed <= names


def test_importing_unspun_loads_no_library(installed: Installed) -> None:
    code = "import sys; before = set(sys.modules); import unspun; print(*set(sys.modules) - before)"
    loaded = {name.partition(".")[0] for name in installed.run("-c", code).split()}
    assert not loaded & {"numpy", "scipy", "sklearn", "click", "rich", "urllib3", "onnxruntime"}


def test_a_text_is_scored_in_python(installed: Installed) -> None:
    code = "import sys, unspun; print(unspun.score(open(sys.argv[1]).read(), depth='fast').to_json())"
    assert json.loads(installed.run("-c", code, SPUN))["verdict"] == "paraphrased"


def test_two_texts_are_compared_in_python(installed: Installed) -> None:
    code = (
        "import sys, unspun; a, b = (open(name).read() for name in sys.argv[1:]); print(unspun.compare(a, b).derived)"
    )
    source = ROOT / "seeds" / "examples" / "human" / "01-harbour-swimmers.txt"
    assert installed.run("-c", code, SPUN, source).strip() == "True"


@pytest.mark.parametrize("command", ["-m unspun", "unspun"])
def test_the_command_scores_a_file(installed: Installed, command: str) -> None:
    arguments = ["score", str(SPUN), "--format", "jsonl", "--no-evidence", "--quiet"]
    if command == "unspun":
        installed = replace(installed, python=installed.python.with_name("unspun"))
    else:
        arguments = ["-m", "unspun", *arguments]
    assert json.loads(installed.run(*arguments))["verdict"] == "paraphrased"


def test_the_table_is_the_same_as_that_of_the_checkout(installed: Installed) -> None:
    arguments = ["-m", "unspun", "score", SPUN, "--format", "csv", "--depth", "fast", "--quiet"]
    here = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert list(csv.reader(installed.run(*arguments).splitlines())) == list(csv.reader(here.stdout.splitlines()))
