"""`unspun train`, from the shipped model and from a tiny one."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests import tables as tiny
from tests.cases import why
from tests.feedback.making import label_of
from tests.reading.support import FORMATS
from tests.service.support import ENVIRONMENT, ROOT, Run, cases, read_only, run_unspun
from tests.training.passages import passages
from tests.training.references import tiny_base
from tests.training.test_adapt import ROWS, spun, tools
from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.model.verdict import KINDS
from unspun.training.machines import spinning, synonyms
from unspun.training.reporting.card import CARD, render_card
from unspun.training.reporting.metrics import auroc
from unspun.training.retraining import adapt
from unspun.training.retraining.correction import LARGEST_FALL

COUNT = 24


def train(*arguments: str | Path) -> Run:
    """Run `unspun train` without worker processes."""
    return run_unspun("train", "--workers", "1", *arguments)


def write(folder: Path, texts: list[str]) -> Path:
    """Write texts into a folder, each with its own source."""
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number:02}.txt").write_text(text, "utf-8")
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


# --- from the shipped model, with texts in every format and some unreadable files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """Return a run on 24 human and 24 spun texts in files of all formats, and its folder."""
    folder = tmp_path_factory.mktemp("train")
    texts = passages(2 * COUNT, sentences=10)
    (folder / "human").mkdir()
    for number, text in enumerate(texts[:COUNT]):
        name = list(FORMATS)[number % len(FORMATS)]
        (folder / "human" / f"{number:02}{name[1:]}").write_bytes(FORMATS[name](text))
    (folder / "human" / "cut.txt.gz").write_bytes(gzip.compress(texts[0].encode())[:60])
    (folder / "human" / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    write(folder / "spun", [spun(text) for text in texts[COUNT:]])
    records = [
        {"label": "spun", "text": spun(texts[-1])},
        {"label": "llm", "text": passages(1, seed=7, sentences=10)[0]},
    ]
    (folder / "more.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records) + "{\n", "utf-8")
    return train(*arguments(folder), "--output", folder / "house"), folder / "house"


def arguments(folder: Path) -> list[str | Path]:
    texts = ["--human", folder / "human", "--spun", folder / "spun", "--labelled", folder / "more.jsonl"]
    return [*texts, "--name", "ours", "--version", "3.1"]


@pytest.fixture(scope="module")
def manifest(made: tuple[Run, Path]) -> dict[str, Any]:
    return dict(json.loads((made[1] / bundle.MANIFEST).read_text("utf-8")))


def test_unreadable_files_are_reported_and_the_rest_is_used(made: tuple[Run, Path], manifest: dict[str, Any]) -> None:
    run, _ = made
    assert run.status == 3
    unread = [line for line in run.errors if re.search(r"cut\.txt\.gz|picture\.txt|more\.jsonl:3", line)]
    assert len(unread) == 3
    assert manifest["comparison"]["texts"] == {"human": COUNT, "spun": COUNT}


def test_left_out_texts_are_reported_and_counted(made: tuple[Run, Path], manifest: dict[str, Any]) -> None:
    assert manifest["comparison"]["left_out"] == {
        "duplicates": 1,
        "labelled llm, which models do not learn": 1,
    }
    assert sum("left out 1:" in line for line in made[0].errors) == 2


def test_the_model_improves_on_new_texts_as_measured(made: tuple[Run, Path], manifest: dict[str, Any]) -> None:
    fresh = passages(80, sentences=10, seed=99)
    texts = [*fresh[:40], *(spun(text) for text in fresh[40:])]
    truth = np.arange(80) >= 40
    before, after = (
        auroc(truth, [float(verdict.score or 0.0) for verdict in found])
        for model in (None, made[1])
        for found in (Detector.load(model).score_many(texts, depth="fast", evidence=False),)
    )
    assert after > before + 0.03
    measured = manifest["comparison"]["tiers"]["fast"]["all"]
    assert measured["auroc_after"] > measured["auroc_before"]
    # With so few texts, it is accurate to a tenth.
    assert measured["auroc_after"] == pytest.approx(after, abs=0.1)


def test_accuracy_elsewhere_does_not_fall(manifest: dict[str, Any]) -> None:
    elsewhere = manifest["comparison"]["elsewhere"]
    assert elsewhere["largest_fall_of_auroc"] <= LARGEST_FALL == elsewhere["allowed"]
    assert manifest["comparison"]["strength"] > 0


def test_both_tiers_are_compared(manifest: dict[str, Any]) -> None:
    compared = manifest["comparison"]
    assert list(compared["tiers"]) == ["fast", "deep"]
    assert compared["with"] == bundle.load().info.to_dict()
    assert compared["worse"] is False


def test_the_table_shows_the_figures(made: tuple[Run, Path], manifest: dict[str, Any]) -> None:
    run, _ = made
    for tier in ("fast", "deep"):
        every = manifest["comparison"]["tiers"][tier]["all"]
        row = next(line.split() for line in run.out.splitlines() if line.split()[:3] == [tier, "tier", "spun"])
        assert row[3:] == [str(COUNT), f"{every['auroc_before']:.3f}", f"{every['auroc_after']:.3f}"]
    assert run.out.isascii()
    assert "\x1b" not in run.out


def test_report_json_equals_the_comparison_in_the_manifest(made: tuple[Run, Path], manifest: dict[str, Any]) -> None:
    assert json.loads((made[1] / "report.json").read_text("utf-8")) == manifest["comparison"]


def test_report_html_is_self_contained_and_shows_the_figures(made: tuple[Run, Path], manifest: dict[str, Any]) -> None:
    page = (made[1] / "report.html").read_text("utf-8")
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "default-src 'none'" in page
    assert "<h1>ours 3.1</h1>" in page
    assert f"{manifest['comparison']['tiers']['deep']['all']['auroc_after']:.3f}" in page
    assert f"report: {made[1] / 'report.html'}" in made[0].errors[-1]


def test_the_card_is_rendered_from_the_manifest(made: tuple[Run, Path], manifest: dict[str, Any]) -> None:
    card = (made[1] / CARD).read_text("utf-8")
    assert card == render_card(manifest)
    assert "## Compared with the model that it was retrained from" in card


def test_the_output_contains_no_text(made: tuple[Run, Path]) -> None:
    content = b"".join(file.read_bytes() for file in made[1].iterdir())
    for text in passages(2 * COUNT, sentences=10):
        assert text[:40].encode() not in content


def test_the_shipped_model_is_unchanged_and_the_new_one_has_its_own_name(made: tuple[Run, Path]) -> None:
    bundle.check()  # the hashes of all files
    verdict = Detector.load(made[1]).score(passages(1, sentences=10)[0])
    assert (verdict.model.name, verdict.model.version) == ("ours", "3.1")
    assert set(verdict.kinds or ()) == set(KINDS)


def test_processes_and_threads_do_not_change_the_output(made: tuple[Run, Path]) -> None:
    folder = made[1].parent
    with threadpool_limits(limits=2):  # the first run used one, as tests/conftest.py says
        run = train(*arguments(folder), "--workers", "2", "--output", folder / "again", "--quiet")
    assert run.status == 3
    assert digests(folder / "again") == digests(made[1])


# --- from a tiny model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "base"
    tiny_base(folder)
    return folder


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with twelve human and twelve spun texts."""
    folder = tmp_path_factory.mktemp("given")
    texts = passages(24, sentences=12)
    write(folder / "human", texts[:12])
    write(folder / "spun", [spun(text) for text in texts[12:]])
    return folder


@pytest.fixture
def house(base: Path, given: Path) -> list[str | Path]:
    """Return the arguments for training a model."""
    return ["--model", base, "--human", given / "human", "--spun", given / "spun", "--output", "house"]


def test_a_quiet_run_shows_nothing(house: list[str | Path], here: Path) -> None:
    run = train(*house, "--quiet")
    assert (run.status, run.out, run.errors) == (0, "", [])
    assert {"report.html", "report.json", CARD, bundle.MANIFEST} <= {path.name for path in Path("house").iterdir()}


def test_progress_lines_start_with_the_time(house: list[str | Path], here: Path) -> None:
    run = train(*house)
    assert all(re.match(r"unspun: \d+ s ", line) for line in run.errors)
    assert run.errors[0].endswith("read 24 texts")


def test_the_same_seed_gives_the_same_files(house: list[str | Path], here: Path) -> None:
    for name in ("first", "second"):
        train(*house[:-1], name, "--quiet", "--seed", "3")
    assert digests(Path("first")) == digests(Path("second"))


def test_a_worse_model_is_written_with_a_warning(
    house: list[str | Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt, "NOISE", -1.0)  # anything that is not better by 1
    run = train(*house, "--quiet")
    assert run.status == 0
    assert run.errors == [
        "unspun: the new model is worse on these texts than tiny 0.0.1; it was written, but do not use house "
        "(`unspun models promote` refuses it without --force)"
    ]
    assert bundle.load("house").manifest["comparison"]["worse"] is True
    assert "<strong>Worse.</strong>" in Path("house/report.html").read_text("utf-8")


def test_a_model_that_learned_nothing_is_reported(
    house: list[str | Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unspun.training.retraining.correction.STRENGTHS", ())
    assert train(*house, "--quiet").errors[-1].startswith("unspun: nothing was learned")
    assert bundle.load("house").classifier.correction is None


def test_known_texts_cannot_show_whether_the_new_model_is_better(house: list[str | Path], here: Path) -> None:
    train(*house, "--quiet")
    run = train(*house[2:-1], "again", "--model", "house", "--quiet")
    assert run.status == 0
    assert run.errors == [
        "unspun: custom 1.0.0 was trained on all of these texts, so they cannot show whether again is better"
    ]


def test_the_current_folder_can_be_the_output(house: list[str | Path], here: Path) -> None:
    assert train(*house[:-1], ".", "--quiet").status == 0
    assert bundle.load(here).info.name == "custom"


def test_an_existing_model_can_be_overwritten(house: list[str | Path], here: Path) -> None:
    for name in ("one", "two"):
        assert train(*house, "--quiet", "--name", name).status == 0
    assert bundle.load("house").info.name == "two"


def test_odd_names_and_odd_characters_are_harmless(house: list[str | Path], here: Path) -> None:
    """A file name that is not UTF-8, and unpaired surrogates in a record."""
    odd = here / "odd"
    odd.mkdir()
    one, two, three = passages(3, sentences=12, seed=8)
    (odd / os.fsdecode(b"caf\xe9.txt")).write_text(one, "utf-8")
    (odd / os.fsdecode(b"n\xe9ant.txt")).write_text("Nothing.", "utf-8")
    records = [{"id": "a\ud800", "source": "\udfff", "text": f"{two} \ud83d"}, {"text": f"{three} \x00 \u202e"}]
    (odd / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    (odd / "pic.png").touch()
    run = train(*house, "--human", odd)
    assert run.status == 0
    assert bundle.load("house").manifest["comparison"]["texts"] == {"human": 15, "spun": 12}
    assert "unspun: 1 file or record skipped (type .png is not read in folders: 1)" in run.errors
    assert any("left out 1: fewer than 50 words" in line and line.isprintable() for line in run.errors)


def test_many_failures_are_counted(house: list[str | Path], here: Path) -> None:
    bad = here / "bad"
    bad.mkdir()
    for number in range(9):
        (bad / f"{number}.txt").write_bytes(b"%PDF-1.7 " + bytes(range(256)))
    run = train(*house, "--human", bad, "--quiet")
    assert run.status == 3
    assert len(run.errors) == 6
    assert run.errors[-1] == "unspun: 4 more files or records cannot be read"


# --- human text alone


def test_a_model_can_be_trained_on_human_text_alone(base: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wordfreq", reason="word frequencies: pip install wordfreq")
    monkeypatch.setattr(spinning, "_paraphrasers", tools(ROWS))
    human = write(here / "human", passages(24, sentences=12))
    run = train("--model", base, "--human", human, "--output", "house")
    assert run.status == 0
    assert any("our own paraphrasers will make them from the human texts" in line for line in run.errors)
    assert set(bundle.load("house").manifest["comparison"]["texts"]) == {"human", "spun"}


def test_missing_debian_packages_are_named(
    base: Path, given: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synonyms, "wordnet_data", partial(synonyms.WordNetData, directory=here / "nowhere"))
    monkeypatch.setattr(spinning, "_paraphrasers", spinning._paraphrasers.__wrapped__)  # not the cached ones
    run = train("--model", base, "--human", given / "human", "--output", "house", "--quiet")
    assert run.status == 1
    [message] = run.errors
    assert "unspun's paraphrasers cannot start" in message
    assert "wordnet-base" in message
    assert "or add --spun with texts of your own" in message
    assert not Path("house").exists()


# --- from scratch


def test_training_from_scratch_shows_the_figures(given: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracy = {"found": {"note": "Measured on other texts.", "rows": [{"kind": "spun", "texts": 7, "auroc": 0.875}]}}
    asked: list[dict[str, Any]] = []

    def pretend(texts: Any, output: Path, recipe: Any, **options: Any) -> dict[str, Any]:
        asked.append({"texts": len(texts), "output": output, "seed": recipe.seed, "work": options["work"]})
        return {"accuracy": accuracy}

    monkeypatch.setattr("unspun.training.retraining.scratch.train_from_scratch", pretend)
    texts = ["--human", given / "human", "--spun", given / "spun"]
    run = train("--from-scratch", *texts, "--output", "house", "--seed", "5", "--work", "work")
    assert run.status == 0
    assert asked == [{"texts": 24, "output": Path("house"), "seed": 5, "work": Path("work")}]
    assert "Measured on other texts." in run.out
    assert ["spun", "7", "0.875"] in [line.split() for line in run.out.splitlines()]


def test_training_from_scratch_on_too_few_texts_writes_nothing(given: Path, here: Path) -> None:
    run = train("--from-scratch", "--spun", given / "spun", "--output", "house", "--quiet")
    assert (run.status, run.out) == (1, "")
    assert "only 0 human texts are left to set the thresholds, but at least 10 are needed" in run.errors[-1]
    assert not Path("house").exists()


# --- people's labels


def test_a_model_can_be_trained_on_peoples_labels(base: Path, here: Path) -> None:
    store = pytest.importorskip("unspun.service.feedback.store")
    texts = passages(28, sentences=12)
    labels = [label_of(text, "human", keep_text=True) for text in texts[:12]]
    labels += [label_of(spun(text), "spun", keep_text=True, source="a tool") for text in texts[12:24]]
    labels += [label_of(texts[24], word, keep_text=True, after=n) for n, word in enumerate(("human", "spun"))]
    labels += [label_of(texts[25], "human")]  # its text was not stored
    store.Store("labels.db").add_many(labels)
    run = train("--model", base, "--with-feedback", "--database", "labels.db", "--output", "house", "--quiet")
    assert run.status == 0
    assert any("left out 1 texts whose labels contradict each other" in line for line in run.errors)
    assert any("left out 1 labels whose texts are not in the database" in line for line in run.errors)
    assert bundle.load("house").manifest["comparison"]["texts"] == {"human": 12, "spun": 12}


def test_labels_and_files_can_be_combined(house: list[str | Path], here: Path) -> None:
    store = pytest.importorskip("unspun.service.feedback.store")
    store.Store("labels.db").add(label_of(passages(1, sentences=12, seed=8)[0], "human", keep_text=True))
    assert train(*house, "--quiet", "--with-feedback", "--database", "labels.db").status == 0
    assert bundle.load("house").manifest["comparison"]["texts"] == {"human": 13, "spun": 12}


def test_an_unreadable_database_is_reported_and_nothing_is_written(house: list[str | Path], here: Path) -> None:
    pytest.importorskip("unspun.service.feedback.store")
    Path("labels.db").write_bytes(b"no database at all, but a file of that name" * 40)
    run = train(*house, "--quiet", "--with-feedback", "--database", "labels.db")
    assert (run.status, run.out, len(run.errors)) == (1, "", 1)
    assert "labels.db" in run.errors[0]
    assert not Path("house").exists()


# --- refused and interrupted runs


def spoilt(base: Path, kind: str, target: Path) -> Path:
    """Return a copy of a model with something wrong."""
    if kind == "empty":
        target.mkdir()
        return target
    if kind == "bare":
        return tiny.save_bundle(target)
    shutil.copytree(base, target)
    if kind == "tampered":
        (target / bundle.WORDS).write_text("other words", "utf-8")
    else:
        file = target / bundle.MANIFEST
        file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "format": 999}), "utf-8")
    return target


def given_by(case: dict[str, Any], folder: Path) -> list[str | Path]:
    """Write a case's texts, and return the arguments for them."""
    counts: dict[str, int] = case.get("texts", {})
    texts = passages(sum(counts.values()), sentences=12)
    if "alike" in case:
        mark = " It was copied {} times." if case.get("marked") else ""
        texts = [texts[i % case["alike"]] + mark.format(i) for i in range(len(texts))]
        if not case.get("marked"):
            texts = [text if i < counts["human"] else spun(text) for i, text in enumerate(texts)]
    arguments: list[str | Path] = []
    for label, count in counts.items():
        write(folder / label, texts[:count])
        texts = texts[count:]
        arguments += [item for name in case.get("same", [label]) for item in (f"--{name}", folder / label)]
    return arguments + case.get("arguments", [])


@pytest.mark.parametrize("case", cases("train_refused.toml"), ids=why)
def test_a_refused_training_writes_nothing(case: dict[str, Any], base: Path, here: Path) -> None:
    (here / "filled").mkdir()
    (here / "filled" / "letters.txt").write_text("Dear all")
    (here / "file").write_text("a file")
    (here / "models").mkdir()
    (here / "models" / "current").symlink_to("tiny")
    (here / "models" / "history.jsonl").touch()
    arguments = given_by(case, here / "texts")
    model = spoilt(base, case["base"], here / "base") if "base" in case else base
    output = {"shipped": bundle.DEFAULT}.get(case.get("output", ""), here / case.get("output", "house"))
    before = [digests(folder) for folder in (bundle.DEFAULT, model, here / "filled")]
    run = train(*arguments, "--model", model, "--output", output)
    assert (run.status, run.out) == (case.get("status", 1), "")
    assert case["message"] in run.errors[-1]
    if "earlier" in case:
        assert any(case["earlier"] in line for line in run.errors[:-1])
    assert [digests(folder) for folder in (bundle.DEFAULT, model, here / "filled")] == before
    left = {path.name for path in here.iterdir()} - {"filled", "file", "models", "texts", "base"}
    assert left == set()
    if run.status == 1 and "base" not in case:
        assert run.errors[-1].endswith("nothing was written, and the model in use was not changed")


def test_contradicting_labels_are_named_and_left_out(house: list[str | Path], given: Path, here: Path) -> None:
    shutil.copytree(given / "spun", here / "spun")
    for number in (0, 1):
        shutil.copy(given / "human" / f"{number:02}.txt", here / "spun" / f"wrong{number}.txt")
    run = train(*house[:4], "--spun", here / "spun", "--output", "house", "--quiet")
    assert run.status == 0
    [message] = [line for line in run.errors if "left out" in line]
    assert "left out 4: the same text is labelled human and spun; correct the labels" in message
    assert "human/00.txt" in message
    assert json.loads(Path("house/report.json").read_text("utf-8"))["texts"] == {"human": 10, "spun": 12}


def test_swapped_labels_are_detected(here: Path) -> None:
    for kind, wrong in (("human", "spun"), ("spun", "human")):
        texts = [file.read_text("utf-8") for file in sorted((ROOT / "seeds" / "examples" / kind).iterdir())]
        words = [text.split() for text in texts]
        halves = [part for all_ in words for part in (all_[: len(all_) // 2], all_[len(all_) // 2 :])]
        write(here / wrong, [" ".join(half) for half in halves])
    run = train("--human", here / "human", "--spun", here / "spun", "--output", "house", "--quiet")
    assert run.status == 0
    assert any("did you swap --human and another option?" in line for line in run.errors)
    assert bundle.load("house").manifest["comparison"]["worse"] is True


def test_training_starts_from_the_model_in_use(
    house: list[str | Path], base: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSPUN_MODEL", str(base))
    assert train(*house[2:], "--quiet").status == 0
    started = bundle.load("house").manifest["comparison"]["with"]
    assert started["sha256"] == bundle.load(base).info.sha256


@pytest.mark.parametrize("output", ["new", "old"])
def test_a_folder_without_write_permission_is_refused_before_the_work(
    base: Path, given: Path, here: Path, output: str
) -> None:
    locked = here / "locked"
    shutil.copytree(base, locked / "old")
    before = digests(locked / "old")
    command = ["--model", base, "--human", given / "human", "--spun", given / "spun", "--output", locked / output]
    with read_only(*((locked, locked / "old") if output == "new" else (locked / "old",))):
        run = train(*command)
    assert (run.status, run.out) == (2, "")
    assert "Permission denied; give a folder that you may write to" in run.errors[-1]
    assert digests(locked / "old") == before
    assert not (locked / "new").exists()


def test_ctrl_c_during_an_import_is_an_interruption(
    house: list[str | Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupting the import of a compiled module raises ImportError."""

    def interrupted(*arguments: Any, **options: Any) -> None:
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr(adapt, "retrain", interrupted)
    assert train(*house, "--quiet").status == 130


def test_an_interrupted_training_leaves_nothing_behind(given: Path, here: Path) -> None:
    """Ctrl-C during training from the shipped model."""
    command = [
        "train",
        "--workers",
        "1",
        "--human",
        given / "human",
        "--spun",
        given / "spun",
        "--output",
        here / "house",
    ]
    run = subprocess.Popen(
        [sys.executable, "-m", "unspun.service.cli", *command],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Shells let background jobs ignore SIGINT, and their children would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert run.stderr is not None
    lines: list[str] = []
    for line in run.stderr:
        lines.append(line)
        if "measuring" in line:
            time.sleep(0.2)
            run.send_signal(signal.SIGINT)
    out = run.communicate(timeout=60)[0]
    assert (run.returncode, out) == (130, "")
    assert lines[-1] == "unspun: interrupted\n"
    assert list(here.iterdir()) == []


def test_too_little_text_is_reported_with_its_files(base: Path, here: Path) -> None:
    texts = passages(16, sentences=12)
    write(here / "many", texts[:12])
    write(here / "few", texts[12:15])
    (here / "one.txt").write_text(texts[15], "utf-8")
    arguments = ["--model", base, "--human", "many", "--output", "house"]
    run = train(*arguments, "--spun", "few", "--translated", "one.txt")
    assert run.status == 1
    assert "(few: 3 of 3, one.txt: 1 of 1); give at least 10 of one kind" in run.errors[-1]
    assert "one.txt counts as one text: separate its texts, one per file or per JSON line" in run.errors[-1]
    run = train("--model", base, "--human", "few", "--spun", "many", "--output", "house")
    assert "too few human texts: 3 of 3 can be used (few: 3 of 3); give at least 10" in run.errors[-1]


def test_a_file_without_text_is_named(base: Path, here: Path) -> None:
    (here / "empty.txt").touch()
    run = train("--model", base, "--human", "empty.txt", "--output", "house")
    assert run.status == 1
    assert "unspun: empty.txt: contains no text" in run.errors


def test_labels_in_a_file_are_kept(base: Path, here: Path) -> None:
    texts = passages(24, sentences=12)
    rows = [{"text": text, "label": "human" if number % 2 else "spun"} for number, text in enumerate(texts)]
    (here / "both.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = train("--model", base, "--human", "both.jsonl", "--output", "house", "--quiet")
    assert run.status == 0
    assert run.errors[0] == (
        "unspun: 12 texts have labels of their own (spun), which human does not replace (both.jsonl#1)"
    )
