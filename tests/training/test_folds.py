"""training/folds.py: no encoder judges a text whose tool, source or original it has learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from training.corpora import LabelledText, tool_family
from training.folds import part_by_tool

COUNT = 3


def text(number: int, label: str, source: str, tool: str | None = None) -> LabelledText:
    return LabelledText(id=str(number), label=label, source=source, text=f"text {number} of {source}", tool=tool)  # type: ignore[arg-type]


@pytest.fixture
def parted() -> tuple[list[LabelledText], np.ndarray, list[np.ndarray], list[np.ndarray]]:
    texts: list[LabelledText] = []
    groups: list[int] = []
    for source in ("essays", "novels", "news", "blogs"):  # human text that nothing was made from
        for number in range(9):
            texts.append(text(number, "human", source))
            groups.append(len(groups))
    for number in range(30):  # originals of which two tools made something
        for label, source, tool in (
            ("human", "abstracts", None),
            ("translated", "pairs", "deepl"),
            ("rewritten", "pairs", "dipper"),
        ):
            texts.append(text(number, label, source, tool))
            groups.append(1000 + number)
    for tool in ("pwws", "spinbot", "wordai"):
        for number in range(9):
            texts.append(text(number, "spun", f"of {tool}", tool))
            groups.append(2000 + len(texts))
    group = np.unique(np.array(groups), return_inverse=True)[1].astype(np.int32)
    folds = part_by_tool(texts, group, COUNT)
    return texts, group, [folds.learns(k) for k in range(COUNT)], [folds.judges(k) for k in range(COUNT)]


def test_no_text_is_learnt_from_and_judged_by_one_encoder(parted) -> None:
    _, _, learns, judges = parted
    assert not any((a & b).any() for a, b in zip(learns, judges, strict=True))


def test_no_original_is_on_both_sides(parted) -> None:
    _, groups, learns, judges = parted
    assert not any(np.intersect1d(groups[a], groups[b]).size for a, b in zip(learns, judges, strict=True))


def test_no_tool_is_on_both_sides(parted) -> None:
    texts, _, learns, judges = parted
    tools = np.array([tool_family(text) for text in texts])
    machine = tools != "human"
    assert not any(
        np.intersect1d(tools[a & machine], tools[b & machine]).size for a, b in zip(learns, judges, strict=True)
    )


def test_no_source_of_free_human_text_is_on_both_sides(parted) -> None:
    texts, _, learns, judges = parted
    free = np.array([text.source in ("essays", "novels", "news", "blogs") for text in texts])
    sources = np.array([text.source for text in texts])
    assert not any(
        np.intersect1d(sources[a & free], sources[b & free]).size for a, b in zip(learns, judges, strict=True)
    )


def test_every_human_text_is_judged_once(parted) -> None:
    texts, _, _, judges = parted
    human = np.array([text.label == "human" for text in texts])
    assert (np.sum(judges, axis=0)[human] == 1).all()


def test_every_tool_is_judged(parted) -> None:
    texts, _, _, judges = parted
    judged = np.logical_or.reduce(judges)
    tools = np.array([tool_family(text) for text in texts])
    assert set(tools[judged]) == set(tools)


def test_an_encoder_learns_the_originals_of_the_tools_that_it_knows(parted) -> None:
    texts, groups, learns, _ = parted
    sources = np.array([text.source for text in texts])
    for learnt in learns:
        of_tools = np.unique(groups[learnt & (sources == "pairs")])
        assert np.isin(of_tools, groups[learnt & (sources == "abstracts")]).all()
