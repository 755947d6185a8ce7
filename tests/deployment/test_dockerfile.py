"""The Dockerfile, parsed but not built, because the tests run without Docker."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tests.deployment.support import ROOT, Image, instructions

EXTRAS = ("service", "feedback", "documents", "cluster", "signing")
"""The extras in the image."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_hadolint_finds_no_problem() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert hadolint, "pip install 'unspun[dev]'"
    result = subprocess.run([hadolint, "--no-color", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_model_in_the_image_is_the_one_that_ships(image: Image) -> None:
    digest = hashlib.sha256((ROOT / "model/default/manifest.json").read_bytes()).hexdigest()
    assert image.arguments["MODEL_SHA256"] == image.labels["unspun.model.sha256"] == digest


def test_a_build_fails_on_another_model(tmp_path: Path, image: Image) -> None:
    [check] = [rest for word, rest in instructions() if word == "RUN" and "sha256sum" in rest]
    check = check.replace("/tmp/", f"{tmp_path}/")
    manifest = tmp_path / "model/default/manifest.json"
    manifest.parent.mkdir(parents=True)
    statuses = []
    for content in ((ROOT / "model/default/manifest.json").read_bytes(), b"{}"):
        manifest.write_bytes(content)
        variables = {"MODEL_SHA256": image.arguments["MODEL_SHA256"], "PATH": image.environment["PATH"]}
        result = subprocess.run(["sh", "-c", check], cwd=tmp_path, env=variables, capture_output=True)
        statuses.append(result.returncode)
    assert statuses == [0, 1]


def test_both_stages_use_the_same_slim_python(image: Image) -> None:
    assert {rest.split()[0] for word, rest in instructions() if word == "FROM"} == {"${PYTHON_IMAGE}"}
    supported = PROJECT["requires-python"].removeprefix(">=")
    assert re.fullmatch(rf"python:{re.escape(supported)}-slim(-\w+)?", image.arguments["PYTHON_IMAGE"])


def test_the_user_is_a_number_and_not_root(image: Image) -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", image.user)


def test_it_installs_the_extras_of_the_lock_file() -> None:
    assert any(f"unspun[{','.join(EXTRAS)}]" in rest for _, rest in instructions())
    make = (ROOT / "Makefile").read_text("utf-8")
    assert f"$(foreach extra,{' '.join(EXTRAS)},--extra $(extra))" in make


def test_the_wheel_holds_the_code_the_page_and_the_whole_model(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [file for folder in ("model", "reading", "service", "training") for file in (ROOT / folder).rglob("*")]
    wanted = {
        f"unspun/{file.relative_to(ROOT)}" for file in files if file.is_file() and "__pycache__" not in file.parts
    } | {"unspun/__init__.py", "unspun/__main__.py", "unspun/py.typed"}
    assert {name for name in inside if not name.startswith("unspun-")} == wanted
    assert {"unspun/model/default/manifest.json", "unspun/service/commands/serve.py"} <= wanted
