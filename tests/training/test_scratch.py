"""training/retraining/scratch.py: roles, the model, and figures on held-out texts."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tables as tiny
from tests.tables import digests
from tests.training.passages import passages
from tests.training.small import RECIPE, require_resources, small_resources
from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.training.calibration.reference import ARRAY, ReferenceTexts
from unspun.training.classifier.fast_tier import TrainingError
from unspun.training.corpora.corpus import LabelledText, text_keys
from unspun.training.reporting.card import CARD, render_card
from unspun.training.retraining.scratch import LEAST_ROLE, UNNAMED, SharedTexts, share_out, train_from_scratch


def text(number: int, label: str = "human", source: str = "web", **fields: Any) -> LabelledText:
    """Return a text that no other overlaps."""
    words = " ".join(f"{label}{number}x{i}" for i in range(80))
    return LabelledText(f"{source}/{label}{number}", label, source, words, **fields)  # type: ignore[arg-type]


def roles(shared: SharedTexts) -> dict[str, str | None]:
    return {one.id: role for role, some in shared.by_role.items() for one in some}


# --- sources


def human(sources: int, each: int = 40) -> list[LabelledText]:
    return [text(i, source=f"site{n}") for n in range(sources) for i in range(n * each, (n + 1) * each)]


def spun(people: list[LabelledText], **fields: Any) -> list[LabelledText]:
    """Return a spun version of each text; its id is "m" and the number of the text."""
    return [
        dataclasses.replace(
            one, **{"id": f"m{i}", "label": "spun", "source": "spinner", "text": f"Now {one.text} then.", **fields}
        )
        for i, one in enumerate(people)
    ]


def test_with_five_sources_or_more_whole_sources_are_held_out() -> None:
    shared = share_out(human(10))
    assert (shared.unit, shared.origins) == ("source", 10)
    of_role = {role: {one.source for one in some} for role, some in shared.by_role.items()}
    assert {role: len(sources) for role, sources in of_role.items()} == {"train": 6, "calibrate": 2, "test": 2, None: 0}


def test_with_fewer_sources_single_texts_are_held_out() -> None:
    shared = share_out(human(4, each=100))
    assert (shared.unit, shared.origins) == ("text", 4)
    assert {one.source for one in shared.by_role["test"]} == {f"site{n}" for n in range(4)}
    counts = {role: len(some) for role, some in shared.by_role.items() if role}
    assert counts == pytest.approx({"train": 240, "calibrate": 80, "test": 80}, abs=30)


def test_files_in_one_folder_are_one_source() -> None:
    """Their file names are sources too, but say nothing about where the texts are from."""
    shared = share_out([text(i, source=f"{i}.txt") for i in range(100)])
    assert (shared.unit, shared.origins) == ("text", 1)


def test_sources_with_few_texts_are_not_held_out_as_a_whole() -> None:
    shared = share_out(human(5, each=LEAST_ROLE - 1))
    assert shared.unit == "text"


def test_versions_of_one_original_have_the_same_role() -> None:
    people = human(2, each=60)
    found = roles(share_out([*people, *spun(people, group=None)]))
    assert all(found[one.id] == found[f"m{i}"] for i, one in enumerate(people))
    assert set(found.values()) == {"train", "calibrate", "test"}


def test_machine_text_goes_with_the_source_of_its_original() -> None:
    people = human(6)
    shared = share_out([*people, *spun(people)])
    assert shared.unit == "source"
    found = roles(shared)
    assert all(found[one.id] == found[f"m{i}"] for i, one in enumerate(people))


def test_roles_do_not_depend_on_the_order_of_texts() -> None:
    texts = [*human(7), *machine("spun", 4)]
    assert roles(share_out(texts)) == roles(share_out(texts[::-1]))


# --- makers


def machine(kind: str, tools: int, each: int = 40) -> list[LabelledText]:
    return [
        text(i, kind, source=f"{kind} pages", tool=f"{kind} tool {n}")
        for n in range(tools)
        for i in range(n * each, (n + 1) * each)
    ]


def test_with_three_makers_of_a_kind_or_more_whole_makers_are_held_out() -> None:
    shared = share_out([*human(10), *machine("spun", 5), *machine("translated", 2)])
    assert shared.held_out == ("spun",)
    tools = {role: {one.tool for one in some if one.label == "spun"} for role, some in shared.by_role.items()}
    assert Counter(len(names) for role, names in tools.items() if role) == {3: 1, 1: 2}
    assert not tools["train"] & (tools["calibrate"] | tools["test"])
    assert {one.label for one in shared.by_role["test"]} == {"human", "spun", "translated"}


def test_texts_whose_source_and_maker_have_different_roles_are_left_out() -> None:
    people = human(10)
    made = [dataclasses.replace(one, tool=f"tool {i % 3}") for i, one in enumerate(spun(people))]
    shared = share_out([*people, *made])
    assert shared.by_role[None]
    assert all(one.label == "spun" for one in shared.by_role[None])
    for role in ("train", "calibrate", "test"):
        assert len({one.tool for one in shared.by_role[role] if one.label == "spun"}) == 1


def test_makers_with_few_texts_are_not_held_out() -> None:
    assert share_out([*human(10), *machine("spun", 3, each=LEAST_ROLE - 1)]).held_out == ()


def test_texts_that_do_not_name_a_tool_have_one_maker() -> None:
    unnamed = [text(i, "spun", source="spinner") for i in range(100)]
    assert share_out([*human(10), *unnamed]).held_out == ()


# --- a small model


@pytest.fixture(scope="module", autouse=True)
def resources() -> Iterator[None]:
    require_resources()
    with small_resources():
        yield


@pytest.fixture(scope="module")
def texts() -> list[LabelledText]:
    """Return texts of six human sources and two kinds of machine, each with its own style."""
    made = passages(260, sentences=8)
    people = [LabelledText(f"h{i}", "human", f"site{i % 6}", one) for i, one in enumerate(made[:180])]
    spun_texts = [
        LabelledText(f"s{i}", "spun", "web", one.replace(" the ", " that ").replace(" a ", " one "))
        for i, one in enumerate(made[180:220])
    ]
    rewritten = [
        LabelledText(f"r{i}", "rewritten", "web", one.replace(" and ", ", moreover "), tool="dipper")
        for i, one in enumerate(made[220:])
    ]
    return [*people, *spun_texts, *rewritten]


@pytest.fixture(scope="module")
def trained(texts: list[LabelledText], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a bundle trained from scratch, and the lines that were reported."""
    folder = tmp_path_factory.mktemp("trained")
    lines: list[str] = []
    train_from_scratch(texts, folder / "bundle", RECIPE, report=lines.append)
    return folder / "bundle", lines


def test_the_bundle_loads_and_scores(trained: tuple[Path, list[str]]) -> None:
    found = Detector.load(trained[0]).score(tiny.ARTICLE)
    assert found.model.name == "small"
    assert found.depth == "fast"


def test_the_card_is_that_of_the_manifest(trained: tuple[Path, list[str]]) -> None:
    card = (trained[0] / CARD).read_text("utf-8")
    assert card == render_card(bundle.load(trained[0]).manifest)
    assert "Measured on human sources that no part of the model was fitted on." in card


def test_only_train_texts_are_learned_from(trained: tuple[Path, list[str]], texts: list[LabelledText]) -> None:
    loaded = bundle.load(trained[0])
    learned = share_out(texts).by_role["train"]
    assert set(loaded.seen.tolist()) == set(text_keys([one.text for one in learned]).tolist())
    assert loaded.manifest["data"]["texts"] == len(learned)


def test_the_manifest_says_what_each_part_was_fitted_on(
    trained: tuple[Path, list[str]], texts: list[LabelledText]
) -> None:
    fitted = bundle.load(trained[0]).manifest["fitted_on"]
    by_role = share_out(texts).by_role
    for part, role in (("classifier", "train"), ("decision", "calibrate")):
        assert fitted[part]["role"] == role
        assert set(fitted[part]["sources"]) == {one.source for one in by_role[role]}
    assert not {*fitted["classifier"]["sources"]} & {one.source for one in by_role["test"] if one.label == "human"}


def test_the_figures_are_measured_on_test_texts(trained: tuple[Path, list[str]], texts: list[LabelledText]) -> None:
    test = share_out(texts).by_role["test"]
    accuracy = bundle.load(trained[0]).manifest["accuracy"]
    assert accuracy["found"]["note"].startswith("Measured on human sources that no part of the model was fitted on.")
    found = {(row["kind"], row["tool"]): row["texts"] for row in accuracy["found"]["rows"]}
    assert found == {
        ("spun", UNNAMED): sum(one.label == "spun" for one in test),
        ("rewritten", "dipper"): sum(one.label == "rewritten" for one in test),
    }
    every = accuracy["false positives"]["rows"][0]
    assert (every["source"], every["texts"]) == ("all", sum(one.label == "human" for one in test))


def test_it_can_be_retrained(trained: tuple[Path, list[str]]) -> None:
    loaded = bundle.load(trained[0])
    rows = ReferenceTexts.unpack(bundle.read_extra(loaded, ARRAY), loaded.manifest["reference"])
    assert set(rows.labels.tolist()) == {"human", "spun", "rewritten"}
    assert np.isnan(rows.deep).all()
    assert rows.names == tuple(loaded.manifest["features"])


def test_the_roles_are_reported(trained: tuple[Path, list[str]], texts: list[LabelledText]) -> None:
    by_role = share_out(texts).by_role
    counts = ", ".join(f"{len(by_role[role])} {role}" for role in ("train", "calibrate", "test"))
    assert f"roles by source: {counts}" in trained[1]
    assert trained[1][-1] == f"wrote {trained[0]}"


def test_the_manifest_is_strict_json(trained: tuple[Path, list[str]]) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} in the manifest")

    json.loads((trained[0] / bundle.MANIFEST).read_text("utf-8"), parse_constant=refuse)


def test_other_test_texts_change_only_the_figures(
    trained: tuple[Path, list[str]], texts: list[LabelledText], tmp_path: Path
) -> None:
    test = {one.id for one in share_out(texts).by_role["test"] if one.label == "human"}
    other = [dataclasses.replace(one, text=f"Delves moreover. {one.text}") if one.id in test else one for one in texts]
    train_from_scratch(other, tmp_path / "other", RECIPE)
    first, second = digests(trained[0]), digests(tmp_path / "other")
    assert {name for name in first if first[name] != second.get(name)} <= {bundle.MANIFEST}
    manifests = [dict(bundle.load(folder).manifest) for folder in (trained[0], tmp_path / "other")]
    for manifest in manifests:
        del manifest["accuracy"]
    assert manifests[0] == manifests[1]


def test_our_own_paraphrasers_make_the_machine_texts_if_all_are_human(
    texts: list[LabelledText], tmp_path: Path
) -> None:
    people = [dataclasses.replace(one, source=f"{one.id}.txt") for one in texts if one.label == "human"]
    train_from_scratch(people, tmp_path / "bundle", RECIPE)
    accuracy = bundle.load(tmp_path / "bundle").manifest["accuracy"]
    assert {row["kind"] for row in accuracy["found"]["rows"]} == {"spun"}
    assert all(row["tool"].startswith("unspun:") for row in accuracy["found"]["rows"])
    note = accuracy["found"]["note"]
    assert "Measured on other texts of the same source; the figures say nothing about other sources." in note
    assert "The spun texts are by our own paraphrasers" in note


def test_texts_that_are_left_out_are_reported(texts: list[LabelledText], tmp_path: Path) -> None:
    lines: list[str] = []
    few = [text(i, "translated", source="pages") for i in range(4)]
    essays = [text(i, "llm", source="essays") for i in range(3)]
    with pytest.raises(TrainingError):  # there are too few human texts
        train_from_scratch([*texts[:20], *few, *essays], tmp_path / "bundle", RECIPE, report=lines.append)
    assert lines[0].startswith("left out 3: labelled llm")
    assert any("translated texts are too few to learn from" in line for line in lines)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (lambda one: one.label != "human", "only 0 human texts are left to set the thresholds"),
        (lambda one: one.id in {f"h{i}" for i in range(25)}, "are needed"),
    ],
    ids=["no human text", "a few"],
)
def test_too_few_texts_are_reported_in_one_line_and_nothing_is_written(
    texts: list[LabelledText], chosen: Any, said: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=said) as refused:
        train_from_scratch([one for one in texts if chosen(one)], tmp_path / "bundle", RECIPE)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
