"""`unspun evaluate` as a person meets it, with a judge that needs no model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import service.cli
from tests.service.support import Run
from tests.training.judge import FakeJudge, text
from tests.training.matrices import BASE, Fit, matrix
from training.corpora import LabelledText

HUMAN = [text("human", score, n=n, source="bbc") for n, score in enumerate([0.0, 0.1, 0.2, 0.95])]
SPUN = [text("spun", score, n=n, tool="PWWS", source="imdb") for n, score in enumerate([0.3, 0.6, 0.92, 0.99])]

Evaluate = Callable[..., Run]


def load(bundle: Path | None) -> FakeJudge:
    """Stand in for service.commands.evaluate.load_detector."""
    return FakeJudge()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.evaluate.RESAMPLES", 20)
    monkeypatch.setattr("training.leave_out.RESAMPLES", 20)


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Run `unspun evaluate` in a folder that holds `labelled.jsonl`."""
    monkeypatch.chdir(tmp_path)
    write(Path("labelled.jsonl"), HUMAN + SPUN)

    def run(*arguments: str | Path, load: Any = load) -> Run:
        command = ["evaluate", *(str(argument) for argument in arguments)]
        result = CliRunner().invoke(service.cli.cli, command, obj=load, prog_name="unspun")
        return Run(result.exit_code, result.stdout, result.stderr.splitlines())

    return run


def write(path: Path, texts: list[LabelledText]) -> None:
    fields = ("id", "label", "source", "text", "tool")
    path.write_text("".join(json.dumps({f: getattr(t, f) for f in fields}) + "\n" for t in texts))


@pytest.fixture
def retraining(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Measure a small matrix in place of texts, and train nothing; tell what was asked for."""
    asked: list[Any] = []

    def measured(texts: Any, extractor: Any, recipe: Any, file: Path | None, **options: Any) -> Any:
        asked.append((recipe, file))
        return matrix(*BASE)

    fit = Fit()
    monkeypatch.setattr("training.classify.fit_classifier", lambda matrix, *, seed, calibration: fit(matrix, seed=seed))
    monkeypatch.setattr("training.saved_features.measure_once", measured)
    monkeypatch.setattr("model.features.FeatureExtractor", lambda tables, tagger: None)
    return asked


def load_whole(bundle: Path | None) -> Any:
    """Load a judge that has all that training again looks at."""
    judge = FakeJudge()
    classifier = SimpleNamespace(calibration=None)
    learnt = SimpleNamespace(
        tables=None, tagger=None, classifier=classifier, manifest={"seed": 7}, seen=np.zeros(0, np.uint64)
    )
    return SimpleNamespace(bundle=learnt, model=judge.model, score_many=judge.score_many)


def test_a_pipe_gets_plain_columns(evaluate: Evaluate) -> None:
    run = evaluate("default", "labelled.jsonl")
    assert (run.status, run.errors) == (0, [])
    assert "\x1b" not in run.out
    assert run.out.isascii()
    lines = run.out.splitlines()
    assert max(map(len, lines)) <= 160
    assert any(line.split()[:2] == ["pwws", "4"] for line in lines)
    assert any(line.split()[:3] == ["80-149", "4", "1"] for line in lines)


def test_json_holds_the_same_figures(evaluate: Evaluate) -> None:
    run = evaluate("default", "labelled.jsonl", "--format", "json")
    found = json.loads(run.out)
    assert found["texts"]["human"] == 4
    assert found["by_tool"]["rows"][0]["tool"] == "pwws"
    assert found["false_positives"]["rows"][0]["paraphrased_rate"] == 0.25


def test_the_name_default_is_the_model_that_ships(evaluate: Evaluate) -> None:
    asked: list[Path | None] = []

    def remember(bundle: Path | None) -> FakeJudge:
        asked.append(bundle)
        return FakeJudge()

    evaluate("default", "labelled.jsonl", load=remember)
    evaluate("./default", "labelled.jsonl", load=remember)
    assert asked == [None, Path("default")]


def test_output_holds_figures_and_plots(evaluate: Evaluate) -> None:
    pytest.importorskip("matplotlib")
    run = evaluate("default", "labelled.jsonl", "--output", "deep/figures", "--format", "json")
    assert run.status == 0
    assert sorted(path.name for path in Path("deep/figures").iterdir()) == [
        "evaluation.json",
        "reliability.png",
        "roc.png",
    ]
    assert json.loads(Path("deep/figures/evaluation.json").read_text()) == json.loads(run.out)


def test_texts_that_the_model_learnt_from_are_told_of(evaluate: Evaluate) -> None:
    run = evaluate("default", "labelled.jsonl", load=lambda bundle: FakeJudge(learnt=HUMAN[:3]))
    assert len(run.errors) == 1
    assert run.errors[0].startswith("unspun: 3 of 8 texts are left out")


def test_texts_that_the_model_learnt_from_count_when_asked_for(evaluate: Evaluate) -> None:
    def learnt(bundle: Path | None) -> FakeJudge:
        return FakeJudge(learnt=HUMAN[:3])

    run = evaluate("default", "labelled.jsonl", "--include-training", "--format", "json", load=learnt)
    assert (run.errors, json.loads(run.out)["texts"]["human"]) == ([], 4)


def test_a_label_for_plain_text(evaluate: Evaluate) -> None:
    Path("a.txt").write_text(HUMAN[3].text)
    run = evaluate("default", "a.txt", "--label", "human", "--format", "json")
    assert json.loads(run.out)["false_positives"]["rows"][0]["paraphrased"] == 1
    assert run.errors == ["unspun: no machine-paraphrased text got a verdict: there is nothing to tell apart"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "x"}\n', "broken.jsonl:1: no label"),
        (b'{"text": "x", "label": "human"}\n{"text"\n', "broken.jsonl:2: not JSON"),
        (b"", "no text in broken.jsonl"),
    ],
)
def test_bad_input_is_a_line_and_status_1(content: bytes, message: str, evaluate: Evaluate) -> None:
    Path("broken.jsonl").write_bytes(content)
    run = evaluate("default", "broken.jsonl")
    assert (run.status, run.out, len(run.errors)) == (1, "", 1)
    assert run.errors[0].startswith(f"unspun: {message}")


def test_a_bundle_that_is_none_is_a_line_and_status_1(evaluate: Evaluate) -> None:
    run = evaluate("nowhere", "labelled.jsonl", load=None)
    assert (run.status, run.out, len(run.errors)) == (1, "", 1)
    assert "nowhere: no model bundle here" in run.errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "a.npz"], "goes with --leave-one-tool-out"),
        (["--leave-one-tool-out", "--features", "a.txt"], "must end in .npz"),
        (["--leave-one-tool-out", "--include-training"], "does not go with training again"),
        (["--output", "labelled.jsonl"], "is a file"),
        (["--label", "poem"], "Invalid value for '--label'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, evaluate: Evaluate) -> None:
    run = evaluate("default", "labelled.jsonl", *arguments)
    assert run.status == 2
    assert message in " ".join(run.errors)


def test_missing_matplotlib_is_told_before_the_work(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    def never(bundle: Path | None) -> FakeJudge:
        raise AssertionError("the model was loaded")

    run = evaluate("default", "labelled.jsonl", "--output", "figures", load=never)
    assert run.status == 1
    assert "pip install 'unspun[evaluate]'" in run.errors[0]


def test_tools_are_left_out(evaluate: Evaluate, retraining: list[Any]) -> None:
    run = evaluate("default", "labelled.jsonl", "--leave-one-tool-out", load=load_whole)
    assert (run.status, run.errors) == (0, [])
    assert "trained and calibrated again without each tool" in " ".join(run.out.split())
    assert any(line.split()[:2] == ["textfooler", "spun"] for line in run.out.splitlines())


def test_both_tables_are_made_from_one_measurement(evaluate: Evaluate, retraining: list[Any]) -> None:
    run = evaluate(
        "default",
        "labelled.jsonl",
        *("--leave-one-tool-out", "--leave-one-domain-out"),
        *("--format", "json", "--output", "figures", "--features", "f.npz", "--jobs", "2"),
        load=load_whole,
    )
    found = json.loads(run.out)
    assert list(found) == ["leave_one_tool_out", "leave_one_domain_out"]
    ((recipe, file),) = retraining
    assert (recipe.seed, recipe.jobs, file) == (7, 2, Path("f.npz"))
    saved = {path.name: json.loads(path.read_text()) for path in Path("figures").iterdir()}
    assert saved == {
        "leave-one-tool-out.json": found["leave_one_tool_out"],
        "leave-one-domain-out.json": found["leave_one_domain_out"],
    }


def test_what_cannot_be_left_out_is_a_line(
    evaluate: Evaluate, retraining: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.saved_features.measure_once", lambda *a, **k: matrix(*BASE[1:]))
    run = evaluate("default", "labelled.jsonl", "--leave-one-tool-out", load=load_whole)
    assert (run.status, run.out, len(run.errors)) == (1, "", 1)
    assert "no human text of 60 words" in run.errors[0]


def test_help_does_not_wait_for_the_engine() -> None:
    code = (
        "import sys; from service.commands.evaluate import evaluate\n"
        "try: evaluate(['--help'])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "slow = {'numpy', 'rich', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Examples:" in done.stdout
