"""Every stage is a module with a command line, and its help has an example."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest

from unspun.training.command import stage_parser

CONFIG = Path(__file__).parents[2] / "training" / "default.toml"
STAGES = {stage["module"] for stage in tomllib.loads(CONFIG.read_text("utf-8"))["stage"]}
OTHERS = {"machines.examples", "encoder.integer_layer", "corpora.seeds", "record.gate", "repack"}


@pytest.mark.parametrize("module", sorted(STAGES | {f"unspun.training.{name}" for name in OTHERS}))
def test_the_help_of_a_stage_has_its_name_and_an_example(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    if ".encoder." in module or module.endswith(".repack"):
        pytest.importorskip("torch", reason="needs `pip install unspun[deep]`")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main(["--help"])
    assert ended.value.code == 0
    usage, help_text = capsys.readouterr().out.split("\n\n", 1)
    assert usage.startswith(f"usage: python -m {module} [-h]")
    assert f" python -m {module}" in help_text


def test_a_stage_without_a_docstring_still_has_a_parser() -> None:
    # Python removes docstrings with -OO.
    assert stage_parser(None).parse_args([])
