"""The bill of materials of the image, as `make sbom` writes it."""

from __future__ import annotations

import hashlib
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deployment.locks import IMAGE, read, versions
from tests.deployment.support import ROOT

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SBOM = runpy.run_path(str(ROOT / "deploy/sbom.py"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("sbom") / "unspun.cdx.json"
    run = subprocess.run([sys.executable, str(ROOT / "deploy/sbom.py"), str(to)], capture_output=True, text=True)
    if "this environment differs" in run.stderr:
        pytest.skip("needs the locked versions: make install-locked")
    assert run.returncode == 0, run.stderr
    return to


@pytest.fixture(scope="module")
def bill(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def libraries(bill: Any) -> dict[str, Any]:
    """Return the libraries by name."""
    return {canonicalize_name(one["name"]): one for one in bill["components"] if one["type"] == "library"}


def test_it_is_valid_by_the_schema(file: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator  # takes two seconds: not while tests are collected

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read_text("utf-8")) is None


def test_it_describes_unspun(bill: Any) -> None:
    root = bill["metadata"]["component"]
    assert (root["type"], root["name"]) == ("application", "unspun")
    assert root["licenses"][0]["license"]["id"] == "Apache-2.0"


def test_it_lists_the_libraries_of_the_image_and_no_others(bill: Any) -> None:
    listed = {name: Version(one["version"]) for name, one in libraries(bill).items()}
    assert listed == versions(IMAGE, PYTHON)


def test_every_library_has_the_locked_hashes_and_a_licence(bill: Any) -> None:
    locked = {canonicalize_name(one.requirement.name): one.hashes for one in read(IMAGE) if one.applies(PYTHON)}
    for name, one in libraries(bill).items():
        [files] = [to for to in one["externalReferences"] if to["type"] == "distribution" and "hashes" in to]
        assert {f"sha256:{found['content']}" for found in files["hashes"]} == locked[name]
        assert one["licenses"]


def test_the_model_is_a_component_with_the_hash_of_its_manifest(bill: Any) -> None:
    [model] = [one for one in bill["components"] if one["type"] == "machine-learning-model"]
    manifest = (ROOT / "model/default/manifest.json").read_bytes()
    assert [one["content"] for one in model["hashes"]] == [hashlib.sha256(manifest).hexdigest()]
    assert model["version"] == json.loads(manifest)["version"]
    files = {one["name"]: one["hashes"][0]["content"] for one in model["components"]}
    for name in ("deep.onnx", "words.txt"):
        assert files[name] == hashlib.sha256((ROOT / "model/default" / name).read_bytes()).hexdigest()


def test_an_environment_with_other_versions_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"flask==0.1 \\\n    --hash=sha256:{'0' * 64}\n")
    SBOM["bill"].__globals__.update(LOCK=lock, ROOT=tmp_path)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    with pytest.raises(SBOM["MismatchError"], match=r"flask 0\.1 \(here: 3\.\d+"):
        SBOM["bill"]()
