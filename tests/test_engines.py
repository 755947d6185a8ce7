"""Real Spark, Ray, Hugging Face datasets and datatrove give the verdicts of `unspun score` (benchmarks/engines.py)."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.engines import ENGINES, ODD, Verdicts, from_command, texts
from unspun.model import bundle

ROWS = texts(len(ODD) + 8)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (bundle.DEFAULT / bundle.MANIFEST).exists(), reason="model/default is not built"),
    # The engines warn of each other's versions.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    return from_command(ROWS, tmp_path_factory.mktemp("command"))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_gives_the_verdicts_of_the_command(engine: str, expected: Verdicts, tmp_path: Path) -> None:
    package, score = ENGINES[engine]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'unspun[{engine}]'")
    if engine == "spark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java: apt-get install default-jre-headless")
    assert score(ROWS, tmp_path) == expected


def test_there_are_verdicts_of_all_sorts(expected: Verdicts) -> None:
    assert {word for word in ("paraphrased", "clear", "abstained") for line in expected.values() if word in line} == {
        "paraphrased",
        "clear",
        "abstained",
    }
