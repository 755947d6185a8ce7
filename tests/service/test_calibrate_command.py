"""`unspun calibrate` reaches the target on the given texts, and changes nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import deep as tiny_deep
from tests import tables as tiny
from tests.cases import why
from tests.model.test_hostile_bundles import put
from tests.reading.support import FORMATS
from tests.service.support import Run, cases, read_only, run_unspun
from tests.service.test_train_command import digests, spoilt, write
from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.model.verdict import KINDS
from unspun.training.corpora.corpus import text_keys
from unspun.training.reporting.card import CARD, render_card
from unspun.training.retraining.recalibrate import FEWEST

TARGETS = {"paraphrased": 0.02, "suspect": 0.2}
"""220 texts can only prove the second of them."""
COUNT = 220


def trusted_texts(count: int, seed: int = 4) -> list[str]:
    """Return different texts made of the tiny model's sentences."""
    rng = np.random.default_rng(seed)
    return [
        f"{' '.join(sentences)} It was the day {i}."
        for i, sentences in enumerate(rng.choice(tiny.SENTENCES, (count, 9)))
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny model that has a deep tier, broken models, and trusted texts."""
    folder = tmp_path_factory.mktemp("calibrate")
    decision = {
        **tiny.decision("fast", "deep"),
        "tiers": {"fast": tiny.tier(centre=-3.0), "deep": tiny.tier(centre=-6.0)},
    }
    parts = (tiny.tables(), tiny.tagger(), tiny.classifier(), np.array([1], np.uint64), tiny_deep.tier())
    bundle.save(folder / "model", {**tiny_deep.manifest(), "decision": decision}, *parts)
    for kind in ("newer", "tampered"):
        spoilt(folder / "model", kind, folder / kind)
    shutil.copytree(folder / "model", folder / "older")
    (folder / "older" / bundle.MANIFEST).write_text(json.dumps({**manifest_of(folder / "model"), "format": 1}), "utf-8")
    write(folder / "trusted", trusted_texts(COUNT))
    write(folder / "few", trusted_texts(10))
    return folder


@pytest.fixture
def model(made: Path, here: Path) -> Path:
    """Return a copy of the model that a test may change."""
    return Path(shutil.copytree(made / "model", here / "model"))


def calibrate(model: Path, *arguments: str | Path) -> Run:
    return run_unspun("calibrate", "--model", model, *arguments)


def targets() -> list[str]:
    return ["--target-fpr", str(TARGETS["paraphrased"]), "--target-suspect", str(TARGETS["suspect"])]


def manifest_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / bundle.MANIFEST).read_text("utf-8")))


def called(folder: Path, depth: str) -> dict[str, float]:
    """Return the share of trusted texts with each verdict; paraphrased texts are suspect, too."""
    verdicts = [v.verdict for v in Detector.load(folder).score_many(trusted_texts(COUNT), depth=depth, evidence=False)]
    return {
        "paraphrased": verdicts.count("paraphrased") / len(verdicts),
        "suspect": 1 - verdicts.count("clear") / len(verdicts),
    }


@pytest.mark.parametrize("depth", ["fast", "deep", "auto"])
def test_no_more_trusted_texts_are_flagged_than_the_target(model: Path, made: Path, depth: str) -> None:
    assert called(model, depth)["suspect"] > TARGETS["suspect"]  # otherwise the test would prove nothing
    run = calibrate(model, "--on", made / "trusted", *targets())
    assert run.status == 0
    after = called(model, depth)
    assert all(after[word] <= TARGETS[word] for word in TARGETS)


def test_the_table_shows_the_checks_in_the_manifest(model: Path, made: Path) -> None:
    run = calibrate(model, "--on", made / "trusted", *targets())
    checks = manifest_of(model)["calibration"]
    assert [(c["tier"], c["word"]) for c in checks] == [(t, w) for t in ("fast", "deep") for w in TARGETS]
    rows = [line.split() for line in run.out.splitlines() if line.split()[1:2] in (["paraphrased"], ["suspect"])]
    assert len(rows) == 4
    for row, check in zip(rows, checks, strict=True):
        assert row[0:2] == [check["tier"], check["word"]]
        assert [str(check["texts"]), str(check["before"]), str(check["after"])] == row[4:7]
        assert float(row[-3]) == pytest.approx(100 * check["at_most"], abs=0.1)
        assert row[-1] == ("yes" if check["enough"] else "no")
    assert run.out.isascii()


def test_the_table_shows_the_factor_of_each_kind(model: Path, made: Path) -> None:
    run = calibrate(model, "--on", made / "trusted", *targets())
    tiers = Detector.load(model).decision.tiers
    rows = [line.split() for line in run.out.splitlines() if line.split()[1:2] and line.split()[1] in KINDS]
    assert [row[:2] for row in rows] == [[tier, kind] for tier in ("fast", "deep") for kind in KINDS]
    assert [float(row[-1]) for row in rows] == pytest.approx(
        [factor for tier in ("fast", "deep") for factor in tiers[tier].factors], rel=1e-3
    )


def test_the_model_is_the_same_in_place_and_elsewhere(model: Path, made: Path, here: Path) -> None:
    calibrate(made / "model", "--on", made / "trusted", "--output", "new")
    calibrate(model, "--on", made / "trusted")
    assert digests(here / "new") == digests(model)


def test_with_output_the_original_model_is_unchanged(model: Path, made: Path, here: Path) -> None:
    before = digests(model)
    assert calibrate(model, "--on", made / "trusted", "--output", here / "new").status == 0
    assert digests(model) == before
    assert manifest_of(here / "new")["calibrated_from"] == bundle.load(model).info.to_dict()


@pytest.mark.parametrize(
    ("arguments", "version"), [([], "0.0.1+calibrated"), (["--version", "0.1"], "0.1")], ids=["default", "given"]
)
def test_the_version_shows_that_the_model_was_calibrated(
    model: Path, made: Path, arguments: list[str], version: str
) -> None:
    calibrate(model, "--on", made / "trusted", *arguments)
    assert Detector.load(model).model.version == version


def test_calibrating_twice_changes_nothing(model: Path, made: Path) -> None:
    for _ in range(2):
        before = manifest_of(model)["decision"]
        calibrate(model, "--on", made / "trusted", *targets())
    assert manifest_of(model)["decision"] == before
    assert Detector.load(model).model.version == "0.0.1+calibrated"


def test_the_card_shows_the_number_of_texts(model: Path, made: Path) -> None:
    calibrate(model, "--on", made / "trusted")
    card = (model / CARD).read_text("utf-8")
    assert card == render_card(manifest_of(model))
    assert "## Calibrated on" in card
    assert f"| {COUNT} |" in card


def test_a_quiet_run_only_warns_of_unproven_targets(model: Path, made: Path) -> None:
    run = calibrate(model, "--on", made / "trusted", *targets(), "--quiet")
    assert (run.status, run.out) == (0, "")
    assert run.errors == [
        "unspun: too few texts to prove that at most 2.0 % are called paraphrased: 220 texts prove at most 4.7 %, with "
        "95 % confidence; 313 are needed"
    ]


def test_a_proven_target_causes_no_warning(model: Path, made: Path) -> None:
    run = calibrate(model, "--on", made / "trusted", "--target-fpr", "0.1", "--target-suspect", "0.3", "--quiet")
    assert (run.status, run.out, run.errors) == (0, "", [])
    assert all(check["enough"] for check in manifest_of(model)["calibration"])


def test_few_texts_never_make_a_model_less_strict(model: Path, made: Path) -> None:
    calibrate(model, "--on", made / "trusted")
    tiers = Detector.load(model).decision.tiers
    assert all((tier.factors >= 1.0).all() for tier in tiers.values())


# --- the texts


def test_duplicate_texts_count_once(model: Path, made: Path) -> None:
    run = calibrate(model, "--on", made / "trusted", "--on", made / "few")  # the ten are among the others
    assert "unspun: left out 10 of 230 texts: duplicates, or the model was trained on them" in run.errors
    assert manifest_of(model)["calibration"][0]["texts"] == COUNT


def test_training_texts_of_the_model_are_left_out(made: Path, here: Path) -> None:
    """The model was retrained, and its manifest still says so afterwards."""
    learnt = trusted_texts(40, seed=5)
    loaded = bundle.load(made / "model")
    parts = (loaded.tables, loaded.tagger, loaded.classifier, np.unique(text_keys(learnt)), loaded.deep)
    entries = {name: {"entry": name} for name in ("house", "reference", "retrained_from")}
    bundle.save(
        here / "house",
        {**tiny_deep.manifest(), **entries},
        *parts,
        extra={"reference_keys": np.arange(5).astype("u8")},
    )
    run = calibrate(here / "house", "--on", made / "trusted", "--on", write(here / "learnt", learnt))
    assert run.status == 0
    assert f"unspun: left out 40 of {COUNT + 40} texts: duplicates, or the model was trained on them" in run.errors
    manifest = manifest_of(here / "house")
    assert manifest["calibration"][0]["texts"] == COUNT
    assert {name: manifest[name] for name in entries} == entries
    assert "reference_keys.npy" in manifest["files"]


def test_a_damaged_array_for_training_is_reported_before_any_text_is_read(model: Path, made: Path) -> None:
    """`calibrate` copies these arrays into the new model, after hours of reading."""
    put(model, "reference_keys.npy", b"junk")
    run = calibrate(model, "--on", "a file that does not exist")
    assert (run.status, len(run.errors)) == (1, 1)
    assert f"{model}: the model cannot be read (reference_keys.npy: " in run.errors[0]


def test_every_format_is_read_and_failures_are_reported(model: Path, made: Path, here: Path) -> None:
    folder = here / "all"
    folder.mkdir()
    texts = trusted_texts(FEWEST)
    for number, text in enumerate(texts):
        name = list(FORMATS)[number % len(FORMATS)]
        (folder / f"{number:03}{name[1:]}").write_bytes(FORMATS[name](text))
    (folder / "bad.txt").write_bytes(b"\x89PNG " + bytes(range(256)))
    run = calibrate(model, "--on", folder)
    assert run.status == 3
    assert any("bad.txt: binary (PNG), not text" in line for line in run.errors)
    assert manifest_of(model)["calibration"][0]["texts"] == FEWEST


# --- refused and interrupted runs


@pytest.mark.parametrize("case", cases("calibrate_refused.toml"), ids=why)
def test_a_refused_calibration_changes_no_model(case: dict[str, Any], model: Path, made: Path, here: Path) -> None:
    places = {name.upper(): made / name for name in ("trusted", "few", "newer", "older", "tampered")}
    places |= {"MODEL": model, "SHIPPED": bundle.DEFAULT}
    folders = [*places.values()]
    before = [digests(folder) for folder in folders]
    run = run_unspun("calibrate", *(places.get(argument, argument) for argument in case["arguments"]))
    assert (run.status, run.out) == (case["status"], "")
    assert case["message"] in run.errors[-1]
    assert [digests(folder) for folder in folders] == before
    assert [path.name for path in here.iterdir()] == ["model"]


def test_a_version_in_a_folder_of_models_is_never_changed(model: Path, made: Path, here: Path) -> None:
    (here / "models").mkdir()
    model.rename(here / "models" / "tiny")
    (here / "models" / "current").symlink_to("tiny")
    (here / "models" / "history.jsonl").touch()
    before = digests(here / "models" / "tiny")
    for name in ("current", "tiny"):
        run = calibrate(here / "models" / name, "--on", made / "trusted")
        assert (run.status, run.out) == (2, "")
        assert "is in a folder of models, whose versions are never changed" in run.errors[-1]
    assert digests(here / "models" / "tiny") == before
    run = calibrate(here / "models" / "current", "--on", made / "trusted", "--output", here / "new", "--quiet")
    assert run.status == 0


def test_a_model_without_write_permission_is_unchanged(model: Path, made: Path) -> None:
    before = digests(model)
    with read_only(model):
        run = calibrate(model, "--on", made / "trusted")
    assert (run.status, run.out) == (2, "")
    assert "Permission denied; give a folder that you may write to" in run.errors[-1]
    assert digests(model) == before


def test_an_interrupted_calibration_changes_nothing(
    model: Path, made: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    before = digests(model)
    monkeypatch.setattr("numpy.savez_compressed", interrupt)
    run = calibrate(model, "--on", made / "trusted")
    assert (run.status, run.errors[-1]) == (130, "unspun: interrupted")
    assert digests(model) == before
    assert [path.name for path in here.iterdir()] == ["model"]
