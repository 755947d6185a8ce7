"""`python -m unspun.training`: which stages run, in which order, and with which arguments. The stages are fakes."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from unspun.training.__main__ import ConfigError, main, read_stages

DEFAULT = Path(__file__).parents[2] / "training" / "default.toml"
CONFIG = """
[paths]
work = "work"
texts = "texts.txt"

[[stage]]
name = "spin"
module = "fake_stage"
arguments = ["{texts}", "--output", "spun.txt", "--copies", 2]
inputs = ["{texts}"]
outputs = ["spun.txt"]

[[stage]]
name = "train"
module = "fake_stage"
arguments = ["spun.txt", "--output", "{work}/model"]
needs = ["spin"]
outputs = ["{work}/model"]

[[stage]]
name = "measure"
module = "fake_stage"
arguments = ["{work}/model", "--output", "page.md"]
needs = ["train"]
"""


class FakeStage(SimpleNamespace):
    """A stage module that records its arguments and writes its output."""

    def main(self, arguments: tuple[str, ...]) -> int:
        self.calls.append(" ".join(arguments))
        Path(arguments[2]).write_text("")
        return self.status


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStage:
    fake = FakeStage(calls=[], status=0)
    monkeypatch.setitem(sys.modules, "fake_stage", fake)  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "texts.txt").write_text("")
    (tmp_path / "config.toml").write_text(CONFIG)
    return fake


def run(stage: FakeStage, *arguments: str) -> list[str]:
    """Run the command and return the stages that it called, by the names of their outputs."""
    stage.calls.clear()
    assert main(["config.toml", *arguments]) == 0
    return [Path(call.split()[2]).stem for call in stage.calls]


def touch(path: str, seconds: float) -> None:
    later = Path("work/stages/spin.json").stat().st_mtime + seconds
    os.utime(path, (later, later))


def test_stages_run_in_order_with_their_arguments(stage: FakeStage) -> None:
    assert run(stage) == ["spun", "model", "page"]
    assert stage.calls[0] == "texts.txt --output spun.txt --copies 2"


def test_finished_stages_are_skipped(stage: FakeStage) -> None:
    run(stage)
    assert run(stage) == []


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (lambda: touch("texts.txt", 60), ["spun", "model", "page"]),
        (lambda: Path("work/model").unlink(), ["model", "page"]),
        (lambda: Path("work/stages/train.json").unlink(), ["model", "page"]),
        (lambda: Path("config.toml").write_text(CONFIG.replace('"page.md"', '"other.md"')), ["other"]),
    ],
    ids=["a newer input", "a missing output", "an unfinished stage", "other arguments"],
)
def test_a_change_reruns_a_stage_and_those_that_need_it(stage: FakeStage, change: object, again: list[str]) -> None:
    run(stage)
    change()  # type: ignore[operator]
    assert run(stage) == again


def test_a_named_stage_runs_alone_even_if_it_is_up_to_date(stage: FakeStage) -> None:
    run(stage)
    assert run(stage, "train") == ["model"]
    touch("work/stages/train.json", 60)
    assert run(stage) == ["page"]


def test_a_failed_stage_stops_the_run_and_is_resumed(stage: FakeStage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.status = 3
    assert main(["config.toml"]) == 1
    assert "spin: failed with exit status 3; rerun the command to resume" in capsys.readouterr().err
    stage.status = 0
    assert run(stage) == ["spun", "model", "page"]


def test_a_stage_that_does_not_write_its_output_fails(stage: FakeStage, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.toml").write_text(CONFIG.replace('outputs = ["spun.txt"]', 'outputs = ["elsewhere.txt"]'))
    assert main(["config.toml"]) == 1
    assert "finished without writing elsewhere.txt" in capsys.readouterr().err


def test_a_list_shows_the_state_of_each_stage(stage: FakeStage, capsys: pytest.CaptureFixture[str]) -> None:
    run(stage, "spin")
    assert run(stage, "--list") == []
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert lines == [["spin", "up to date"], ["train", "has not finished yet"], ["measure", "train runs again"]]


def test_a_dry_run_prints_the_commands(stage: FakeStage, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(stage, "--dry-run", "measure") == []
    assert capsys.readouterr().out == "python -m fake_stage work/model --output page.md\n"


def test_an_unknown_stage_is_refused(stage: FakeStage, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["config.toml", "tarin"])
    assert "no stage is called tarin; the stages are spin, train, measure" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('work = "work"', "", r"\[paths\] has no `work`"),
        ("needs", "wants", "stage train: unknown key wants"),
        ('module = "fake_stage"', "", "stage spin: module is missing"),
        ('"{texts}"', '"{text}"', r"'\{text\}' names an entry that \[paths\] does not have"),
        ('needs = ["spin"]', 'needs = ["measure"]', "train needs measure, which is not a stage before it"),
        ('name = "train"', 'name = "spin"', "two stages are called spin"),
        ("[paths]", "[paths", "config.toml: "),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        read_stages(tmp_path / "config.toml")


def test_the_shipped_file_names_stages_that_exist() -> None:
    stages = read_stages(DEFAULT)
    assert [name for name, stage in stages.items() if importlib.util.find_spec(stage.module) is None] == []
    assert list(stages)[-3:] == ["build", "comparing", "accuracy"]
