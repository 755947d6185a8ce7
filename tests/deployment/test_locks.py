"""The lock files: what the image and continuous integration install. `make lock` writes them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deployment.locks import DEVELOPMENT, IMAGE, PYTHONS, Locked, read, versions
from tests.deployment.support import ROOT, instructions
from tests.deployment.test_dockerfile import EXTRAS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UNLOCKED = {line for line in (ROOT / "deploy/unlocked.txt").read_text("utf-8").splitlines() if line[0] != "#"}
FILES = pytest.mark.parametrize("file", [IMAGE, DEVELOPMENT], ids=lambda file: str(file.name))


@FILES
def test_every_library_is_pinned_with_hashes(file: Path) -> None:
    assert len(read(file)) > 50


@pytest.mark.parametrize("line", ["flask==3.1.3", "flask>=3 --hash=sha256:" + "0" * 64, "flask==3.1.3 --hash=md5:00"])
def test_a_library_without_version_or_hash_is_noticed(tmp_path: Path, line: str) -> None:
    (tmp_path / "lock.txt").write_text(f"{line}\n")
    with pytest.raises(ValueError):
        read(tmp_path / "lock.txt")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("file", "extras"),
    [
        pytest.param(IMAGE, EXTRAS, id="the image"),
        pytest.param(DEVELOPMENT, tuple(PROJECT["optional-dependencies"]), id="development"),
    ],
)
def test_the_versions_are_those_that_pyproject_allows(file: Path, extras: tuple[str, ...], python: str) -> None:
    locked = versions(file, python)
    lines = [*PROJECT["dependencies"], *(line for name in extras for line in PROJECT["optional-dependencies"][name])]
    wrong = []
    for line in lines:
        one = Requirement(line)
        name = canonicalize_name(one.name)
        wanted = one.marker is None or one.marker.evaluate({"python_version": python})
        if wanted and name not in UNLOCKED and (name not in locked or locked[name] not in one.specifier):
            wrong.append(line)
    assert not wrong, "run `make lock`"


def test_the_image_has_what_the_tests_ran_with() -> None:
    def known(one: Locked) -> tuple[str, str, frozenset[str]]:
        return one.requirement.name, str(one.version), one.hashes

    assert {known(one) for one in read(IMAGE)} <= {known(one) for one in read(DEVELOPMENT)}


def test_the_image_installs_only_wheels_with_the_right_hashes() -> None:
    [install] = [rest for word, rest in instructions() if word == "RUN" and "requirements.txt" in rest]
    assert {"--require-hashes", "--no-deps"} <= set(install.split())
    assert "--only-binary :all:" in install
