"""`unspun evaluate`, with a detector that needs no model."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.service.support import Unspun, run_unspun
from tests.training.judge import FakeJudge, text
from unspun.model.detector import MissingTierError
from unspun.model.verdict import Verdict
from unspun.training.corpora.corpus import LabelledText

HUMAN = [text("human", score, n=n, source="bbc") for n, score in enumerate([0.0, 0.1, 0.2, 0.95])]
SPUN = [text("spun", score, n=n, tool="PWWS", source="imdb") for n, score in enumerate([0.3, 0.6, 0.92, 0.99])]


def load(bundle: Path | None) -> FakeJudge:
    """Stand in for service.commands.evaluate.load_detector."""
    return FakeJudge()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspun.training.record.evaluate.RESAMPLES", 20)


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unspun:
    """Run `unspun evaluate` in a folder with `labelled.jsonl`."""
    monkeypatch.chdir(tmp_path)
    write(Path("labelled.jsonl"), HUMAN + SPUN)

    return partial(run_unspun, "evaluate", load=load)


def write(path: Path, texts: list[LabelledText]) -> None:
    fields = ("id", "label", "source", "text", "tool")
    path.write_text("".join(json.dumps({f: getattr(t, f) for f in fields}) + "\n" for t in texts))


def test_a_pipe_gets_plain_columns(evaluate: Unspun) -> None:
    run = evaluate("labelled.jsonl", "--format", "table")
    assert (run.status, run.errors) == (0, [])
    assert "\x1b" not in run.out
    assert run.out.isascii()
    lines = run.out.splitlines()
    assert max(map(len, lines)) <= 160
    assert any(line.split()[:2] == ["pwws", "4"] for line in lines)
    assert any(line.split()[:4] == ["80-149", "4", "0", "1"] for line in lines)


def test_records_of_any_names_and_formats_are_read_from_standard_input(evaluate: Unspun) -> None:
    lines = [f"{one.label}|{one.text}" for one in HUMAN + SPUN]
    table = "\n".join(["label|story", *lines])
    run = evaluate("-", "--input-format", "csv", "--text-field", "story", "--format", "jsonl", stdin=table)
    assert (run.status, json.loads(run.out)["texts"]["human"]) == (0, 4)


def test_json_contains_the_same_figures(evaluate: Unspun) -> None:
    run = evaluate("labelled.jsonl", "--format", "jsonl")
    found = json.loads(run.out)
    assert found["texts"]["human"] == 4
    assert found["by_tool"]["rows"][0]["tool"] == "pwws"
    assert found["false_positives"]["rows"][0]["paraphrased_rate"] == 0.25


def test_the_name_default_means_the_model_that_ships(evaluate: Unspun) -> None:
    asked: list[Path | None] = []

    def remember(bundle: Path | None) -> FakeJudge:
        asked.append(bundle)
        return FakeJudge()

    for name in ("default", "house", "./default"):  # the last one is a folder of that name
        evaluate("--model", name, "labelled.jsonl", load=remember)
    evaluate("labelled.jsonl", load=remember)
    assert asked == [None, Path("house"), Path("default").absolute(), None]


def test_output_contains_figures_and_plots(evaluate: Unspun) -> None:
    pytest.importorskip("matplotlib")
    run = evaluate("labelled.jsonl", "--output", "deep/figures", "--format", "jsonl")
    assert run.status == 0
    assert sorted(path.name for path in Path("deep/figures").iterdir()) == [
        "evaluation.json",
        "roc.png",
        "scores.png",
    ]
    assert json.loads(Path("deep/figures/evaluation.json").read_text()) == json.loads(run.out)


def test_left_out_training_texts_are_reported(evaluate: Unspun) -> None:
    run = evaluate("labelled.jsonl", load=lambda bundle: FakeJudge(learnt=HUMAN[:3]))
    assert len(run.errors) == 1
    assert run.errors[0].startswith("unspun: left out 3 of 8 texts that the model was trained on")


def test_training_texts_can_be_included(evaluate: Unspun) -> None:
    def learnt(bundle: Path | None) -> FakeJudge:
        return FakeJudge(learnt=HUMAN[:3])

    run = evaluate("labelled.jsonl", "--include-training", "--format", "jsonl", load=learnt)
    assert (run.errors, json.loads(run.out)["texts"]["human"]) == ([], 4)


def test_skipped_files_are_counted_with_their_reasons(evaluate: Unspun) -> None:
    Path("texts").mkdir()
    write(Path("texts/labelled.jsonl"), HUMAN + SPUN)
    Path("texts/pic.png").touch()
    Path("texts/README.md").write_text("About these texts.")
    run = evaluate("texts", "--format", "jsonl")
    assert json.loads(run.out)["texts"]["human"] == 4
    assert run.errors == ["unspun: 2 files or records skipped (ignored: 1, type .png is not read in folders: 1)"]


def test_plain_text_can_be_labelled_by_an_option(evaluate: Unspun) -> None:
    Path("a.txt").write_text(HUMAN[3].text)
    run = evaluate("a.txt", "--label", "human", "--format", "jsonl")
    assert json.loads(run.out)["false_positives"]["rows"][0]["paraphrased"] == 1
    assert run.errors == ["unspun: no machine-paraphrased text got a verdict, so recall and AUROC cannot be measured"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "x"}\n', "broken.jsonl:1: no label"),
        (b'{"text"\n', "broken.jsonl:1: not valid JSON"),
        (b"", "broken.jsonl: no documents in this file"),
    ],
)
def test_bad_input_is_reported_and_the_rest_is_measured(content: bytes, message: str, evaluate: Unspun) -> None:
    Path("broken.jsonl").write_bytes(content)
    run = evaluate("broken.jsonl", "labelled.jsonl")
    assert (run.status, json.loads(run.out)["texts"]["human"]) == (3, 4)
    assert run.errors[0].startswith(f"unspun: {message}")


def test_without_texts_the_status_is_1(evaluate: Unspun) -> None:
    Path("broken.jsonl").write_bytes(b'{"text": "x"}\n')
    run = evaluate("broken.jsonl")
    assert (run.status, run.out) == (1, "")
    assert run.errors[-1] == "unspun: no labelled texts in broken.jsonl"


def test_the_option_label_leaves_the_labels_of_the_file(evaluate: Unspun) -> None:
    run = evaluate("labelled.jsonl", "--label", "human")
    assert json.loads(run.out)["texts"]["machine_paraphrased"] == 4
    assert run.errors == [
        f"unspun: 4 texts have labels of their own (spun), which human does not replace ({SPUN[0].id})"
    ]


def test_web_pages_are_measured(evaluate: Unspun) -> None:
    Path("pages").mkdir()
    for number, one in enumerate(HUMAN):
        Path(f"pages/{number}.html").write_text(f"<html><body><article><p>{one.text}</p></article></body></html>")
    run = evaluate("pages", "--label", "human")
    assert (run.status, json.loads(run.out)["texts"]["human"]) == (0, 4)


def test_a_missing_bundle_is_reported_on_one_line_with_status_1(evaluate: Unspun) -> None:
    run = evaluate("--model", "nowhere", "labelled.jsonl", load=None)
    assert (run.status, run.out, len(run.errors)) == (1, "", 1)
    assert "nowhere: no model bundle here" in run.errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "labelled.jsonl"], "is a file"),
        (["--label", "poem"], "Invalid value for '--label'"),
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], message: str, evaluate: Unspun) -> None:
    run = evaluate("labelled.jsonl", *arguments)
    assert run.status == 2
    assert message in " ".join(run.errors)


def test_json_is_written_without_matplotlib(evaluate: Unspun, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = evaluate("labelled.jsonl", "--output", "figures")
    assert run.status == 0
    assert json.loads(Path("figures/evaluation.json").read_text()) == json.loads(run.out)
    assert run.errors == [
        "unspun: figures: evaluation.json was saved without plots: plots need matplotlib: "
        "pip install 'unspun[evaluate]'"
    ]


def test_unfamiliar_texts_are_reported(evaluate: Unspun) -> None:
    write(Path("odd.jsonl"), [*HUMAN, *SPUN, text("human", "unfamiliar"), text("spun", "unfamiliar")])
    run = evaluate("odd.jsonl", "--format", "jsonl")
    assert run.errors == [
        "unspun: 2 of 10 texts are too unfamiliar for a verdict and have no score; they count as errors of the model "
        "in the columns called `unfamiliar`"
    ]
    assert json.loads(run.out)["false_positives"]["rows"][0]["unfamiliar"] == 1


def test_human_text_alone_has_false_positives(evaluate: Unspun) -> None:
    write(Path("human.jsonl"), HUMAN)
    run = evaluate("human.jsonl", "--format", "table")
    assert run.errors == ["unspun: no machine-paraphrased text got a verdict, so recall and AUROC cannot be measured"]
    assert any(line.split()[:4] == ["bbc", "4", "0", "1"] for line in run.out.splitlines())
    assert "machine against human" not in run.out


def test_plain_files_are_not_listed_one_by_one(evaluate: Unspun) -> None:
    folder = Path("articles")
    folder.mkdir()
    for one in HUMAN:
        (folder / f"{one.id}.txt").write_text(one.text)
    assert "articles/" not in evaluate("articles", "--label", "human", "--format", "table").out
    assert len(json.loads(evaluate("articles", "--label", "human", "--format", "jsonl").out)["counts"]["rows"]) == 4


def test_machine_text_alone_is_shown_by_kind(evaluate: Unspun) -> None:
    write(Path("spun.jsonl"), SPUN)
    run = evaluate("spun.jsonl", "--format", "jsonl")
    assert run.errors == ["unspun: no human text got a verdict, so false-positive rates and AUROC cannot be measured"]
    found = json.loads(run.out)
    assert found["kinds"]["rows"][0]["paraphrased_share"] == 0.5
    assert found["by_tool"]["rows"][0]["auroc"] is None


def test_a_missing_deep_tier_is_reported(evaluate: Unspun) -> None:
    class Shallow(FakeJudge):
        def score_many(self, texts: Sequence[str], *, depth: str = "auto", evidence: bool = True) -> list[Verdict]:
            raise MissingTierError("this model has no deep tier; use depth 'auto' or 'fast'")

    run = evaluate("labelled.jsonl", "--depth", "deep", load=lambda _: Shallow())
    assert (run.status, run.errors) == (1, ["unspun: this model has no deep tier; use depth 'auto' or 'fast'"])
