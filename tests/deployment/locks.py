"""The lock files, parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deployment.support import ROOT

IMAGE = ROOT / "deploy/requirements.txt"
DEVELOPMENT = ROOT / "deploy/requirements-dev.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class Locked:
    """One library of a lock file."""

    requirement: Requirement
    version: Version
    hashes: frozenset[str]

    def applies(self, python: str) -> bool:
        """Return whether it is installed with a version of Python on Linux."""
        marker = self.requirement.marker
        place = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
        return marker is None or marker.evaluate(place)


def read(file: Path) -> list[Locked]:
    """Return the libraries of a lock file. Raises ValueError for a line that is not one with its hashes."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", file.read_text("utf-8")))
    return [_parse(line) for line in text.splitlines() if line.strip()]


def versions(file: Path, python: str) -> dict[str, Version]:
    """Return the version of each library that is installed with a version of Python on Linux."""
    return {canonicalize_name(one.requirement.name): one.version for one in read(file) if one.applies(python)}


def _parse(line: str) -> Locked:
    words, *hashes = (part.strip() for part in line.split("--hash="))
    requirement = Requirement(words)
    [pin] = requirement.specifier
    if pin.operator != "==" or not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes):
        raise ValueError(f"not pinned with hashes: {line}")
    return Locked(requirement, Version(pin.version), frozenset(hashes))
