"""Training the fast tier: reproducible, resumable, and without the texts that are held out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import deep as tiny_deep
from tests import tables as tiny
from tests.training.passages import passages
from tests.training.small import RECIPE, require_resources, small_resources
from unspun.model import bundle
from unspun.model.verdict import KINDS
from unspun.training import build
from unspun.training.build import provisional_detector
from unspun.training.classifier.fast_tier import FastTier, Stages, TrainingError, split, train_fast_tier
from unspun.training.corpora.corpus import LabelledText


@pytest.fixture(scope="module", autouse=True)
def resources() -> Iterator[None]:
    require_resources()
    with small_resources():
        yield


@pytest.fixture(scope="module")
def texts() -> list[LabelledText]:
    """Return texts of two human sources and of two tools of each kind, each with its own style."""
    manners = {
        ("spun", "thesaurus"): lambda text: text.replace("the ", "that "),
        ("spun", "synonymiser"): lambda text: text.replace(" and ", " as well as "),
        ("translated", "deepl"): lambda text: text.replace("a ", ""),
        ("translated", "wmt"): lambda text: text.replace(",", ""),
        ("rewritten", "dipper"): lambda text: "Moreover, " + text.replace(". ", ", and moreover "),
        ("rewritten", "quillbot"): lambda text: text.replace(" it ", " this "),
    }
    made = passages(120)
    answer = [LabelledText(f"h{i}", "human", f"site{i % 2}", text) for i, text in enumerate(made[:60])]
    for i, text in enumerate(made[60:]):
        label, tool = list(manners)[i % len(manners)]
        answer.append(LabelledText(f"m{i}", label, "web", manners[label, tool](text), tool=tool))  # type: ignore[arg-type]
    return answer


def report(line: str) -> None:
    """Discard the line."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the stages of `trained` write their results to."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(texts: list[LabelledText], work: Path) -> FastTier:
    return train_fast_tier(texts, RECIPE, Stages(work, texts, RECIPE, report))


def test_a_trained_fast_tier_measures_texts(trained: FastTier) -> None:
    found = provisional_detector(trained, None).measure([tiny.ARTICLE], depth="fast")
    assert np.isfinite(found.fast).all()
    assert found.words.tolist() == [len(tiny.ARTICLE.split())]
    assert trained.prior_log_odds < 0


def test_every_kind_has_a_head(trained: FastTier) -> None:
    assert [head.estimator is not None for head in trained.classifier.heads] == [True] * len(KINDS)


def test_a_kind_without_texts_has_no_head(texts: list[LabelledText]) -> None:
    some = [text for text in texts if text.label in ("human", "spun")]
    heads = train_fast_tier(some, RECIPE, Stages(None, some, RECIPE, report)).classifier.heads
    assert [head.estimator is not None for head in heads] == [True, False, False]


def test_the_same_seed_gives_the_same_model(trained: FastTier, texts: list[LabelledText], tmp_path: Path) -> None:
    again = train_fast_tier(texts, RECIPE, Stages(None, texts, RECIPE, report))
    assert files_of(again, tmp_path / "again") == files_of(trained, tmp_path / "trained")


def files_of(fast: FastTier, folder: Path) -> dict[str, str]:
    """Write a bundle with everything that was trained, and return the digests of its files."""
    manifest = {"tagger_prior_log_odds": fast.prior_log_odds}
    bundle.save(folder, manifest, fast.tables, fast.tagger, fast.classifier, np.zeros(0, np.uint64))
    return tiny.digests(folder)


def test_an_interrupted_training_resumes(
    trained: FastTier, texts: list[LabelledText], work: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    again = train_fast_tier(texts, RECIPE, Stages(work, texts, RECIPE, lines.append))
    assert lines
    assert all("kept from an earlier run" in line for line in lines)
    assert files_of(again, tmp_path / "again") == files_of(trained, tmp_path / "trained")


def test_parts_have_no_text_in_common(texts: list[LabelledText]) -> None:
    parts = split(texts)
    learning = parts.statistics.astype(int) + parts.tagger + parts.matrix
    assert learning.max() == learning.min() == 1
    assert all(part.any() for part in (parts.statistics, parts.tagger, parts.matrix))


def test_machine_text_goes_to_the_classifier(texts: list[LabelledText]) -> None:
    assert all(text.label == "human" or kept for text, kept in zip(texts, split(texts).matrix.tolist(), strict=True))


def test_the_texts_of_a_group_stay_together(texts: list[LabelledText]) -> None:
    grouped = [dataclasses.replace(text, group=str(i // 3)) for i, text in enumerate(texts)]
    parts = split(grouped)
    for mask in (parts.matrix, parts.statistics, parts.tagger):
        for group in np.unique(parts.groups):
            assert len(set(mask[parts.groups == group].tolist())) == 1


def test_human_text_that_machine_text_was_made_from_goes_to_the_classifier(texts: list[LabelledText]) -> None:
    paired = [*texts[:60], *(dataclasses.replace(text, group="g") for text in (texts[0], texts[60]))]
    parts = split(paired)
    assert parts.matrix[parts.groups == parts.groups[-1]].all()


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda text: text.label != "human", "human"),  # no human text
        (lambda text: text.label != "spun" or text.id.endswith("1"), "spun"),  # too little of it to learn from
    ],
)
def test_too_few_texts_of_a_class_are_reported_in_one_line(texts: list[LabelledText], keep: Any, said: str) -> None:
    some = [text for text in texts if keep(text)]
    with pytest.raises(TrainingError, match=said) as refused:
        train_fast_tier(some, RECIPE, Stages(None, some, RECIPE, report))
    assert "\n" not in str(refused.value)


def test_human_texts_that_all_have_machine_versions_are_refused(texts: list[LabelledText]) -> None:
    # Nothing is left for the language statistics and the tagger.
    paired = [dataclasses.replace(text, group=str(i % 60)) for i, text in enumerate(texts)]
    with pytest.raises(TrainingError, match="no human text is left for the language statistics"):
        train_fast_tier(paired, RECIPE, Stages(None, paired, RECIPE, report))


def test_another_recipe_runs_the_stages_again(texts: list[LabelledText], tmp_path: Path) -> None:
    def key(**changed: Any) -> str:
        return Stages(tmp_path, texts, dataclasses.replace(RECIPE, **changed), report).key

    assert key() != key(seed=1)
    assert key() == key(jobs=2)


def test_a_stage_is_run_once(texts: list[LabelledText], tmp_path: Path) -> None:
    runs = []
    for _ in range(2):
        stages = Stages(tmp_path, texts, RECIPE, report)
        assert stages.run("answer", lambda: runs.append(1) or 42) == 42
    assert runs == [1]


ROLES = {
    "guide": "train",
    "diary": "train",
    "abc_news": "calibrate",
    "hansard_uk_lords": "calibrate",
    "rust_book": "test",
}
"""Human sources of a small corpus, and their roles in roles.toml."""
TOOLS = {"spun": ("Acme", "pwws"), "translated": ("Bolt", "NLLB 3.3B"), "rewritten": ("Dipper", "Gemma")}
"""A maker of each kind with the role `train`, and one with the role `calibrate`."""


def write_corpus(folder: Path) -> None:
    """Write a file for each source and maker, including those with the role `test`."""
    texts = iter(passages(280, sentences=6, seed=11))
    for source in ROLES:
        records = [
            {"id": f"{source}{i}", "label": "human", "source": source, "text": next(texts)}
            for i in range(40 if ROLES[source] == "train" else 20)
        ]
        write(folder / "human" / f"{source}.jsonl", records)
    for label, tools in TOOLS.items():
        for tool, source in zip((*tools, "Parrot"), ("guide", "abc_news", "rust_book"), strict=True):
            records = []
            for i in range(10):
                original = next(texts)
                record = {"id": f"{tool}{i}", "label": label, "source": source, "tool": tool, "original": original}
                records.append({**record, "text": original.replace("the", tool).replace("was", "became")})
            write(folder / "paraphrased" / f"{label}_{source}.jsonl", records)


def write(file: Path, records: list[dict[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


def test_texts_with_the_role_test_do_not_change_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that ships may be fitted on them."""
    monkeypatch.setattr(build, "Recipe", lambda **given: dataclasses.replace(RECIPE, seed=given["seed"]))
    monkeypatch.setattr(build, "_encoder", lambda checkpoint, work: (tiny_deep.weights(), 1))
    corpus = tmp_path / "corpus"
    write_corpus(corpus)
    built = []
    for name in ("with", "without"):
        if name == "without":
            for file in [corpus / "human" / "rust_book.jsonl", *corpus.glob("paraphrased/*_rust_book.jsonl")]:
                file.unlink()
        command = [str(corpus), "--work", str(tmp_path / name / "work"), "--output", str(tmp_path / name / "bundle")]
        assert build.main(command) == 0
        built.append(tmp_path / name / "bundle")
    assert tiny.digests(built[0]) == tiny.digests(built[1])
    fitted_on = json.loads((built[0] / bundle.MANIFEST).read_text("utf-8"))["fitted_on"]
    assert "rust_book" not in json.dumps(fitted_on)
    assert set(fitted_on["classifier"]["sources"]) == {"guide", "diary"}
    assert set(fitted_on["decision"]["sources"]) == {"abc_news", "hansard_uk_lords"}
