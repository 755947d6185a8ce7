"""Former spellings of options are refused, and the error names the present one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cases import why
from tests.service.support import cases, run_unspun
from unspun.training.build import main as build


@pytest.mark.parametrize("case", cases("former_spellings.toml"), ids=why)
def test_a_former_spelling_is_refused(case: dict[str, Any], here: Path, tiny_bundle: Path) -> None:
    Path("house").symlink_to(tiny_bundle)
    Path("a.jsonl").write_text('{"text": "x", "label": "human"}\n')
    run = run_unspun(*case["arguments"])
    assert (run.status, run.out) == (2, "")
    assert case["message"] in run.errors[-1]


def test_the_stages_of_training_refuse_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build(["corpora", "--jobs", "2", "--output", "new"])
    assert ended.value.code == 2
    assert "--jobs is called --workers now; use --workers 2" in capsys.readouterr().err
