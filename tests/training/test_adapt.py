"""training/retraining/adapt.py: retraining a model on a user's own texts, and comparing it with its base."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from tests import first as tiny_first
from tests.cases import cases, why
from tests.tables import digests
from tests.training.passages import passages
from tests.training.references import measured, tiny_base
from tests.training.thesaurus import TableThesaurus
from unspun.model import bundle
from unspun.model.bundle import Bundle
from unspun.model.decision.decision import Decision
from unspun.model.detector import Detector
from unspun.model.text.allowed import Allowed
from unspun.training.calibration import evidence
from unspun.training.calibration.reference import ARRAY, ReferenceTexts
from unspun.training.classifier.fast_tier import TrainingError
from unspun.training.corpora.corpus import LabelledText, assign_groups, text_keys
from unspun.training.machines import spinning
from unspun.training.machines.spinner import Knobs, Spinner
from unspun.training.machines.spinning import PARAPHRASERS
from unspun.training.reporting.card import CARD
from unspun.training.retraining import adapt
from unspun.training.retraining.adapt import House, Retrained, choose, retrain, split
from unspun.training.retraining.correction import LEAST_TEXTS

HOUSE = House("ours", "2.0", jobs=1)
GERMAN = (
    "Am Morgen lag der Nebel noch so dicht über dem Hafen, dass man die Boote nur hörte und nicht sah. Die Fischer "
    "standen auf der Mole und warteten, bis die Sonne durchkam, und erzählten sich dabei die Geschichten, die sie sich "
    "an jedem solchen Morgen erzählen. Als es endlich hell wurde, war es schon beinahe Mittag, und keiner von ihnen "
    "hatte noch große Lust, hinauszufahren."
)
TABLE = "\n".join(f"{n}\t{n * 7 % 13}.5\t{n * 3}\t-{n}" for n in range(40))


def labelled(label: str, texts: list[str], **fields: Any) -> list[LabelledText]:
    """Return texts with a label, each from a different source."""
    return [
        LabelledText(f"{label}{i}", label, f"{label}-{i}.txt", text, **fields)  # type: ignore[arg-type]
        for i, text in enumerate(texts)
    ]


def spun(text: str) -> str:
    """Return the text as the user's spinner would change it."""
    return text.replace(" the ", " that ").replace(" a ", " one ").replace(" and ", " as well as ")


def house_texts(count: int = 15, *, seed: int = 5) -> list[LabelledText]:
    """Return equally many human and spun texts of a user."""
    texts = passages(2 * count, sentences=12, seed=seed)
    return labelled("human", texts[:count]) + labelled("spun", [spun(text) for text in texts[count:]])


# --- the choice of texts


def content(name: str) -> str:
    one, two = passages(2, sentences=12)
    return {
        "1": one,
        "2": two,
        "1 folded": one.upper().replace(" ", "\n  "),
        "1 short": " ".join(one.split()[:20]),
        "german": GERMAN,
        "table": TABLE,
        "poem": cases("model/verse.toml", "verse")[0]["text"],
        "": "",
    }[name]


@pytest.mark.parametrize("case", cases("training/retraining_choices.toml"), ids=why)
def test_texts_that_cannot_be_learnt_from_are_left_out_and_reported(case: dict[str, Any]) -> None:
    texts = [
        LabelledText(f"id{i}", label, "web", content(name), changed_frac=rest[0] if rest else None)
        for i, (label, name, *rest) in enumerate(case["texts"])
    ]
    found = choose(texts)
    assert [text.id for text in found.texts] == [f"id{i}" for i in case["kept"]]
    expected = case.get("left_out", {})
    assert list(found.dropped.values()) == list(expected.values())
    for reason, said, count, line in zip(expected, found.dropped, found.dropped.values(), found.messages, strict=True):
        assert said.startswith(reason)
        assert line.startswith(f"left out {count}: {said} (id")
        assert "\n" not in line


def test_the_message_names_the_first_texts_that_are_left_out() -> None:
    found = choose(labelled("human", passages(6, sentences=1)))
    assert found.messages == ["left out 6: fewer than 50 words of prose (human0, human1, human2 and 3 more)"]


def test_texts_that_consist_of_allowed_terms_are_left_out() -> None:
    found = choose(labelled("human", ["A spline meets a spline by the sea. " * 12]), Allowed(["spline"]))
    assert found.messages == ["left out 1: more than a fifth of the words are allowed terms (human0)"]


def test_allowed_terms_are_masked_in_what_is_learnt(base: Bundle, texts: list[LabelledText]) -> None:
    terms = Allowed([max(texts[0].text.split(), key=len)])
    plain, masked = (adapt.measure_house(base, texts[:4], jobs=1, allowed=allowed) for allowed in (None, terms))
    assert not np.array_equal(plain.features, masked.features)


# --- folds


@st.composite
def collections(draw: st.DrawFn) -> list[LabelledText]:
    """Return texts of a few originals, sources and sites, of both labels."""
    count = draw(st.integers(10, 60))
    originals = draw(st.integers(3, 40))
    sources = draw(st.integers(1, 30))
    return [
        LabelledText(
            id=str(i),
            label="human" if draw(st.booleans()) else "spun",
            source=f"source{draw(st.integers(0, sources - 1))}",
            text=f"word{i} line{i} page{i}",
            group=f"original{draw(st.integers(0, originals - 1))}",
        )
        for i in range(count)
    ]


@given(collections(), st.integers(2, 5))
def test_originals_and_sources_are_never_split_over_folds(texts: list[LabelledText], folds: int) -> None:
    groups = assign_groups(texts)
    human = np.array([text.label == "human" for text in texts])
    assume(min(len(np.unique(groups[side])) for side in (human, ~human)) >= folds)
    found, unit = split(texts, folds)
    assert set(found.tolist()) <= set(range(folds))
    for group in np.unique(groups):
        assert len(set(found[groups == group])) == 1
    if unit == "source":
        sources = np.array([text.source for text in texts])
        for source in np.unique(sources):
            assert len(set(found[sources == source])) == 1
    for side in (human, ~human):  # some to learn from, and some to measure on
        assert len(set(found[side])) >= 2


def test_sources_stay_together_if_both_labels_have_enough() -> None:
    texts = [dataclasses.replace(text, source=f"s{i % 6}") for i, text in enumerate(house_texts(18))]
    assert split(texts, 5)[1] == "source"
    one = [dataclasses.replace(text, source="web" if text.label == "spun" else text.source) for text in texts]
    assert split(one, 5)[1] == "text"


def test_folds_have_equally_many_texts_of_each_label() -> None:
    texts = house_texts(20)
    folds, _ = split(texts, 5)
    human = np.array([text.label == "human" for text in texts])
    assert np.bincount(folds[human]).tolist() == np.bincount(folds[~human]).tolist() == [4] * 5


def test_a_text_and_its_machine_version_are_in_one_fold() -> None:
    human = labelled("human", passages(20, sentences=12))
    made = [
        dataclasses.replace(text, id=f"m{i}", label="spun", source=f"m{i}", text=f"{spun(text.text)} {i}")
        for i, text in enumerate(human)
    ]
    folds, _ = split([*human, *made], 5)
    assert folds[:20].tolist() == folds[20:].tolist()


# --- a tiny model, retrained


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_base(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def texts() -> list[LabelledText]:
    return house_texts()


@pytest.fixture(scope="module")
def done(base: Bundle, texts: list[LabelledText], tmp_path_factory: pytest.TempPathFactory) -> tuple[Retrained, Path]:
    folder = tmp_path_factory.mktemp("done") / "house"
    return retrain(base, texts, folder, HOUSE), folder


@pytest.fixture(scope="module")
def retrained(done: tuple[Retrained, Path]) -> Bundle:
    return bundle.load(done[1])


def reference_of(loaded: Bundle) -> ReferenceTexts:
    return ReferenceTexts.unpack(bundle.read_extra(loaded, ARRAY), loaded.manifest["reference"])


def test_the_new_model_loads_and_its_scores_differ(base: Bundle, retrained: Bundle, texts: list[LabelledText]) -> None:
    assert (retrained.info.name, retrained.info.version) == ("ours", "2.0")
    assert retrained.classifier.correction is not None
    before, after = (Detector(model).score(texts[-1].text).kinds for model in (base, retrained))
    assert before is not None
    assert after is not None
    assert after["spun"] > before["spun"]


def test_the_manifest_names_the_base_and_the_texts(base: Bundle, retrained: Bundle) -> None:
    manifest = retrained.manifest
    assert manifest["retrained_from"] == manifest["comparison"]["with"] == base.info.to_dict()
    assert manifest["house"]["seed"] == HOUSE.seed
    assert manifest["house"]["data"]["texts"] == 30
    assert manifest["house"]["data"]["sources"] == {"house": {"human": 15, "spun": 15}}


def test_the_model_learns_the_users_texts(done: tuple[Retrained, Path]) -> None:
    compared = done[0].manifest["comparison"]
    assert compared["tiers"]["fast"]["all"]["auroc_after"] > compared["tiers"]["fast"]["all"]["auroc_before"]
    assert not done[0].worse
    assert compared["texts"] == {"human": 15, "spun": 15}


def test_the_returned_manifest_is_the_one_on_disk(done: tuple[Retrained, Path]) -> None:
    assert done[0].manifest == json.loads((done[1] / bundle.MANIFEST).read_text("utf-8"))
    assert (done[1] / CARD).read_text("utf-8").startswith("# Model card: ours 2.0\n")


def test_scores_before_are_those_of_the_base(
    base: Bundle, done: tuple[Retrained, Path], texts: list[LabelledText]
) -> None:
    found = [Detector(base).score(text.text, depth="fast").score for text in texts]
    assert None not in found
    assert done[0].answers.before["fast"] == pytest.approx(found, abs=2e-6)


def test_scores_after_are_by_models_that_had_not_seen_the_text(
    base: Bundle, done: tuple[Retrained, Path], texts: list[LabelledText], tmp_path: Path
) -> None:
    """Recompute one fold with a model that is trained on the others alone."""
    folds, _ = split(texts, adapt.FOLDS)
    out = folds == folds[0]
    known = reference_of(base)
    rows = adapt.measure_house(base, texts, jobs=1)
    with threadpool_limits(limits=1):
        correction = adapt.Fitter(base, known).fit(rows.take(~out)).correction
    assert correction is not None
    classifier = dataclasses.replace(base.classifier, correction=correction)
    found = Detector(dataclasses.replace(base, classifier=classifier)).score_many(
        [text.text for text, chosen in zip(texts, out, strict=True) if chosen], depth="fast"
    )
    expected = done[0].answers.after["fast"][out]
    assert [verdict.score for verdict in found] == pytest.approx(expected, abs=2e-6)


def test_the_model_recognises_the_texts_that_it_learnt_from(
    base: Bundle, retrained: Bundle, texts: list[LabelledText]
) -> None:
    assert set(retrained.seen.tolist()) == {
        *base.seen.tolist(),
        *text_keys([text.text for text in texts]).tolist(),
    }
    assert (np.diff(retrained.seen.astype(object)) > 0).all()


def test_the_reference_of_the_base_is_kept(base: Bundle, retrained: Bundle) -> None:
    before, after = reference_of(base), reference_of(retrained)
    kept = after.take(~after.house)
    assert np.array_equal(before.labels, kept.labels)
    assert before.log_odds == pytest.approx(kept.log_odds)
    spread = before.features.std(axis=0)
    assert (np.abs(before.features - kept.features).mean(axis=0) <= 0.02 * spread + 1e-6).all()


def test_the_bundle_contains_no_text_and_no_file_name(done: tuple[Retrained, Path], texts: list[LabelledText]) -> None:
    content = b"".join(file.read_bytes() for file in done[1].iterdir())
    assert not any(text.text[:40].encode() in content for text in texts)
    assert not any(text.source.encode() in content or f'"{text.id}"'.encode() in content for text in texts)


def test_the_same_seed_gives_the_same_bytes(
    base: Bundle, done: tuple[Retrained, Path], texts: list[LabelledText], tmp_path: Path
) -> None:
    retrain(base, texts, tmp_path / "again", HOUSE)
    assert digests(tmp_path / "again") == digests(done[1])


def test_the_location_of_the_texts_changes_no_byte(
    base: Bundle, done: tuple[Retrained, Path], texts: list[LabelledText], tmp_path: Path
) -> None:
    moved = [dataclasses.replace(text, id=f"moved/{text.id}", source=f"moved/{text.source}") for text in texts]
    retrain(base, moved, tmp_path / "again", HOUSE)
    assert digests(tmp_path / "again") == digests(done[1])


def test_progress_is_reported_in_lines(base: Bundle, texts: list[LabelledText], tmp_path: Path) -> None:
    lines: list[str] = []
    retrain(base, [*texts, texts[0]], tmp_path / "house", HOUSE, report=lines.append)
    assert lines[0] == "left out 1: duplicates (human0)"
    assert lines[-1] == f"wrote {tmp_path / 'house'}"
    assert len(lines) == 5


# --- retraining again


def test_retraining_again_keeps_what_was_learnt(retrained: Bundle, tmp_path: Path) -> None:
    more = house_texts(12, seed=6)
    found = retrain(retrained, more, tmp_path / "second", dataclasses.replace(HOUSE, version="2.1"))
    second = bundle.load(tmp_path / "second")
    rows = reference_of(second)
    assert Counter(rows.labels[rows.house].tolist()) == {"human": 27, "spun": 27}
    assert set(retrained.seen.tolist()) < set(second.seen.tolist())
    assert found.manifest["retrained_from"]["version"] == "2.0"
    assert found.manifest["comparison"]["texts"] == {"human": 12, "spun": 12}  # only the new ones


def test_a_new_label_replaces_the_old_one(retrained: Bundle, texts: list[LabelledText], tmp_path: Path) -> None:
    mended = [dataclasses.replace(texts[0], label="rewritten"), *house_texts(12, seed=6)]
    retrain(retrained, mended, tmp_path / "second", HOUSE)
    rows = reference_of(bundle.load(tmp_path / "second"))
    labels = rows.labels[rows.keys == text_keys([texts[0].text])[0]]
    assert labels.tolist() == ["rewritten"]
    assert rows.house.sum() == 30 + 24


def test_texts_that_the_base_has_seen_are_not_measured(
    retrained: Bundle, texts: list[LabelledText], tmp_path: Path
) -> None:
    found = retrain(retrained, texts, tmp_path / "second", HOUSE)
    compared = found.manifest["comparison"]
    assert compared["texts"] == {}
    assert compared["tiers"] == {"fast": {"kinds": [], "all": None, "called": []}}
    assert not found.worse


def test_the_calibration_of_the_base_is_dropped(texts: list[LabelledText], tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", calibration=[{"word": "suspect"}], calibrated_from={"name": "tiny"})
    manifest = retrain(base, texts, tmp_path / "house", HOUSE).manifest
    assert not {"calibration", "calibrated_from"} & set(manifest)


def test_the_first_tier_is_left_out(base: Bundle, texts: list[LabelledText], tmp_path: Path) -> None:
    decision = tiny_first.manifest()["decision"]
    with_first = dataclasses.replace(base, first=tiny_first.tier(), decision=Decision.from_manifest(decision))
    said: list[str] = []
    retrain(with_first, texts, tmp_path / "house", HOUSE, report=said.append)
    retrained = bundle.load(tmp_path / "house")
    assert (retrained.first, "first" in retrained.decision.tiers) == (None, False)
    assert said[-2].startswith("left out the first tier")


# --- human text alone

ROWS = [
    *((word, f"{word}like", 1.0, tag) for word, tag in (("water", "NN"), ("train", "NN"), ("said", "VBD"))),
    *((word, other, 1.0, "NN") for word, other in (("night", "evening"), ("ball", "sphere"), ("snow", "frost"))),
    *((word, other, 1.0, "JJ") for word, other in (("old", "aged"), ("cold", "frigid"), ("long", "lengthy"))),
]


def tools(rows: list[tuple[str, str, float, str]]) -> Callable[[Path | None], dict[str, Spinner]]:
    """Return stand-ins for our paraphrasers, which take a minute to load."""
    spinner = Spinner("few words", (TableThesaurus("few words", rows),), Knobs(rate=(1.0, 1.0)))
    return lambda lexicons: dict.fromkeys(PARAPHRASERS, spinner)


def test_our_own_paraphrasers_make_the_machine_texts_if_all_are_human(
    base: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("wordfreq", reason="word frequencies: pip install wordfreq")
    monkeypatch.setattr(spinning, "_paraphrasers", tools(ROWS))
    lines: list[str] = []
    human = labelled("human", passages(30, sentences=12))
    found = retrain(base, human, tmp_path / "house", HOUSE, report=lines.append)
    made = found.manifest["house"]["data"]["sources"]["house"]
    assert made["human"] == 30
    assert 10 <= made["spun"] <= 30
    assert "no machine texts given; our own paraphrasers will make them from the human texts" in lines


def test_unchanged_text_does_not_count_as_spun(base: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spinning, "_paraphrasers", tools([("zeppelin", "airship", 1.0, "NN")]))
    with pytest.raises(TrainingError, match=r"too few of 0 machine texts can be used: none"):
        retrain(base, labelled("human", passages(12, sentences=12)), tmp_path / "house", HOUSE)


# --- unhelpful texts


def noise(base: Bundle, rows: list[LabelledText]) -> ReferenceTexts:
    """Return features that do not separate the labels, and log odds of the base that do."""
    rng = np.random.default_rng(0)
    found = adapt.measure_house(base, rows, jobs=1)
    machine = np.array([text.label != "human" for text in rows])
    log_odds = np.full((len(rows), 3), -6.0)
    log_odds[:, 0] = rng.normal(np.where(machine, 1.0, -1.0))
    shuffled = rng.permutation(found.features.ravel()).reshape(found.features.shape)
    return dataclasses.replace(found, features=shuffled, log_odds=log_odds)


def test_a_worse_model_is_written_and_says_so(
    base: Bundle, texts: list[LabelledText], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = noise(base, texts)
    monkeypatch.setattr(adapt, "measure_house", lambda *arguments, **options: rows)
    found = retrain(base, texts, tmp_path / "house", HOUSE)
    every = found.manifest["comparison"]["tiers"]["fast"]["all"]
    assert every["auroc_after"] < every["auroc_before"] - adapt.NOISE
    assert found.worse
    assert bundle.load(tmp_path / "house").manifest["comparison"]["worse"] is True


def test_kinds_with_too_few_texts_are_only_measured(base: Bundle, texts: list[LabelledText], tmp_path: Path) -> None:
    few = labelled("translated", passages(LEAST_TEXTS - 1, sentences=12, seed=9))
    lines: list[str] = []
    found = retrain(base, [*texts, *few], tmp_path / "house", HOUSE, report=lines.append)
    assert "7 translated texts are too few to learn from; they are only used to measure the model" in lines
    assert found.manifest["comparison"]["texts"]["translated"] == LEAST_TEXTS - 1
    correction = bundle.load(tmp_path / "house").classifier.correction
    assert correction is None or (correction.weights[:, 1] == 0.0).all()


def too_little(case: dict[str, Any]) -> list[LabelledText]:
    made = passages(sum(case["texts"].values()), sentences=12)
    if "alike" in case:
        made = [f"{made[i % case['alike']]} Copy {i} of it." for i in range(len(made))]
    texts: list[LabelledText] = []
    for label, count in case["texts"].items():
        texts += labelled(label, made[len(texts) : len(texts) + count])
    return texts


@pytest.mark.parametrize("case", cases("training/retraining_too_little.toml"), ids=why)
def test_too_few_texts_are_reported_in_one_line_and_nothing_is_written(
    case: dict[str, Any], base: Bundle, tmp_path: Path
) -> None:
    before = digests(base.folder)
    with pytest.raises(TrainingError) as refused:
        retrain(base, too_little(case), tmp_path / "house", HOUSE)
    assert case["message"] in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    assert digests(base.folder) == before


@pytest.mark.parametrize(
    ("reference", "message"),
    [({}, "does not contain the data that retraining needs"), ({"reference": {"features": []}}, "restore the model")],
    ids=["missing", "damaged"],
)
def test_a_base_without_intact_reference_texts_is_refused(
    base: Bundle, texts: list[LabelledText], tmp_path: Path, reference: dict[str, Any], message: str
) -> None:
    manifest = {name: value for name, value in base.manifest.items() if name != "reference"} | reference
    with pytest.raises(TrainingError, match=message):
        retrain(dataclasses.replace(base, manifest=manifest), texts, tmp_path / "house", HOUSE)


def test_a_long_name_among_the_reference_texts_is_refused(
    base: Bundle, texts: list[LabelledText], tmp_path: Path
) -> None:
    """numpy would give each text as much memory as the longest name takes."""
    reference = {**base.manifest["reference"], "sources": ["A" * 1_000_000]}
    with pytest.raises(TrainingError, match=r"a name of more than 1,000 characters.*; restore the model"):
        retrain(
            dataclasses.replace(base, manifest={**base.manifest, "reference": reference}), texts, tmp_path / "x", HOUSE
        )


@pytest.mark.parametrize("output", ["new", "old"])
def test_an_interruption_leaves_no_partial_model(
    base: Bundle, texts: list[LabelledText], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str
) -> None:
    """An existing model is unchanged even if writing is interrupted."""
    retrain(base, texts, tmp_path / "old", HOUSE)
    before = digests(tmp_path / "old")

    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("numpy.savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        retrain(base, house_texts(seed=6), tmp_path / output, HOUSE)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert digests(tmp_path / "old") == before


def test_a_model_can_be_retrained_in_its_own_folder(
    base: Bundle, texts: list[LabelledText], done: tuple[Retrained, Path], tmp_path: Path
) -> None:
    retrain(base, texts, tmp_path / "house", HOUSE)
    retrain(bundle.load(tmp_path / "house"), house_texts(12, seed=6), tmp_path / "house", HOUSE)
    assert reference_of(bundle.load(tmp_path / "house")).house.sum() == 54


# --- with a deep tier


def test_the_deep_tier_reads_the_labels_evenly() -> None:
    labels = np.array(["human"] * 50 + ["spun"] * 10)
    places = np.array(adapt._spread_evenly(labels.tolist(), 20))
    assert Counter(labels[places].tolist()) == {"human": 10, "spun": 10}
    assert np.diff(places[:10]).tolist() == [5] * 9
    assert adapt._spread_evenly(labels.tolist(), 60) == list(range(60))


@pytest.fixture(scope="module")
def deep_base(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_base(tmp_path_factory.mktemp("deep") / "base", with_deep=True)


def test_both_tiers_are_compared_and_corrected(deep_base: Bundle, texts: list[LabelledText], tmp_path: Path) -> None:
    found = retrain(deep_base, texts, tmp_path / "house", HOUSE)
    assert list(found.manifest["comparison"]["tiers"]) == ["fast", "deep"]
    loaded = bundle.load(tmp_path / "house")
    assert loaded.classifier.correction is not None
    for depth in ("fast", "deep"):
        before, after = (Detector(model).measure([texts[-1].text], depth=depth) for model in (deep_base, loaded))
        first, second = (answers.fast if depth == "fast" else answers.deep for answers in (before, after))
        assert first is not None
        assert second is not None
        added = loaded.classifier.correction.log_odds(before.measured.documents)
        assert second - first == pytest.approx(added)


@pytest.mark.parametrize("depth", ["fast", "deep"])
def test_the_fitters_scores_are_those_of_the_detector(deep_base: Bundle, texts: list[LabelledText], depth: str) -> None:
    found = adapt.Fitter(deep_base, reference_of(deep_base)).scores(measured(deep_base, texts[:3]))[depth]
    scored = [Detector(deep_base).score(text.text, depth=depth).score for text in texts[:3]]
    assert scored == pytest.approx(found.tolist(), abs=2e-6)


def test_texts_that_the_deep_tier_did_not_read_are_learnt_from_but_not_measured(
    deep_base: Bundle, texts: list[LabelledText], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(adapt, "DEEP_TEXTS", 20)
    found = retrain(deep_base, texts, tmp_path / "house", HOUSE)
    assert found.manifest["comparison"]["texts"] == {"human": 10, "spun": 10}
    rows = reference_of(bundle.load(tmp_path / "house"))
    assert rows.house.sum() == 30
    assert np.isnan(rows.deep[rows.house]).all(axis=1).sum() == 10


def test_the_order_of_texts_is_kept_if_the_deep_tier_reads_only_some(
    deep_base: Bundle, texts: list[LabelledText], monkeypatch: pytest.MonkeyPatch
) -> None:
    every = adapt.measure_house(deep_base, texts, jobs=1)
    monkeypatch.setattr(adapt, "DEEP_TEXTS", 7)
    some = adapt.measure_house(deep_base, texts, jobs=1)
    assert some.keys.tolist() == every.keys.tolist()
    assert some.labels.tolist() == every.labels.tolist()
    assert some.log_odds == pytest.approx(every.log_odds, abs=1e-12)


def test_two_processes_give_the_same_bytes(
    deep_base: Bundle, texts: list[LabelledText], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evidence, "CHUNK", 8)  # several chunks, so that both processes read
    for jobs in (1, 2):
        retrain(deep_base, texts, tmp_path / str(jobs), dataclasses.replace(HOUSE, jobs=jobs))
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


# --- unfamiliar text


def test_unfamiliar_texts_are_learnt_from_but_not_measured(
    base: Bundle, texts: list[LabelledText], tmp_path: Path
) -> None:
    rows = adapt.measure_house(base, texts, jobs=1)
    decision = dataclasses.replace(base.decision, least_familiar=float(np.median(rows.unfamiliar)))
    lines: list[str] = []
    found = retrain(dataclasses.replace(base, decision=decision), texts, tmp_path / "house", HOUSE, report=lines.append)
    compared = found.manifest["comparison"]
    assert compared["unfamiliar"] == int((rows.unfamiliar > decision.least_familiar).sum()) > 0
    assert sum(compared["texts"].values()) + compared["unfamiliar"] == len(texts)
    assert any(f"{compared['unfamiliar']} texts are too unfamiliar for a verdict" in line for line in lines)
    assert reference_of(bundle.load(tmp_path / "house")).house.sum() == len(texts)
