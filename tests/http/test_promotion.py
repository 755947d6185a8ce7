"""Whatever happens to the model's folder, a running service keeps a model that works.

test_endurance.py promotes models and rolls them back under traffic.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from benchmarks.endurance.service_setting import other_model
from tests.http.running import Service, failed_start
from tests.http.test_lifecycle import TEXT, Load, version_of
from tests.service.support import wait_until
from unspun.model import bundle
from unspun.service.models.folder import ModelFolder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model other than the shipped one."""
    return other_model(tmp_path_factory.mktemp("trained") / "raised", version="3.0.0")


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    """Return a folder of models in which the shipped model is in use."""
    folder = ModelFolder(tmp_path / "models")
    folder.promote(bundle.DEFAULT)
    return folder


def shipped_version() -> str:
    return bundle.check()[0].version


def lead(folder: ModelFolder, name: str) -> None:
    """Link `current` to another model, without `unspun models`."""
    (folder.path / "next").symlink_to(name)
    (folder.path / "next").replace(folder.path / "current")


def test_a_service_answers_while_it_loads(folder: ModelFolder, trained: Path, tmp_path: Path) -> None:
    new = folder.promote(trained).model
    folder.rollback()
    held = tmp_path / "held"
    with Service(MODEL=folder.path / "current", module=("tests.http.altered", f"slow-loading={held}")) as service:
        held.touch()
        lead(folder, new)
        time.sleep(1)  # until all processes have started to load it
        answers = [service.post("/v1/score", {"text": TEXT}) for _ in range(20)]
        held.unlink()
        swaps = [service.wait_for("model swapped") for _ in range(3)]
        after = version_of(service)
    assert {answer.status for answer in answers} == {200}
    assert {answer.json["model"]["version"] for answer in answers} == {shipped_version()}
    assert {event["model"]["version"] for event in swaps} == {after} == {"3.0.0"}


def test_a_broken_link_keeps_the_old_model_until_a_promotion_repairs_it(folder: ModelFolder, trained: Path) -> None:
    with Service(MODEL=folder.path / "current") as service, Load(service) as load:
        lead(folder, "nowhere")
        load.more(20)
        before = version_of(service)
        folder.promote(trained)
        wait_until(lambda: load.models["3.0.0"] > 10)
    assert before == shipped_version()
    assert set(load.statuses) == {200}


def test_a_model_deleted_from_disk_still_answers(folder: ModelFolder, trained: Path) -> None:
    """Its files are mapped into memory, so they exist until the last process unmaps them."""
    with Service(MODEL=folder.path / "current", WATCH_SECONDS=0) as service:
        before = service.post("/v1/score", {"text": TEXT}).json
        old = folder.path / str(folder.in_use)
        folder.promote(trained)
        shutil.rmtree(old)
        after = [service.post("/v1/score", {"text": TEXT}).json for _ in range(6)]
    assert after == [before] * 6


def test_starting_on_a_broken_link_is_reported_on_one_line(folder: ModelFolder) -> None:
    lead(folder, "nowhere")
    run = failed_start(MODEL=folder.path / "current", PORT=0)
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "`unspun models rollback` or `promote`" in run.stderr
