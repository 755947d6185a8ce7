"""Write the bill of materials of the image in the CycloneDX format: `make sbom`.

It lists unspun, the model and the libraries of deploy/requirements.txt, with their licences and the hashes of the files
that may be installed. cyclonedx-py reads licences from the environment that runs this script, and hashes from the lock
file, so the environment must have the locked versions. The Debian packages of the base image are not listed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "deploy/requirements.txt"
MODEL = ROOT / "model/default"
IMAGE = {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"}
"""What decides which libraries are installed in the image, where the machine that runs this script may differ."""
LICENCES = {"partd": "BSD-3-Clause", "protobuf": "BSD-3-Clause", "pypdfium2": "BSD-3-Clause AND Apache-2.0"}
"""Licences of libraries whose metadata does not name one by its SPDX identifier, from the files they ship."""


class MismatchError(Exception):
    """The environment is not the one that the lock file describes."""


def bill() -> dict[str, Any]:
    """Return the bill of materials. Raises MismatchError if a library is missing or not the locked one."""
    found = _cyclonedx("environment", sys.executable, "--pyproject", str(ROOT / "pyproject.toml"))
    locked = {_name(one): one for one in _cyclonedx("requirements", str(LOCK))["components"] if _in_image(one)}
    libraries = [one for one in found["components"] if _name(one) in locked]
    have = {_name(one): one["version"] for one in libraries}
    wrong = [
        f"{name} {one['version']} (here: {have.get(name, 'not installed')})"
        for name, one in sorted(locked.items())
        if have.get(name) != one["version"]
    ]
    if wrong:
        raise MismatchError(f"this environment differs from {LOCK.relative_to(ROOT)}: {', '.join(wrong)}")
    for one in libraries:
        one["externalReferences"] = [
            *one.get("externalReferences", ()),
            *(to for to in locked[_name(one)]["externalReferences"] if to["type"] == "distribution"),
        ]
        if "licenses" not in one:
            one["licenses"] = [{"expression": LICENCES[_name(one)], "acknowledgement": "concluded"}]
    root = found["metadata"]["component"]
    root["purl"] = f"pkg:pypi/unspun@{root['version']}"
    model = _model()
    references = {one["bom-ref"] for one in libraries}
    edges = [
        {**edge, "dependsOn": [to for to in edge.get("dependsOn", ()) if to in references]}
        for edge in found["dependencies"]
        if edge["ref"] in references or edge["ref"] == root["bom-ref"]
    ]
    for edge in edges:
        if edge["ref"] == root["bom-ref"]:
            edge["dependsOn"].append(model["bom-ref"])
    return {**found, "components": [*libraries, model], "dependencies": [*edges, {"ref": model["bom-ref"]}]}


def _cyclonedx(*arguments: str) -> dict[str, Any]:
    # Validation of the whole environment takes half a minute. A test validates the result.
    options = ["--spec-version", "1.6", "--output-reproducible", "--no-validate"]
    command = [sys.executable, "-m", "cyclonedx_py", *arguments, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def _name(component: dict[str, Any]) -> str:
    return str(canonicalize_name(component["name"]))


def _in_image(component: dict[str, Any]) -> bool:
    """Return whether the marker of a locked library, such as `sys_platform == 'win32'`, is true in the image."""
    line = component["description"].partition(": ")[2].partition("--hash")[0]
    marker = Requirement(line.strip()).marker
    return marker is None or marker.evaluate(dict(IMAGE))


def _model() -> dict[str, Any]:
    """Return the model as a component with the hash of its manifest, which has the hashes of its other files."""
    content = (MODEL / "manifest.json").read_bytes()
    manifest = json.loads(content)
    files = {"manifest.json": hashlib.sha256(content).hexdigest(), **manifest["files"]}
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": f"unspun-model-{manifest['name']}",
        "version": manifest["version"],
        "description": "The model that ships with unspun. Its hash is that of its manifest, which verdicts name.",
        "licenses": [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}],
        "hashes": [_hash(files["manifest.json"])],
        "components": [
            {"type": "file", "bom-ref": f"model/{name}", "name": name, "hashes": [_hash(digest)]}
            for name, digest in sorted(files.items())
        ],
    }


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def main(to: str) -> None:
    """Write the bill of materials to a file."""
    try:
        found = bill()
    except MismatchError as error:
        sys.exit(f"sbom: {error}. Install the locked versions: make install-locked")
    Path(to).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"{to}: {len(found['components'])} components")


if __name__ == "__main__":
    main(*sys.argv[1:])
