"""benchmarks/endurance: a run over many documents survives everything, and the harness notices if it does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.endurance.corpus import documents, id_of, write_corpus
from unspun.reading.reader import Reader, Record

ROOT = Path(__file__).parents[1]
DOCUMENTS = 5000
FAULTS = 10


def test_the_seed_decides_every_document() -> None:
    whole = list(documents(50, seed=7))
    assert whole == list(documents(50, seed=7))
    assert whole[20:30] == list(documents(10, seed=7, start=20))
    assert whole != list(documents(50, seed=8))
    assert len({document.text for document in whole}) == 50


def test_intact_documents_are_read_once_and_in_order(tmp_path: Path) -> None:
    for library in ("pyarrow", "fastwarc"):
        pytest.importorskip(library)
    corpus = write_corpus(tmp_path / "corpus", 500, seed=7)
    found = Reader([str(corpus.folder / place) for place in ("first", "web", "last")])
    ids = [id_of(item.id) for item in found if isinstance(item, Record)]
    assert [id for id in ids if id in set(corpus.intact)] == corpus.intact
    assert len(corpus.intact) + corpus.damaged == 500
    assert corpus.damaged > 0


def endure(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the harness on 5,000 documents."""
    command = [sys.executable, "-m", "benchmarks.endurance", "batch", "--output", str(folder), "--depth", "first"]
    sizes = ["--documents", str(DOCUMENTS), "--part-size", "50"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.run(
        [*command, *sizes, *more], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def endured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Return the folder of a run with ten faults, on this machine and on a cluster, and what the harness printed."""
    for library in ("psutil", "distributed", "aiohttp", "fsspec", "pyarrow", "fastwarc"):
        pytest.importorskip(library)
    unshare = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")), "true"]
    if shutil.which("unshare") is None or subprocess.run(unshare, capture_output=True, check=False).returncode:
        pytest.skip("this system does not allow private mounts, which the faults need")
    folder = tmp_path_factory.mktemp("endurance")
    return folder, endure(folder, "--faults", str(FAULTS))


@pytest.mark.integration
def test_a_run_survives_ten_faults(endured: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = endured
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert len({event["fault"] for event in report["events"]}) == FAULTS
    assert report["broken"] == []


@pytest.mark.integration
@pytest.mark.parametrize(
    ("protection", "noticed"),
    [
        ("resume", "was finished, but was written again"),
        ("locking", "a second command was not refused"),
        ("atomic", "is not as in the undisturbed run"),
    ],
)
def test_a_protection_that_is_switched_off_is_noticed(
    protection: str, noticed: str, endured: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    folder, _ = endured
    done = endure(folder, "--on", "machine", "--sabotage", protection)
    assert (done.returncode, noticed in done.stderr) == (1, True), done.stdout + done.stderr
