"""`python -m benchmarks.endurance service` for a moment: the service keeps its promises, a defective one does not."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.endurance.__main__ import main
from benchmarks.endurance.service import Plan, observe
from benchmarks.endurance.service_answers import RightAnswers
from benchmarks.endurance.service_judge import Evidence, broken
from benchmarks.endurance.service_sabotage import ALL
from benchmarks.endurance.service_setting import other_model
from tests.feedback import postgres
from unspun.model import bundle

if shutil.which("redis-server") is None:
    pytest.skip("redis-server: apt-get install redis-server", allow_module_level=True)
if find_spec("matplotlib") is None:
    pytest.skip("the plot: pip install matplotlib", allow_module_level=True)


@pytest.mark.skipif(postgres.binaries() is None, reason="no PostgreSQL: apt-get install postgresql")
def test_every_promise_is_kept_while_each_fault_happens_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["service", "--minutes", "0.6", "--rate", "6", "--output", str(tmp_path)])
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (status, report["broken"]) == (0, [])
    happened = {fault["kind"] for fault in report["faults"]}
    assert happened >= {
        "worker killed",
        "model promoted",
        "model rolled back",
        "promotion killed",
        "Redis restarted",
        "Redis hangs",
        "PostgreSQL stopped",
        "PostgreSQL hangs",
        "log rotated",
    }
    assert "Every promise was kept." in capsys.readouterr().out
    assert (tmp_path / "plot.png").stat().st_size > 10_000


@pytest.fixture(scope="module")
def sabotaged(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The broken promises of a service with all defects at once."""
    folder = tmp_path_factory.mktemp("endurance")
    other = other_model(folder / "raised")
    plan = Plan(8.0, seed=1, rate=16.0, faults=["model promoted"], sabotage=ALL, servers=["redis"])
    run: Evidence = observe(plan, RightAnswers([bundle.DEFAULT, other]), other, folder)
    run.reached = 1.0
    return broken(run)


@pytest.mark.parametrize(
    ("sabotage", "found"),
    [
        ("answer", "not the verdict of the model that it names"),
        ("error", "status 500"),
        ("model", "an answer by a model that was not in use then"),
        ("memory", "worker that is never killed: gained"),
        ("files", "open files; "),
        ("label", "a label was lost"),
        ("limit", "the rate limit let"),
        ("log", "but logged 0 times"),
    ],
)
def test_a_defect_of_the_service_breaks_a_promise(sabotage: str, found: str, sabotaged: list[str]) -> None:
    assert [line for line in sabotaged if found in line], f"{sabotage} was not found in {sabotaged[:20]}"
