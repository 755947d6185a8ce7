import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.text.boilerplate import load_boilerplate
from unspun.model.text.document import Documents, TokenClass

PAGES = cases("model/prose.toml", "page")


def read_page(case: dict[str, Any]) -> tuple[str, list[tuple[int, int, str]]]:
    """Return the text of a page, and the offsets and the expected kind of each line that is not blank."""
    text = ""
    lines = []
    for line in case["lines"].strip("\n").splitlines():
        kind, _, content = line.partition("|")
        content = content[1:]
        if content:
            lines.append((len(text), len(text) + len(content), kind.strip()))
        text += content + "\n"
    return text.removesuffix("\n"), lines


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case["name"])
def test_lines_are_kept_or_left_out(case: dict[str, Any]) -> None:
    text, lines = read_page(case)
    documents = Documents.parse([text])
    words = documents.token_class == TokenClass.WORD
    for start, end, kind in lines:
        in_line = (documents.token_start >= start) & (documents.token_start < end)
        kept = documents.token_prose[in_line if kind in ("table", "code") else in_line & words]
        expected = {"prose": {True}, "mixed": {True, False}, "rule": set()}.get(kind, {False})
        assert set(kept.tolist()) == expected, text[start:end]


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case["name"])
def test_lines_left_out_are_counted_by_kind(case: dict[str, Any]) -> None:
    text, lines = read_page(case)
    expected = Counter(kind for _, _, kind in lines if kind not in ("prose", "mixed", "rule"))
    assert Documents.parse([text]).excluded == (expected,)


@pytest.mark.parametrize("phrase", load_boilerplate().anywhere)
def test_phrases_are_folded(phrase: str) -> None:
    assert phrase == phrase.lower()
    assert not re.search("[’“”]", phrase)


def test_boilerplate_sentence_leaves_the_rest_of_its_line() -> None:
    documents = Documents.parse(["The plan has failed. Click here to read more. Nobody was surprised by that."])
    left_out = [word for word, kept in zip(documents.words(), documents.token_prose, strict=True) if not kept]
    assert left_out == ["click", "here", "to", "read", "more", "."]


def test_only_addresses_are_left_out() -> None:
    documents = Documents.parse(["We met (see http://a.org/x?y=1) and wrote to jo.doe@b.co.uk about it."])
    left_out = [word for word, kept in zip(documents.words(), documents.token_prose, strict=True) if not kept]
    assert " ".join(left_out) == "http : / / a . org / x ? y = 1 ) jo . doe @ b . co . uk"


@given(st.lists(st.sampled_from(["Read more", "a | b | c", "x = f(y);", "- item", "We went home.", "", "Title"])))
def test_counts_never_exceed_the_lines(lines: list[str]) -> None:
    excluded = Documents.parse(["\n".join(lines)]).excluded[0]
    assert sum(excluded.values()) <= len(lines)


def test_a_tick_before_another_text_is_no_fence() -> None:
    texts = ["The sun rose over the harbour.\n`", "``` and that was all."]
    assert Documents.parse(texts).excluded == tuple(Documents.parse([text]).excluded[0] for text in texts) == ({}, {})


@given(st.lists(st.sampled_from(["The sun rose.", "It was late, and we were tired.", '"No," she said.']), max_size=9))
def test_sentences_are_always_prose(lines: list[str]) -> None:
    documents = Documents.parse(["\n".join(lines), "\n\n".join(lines), " ".join(lines)])
    assert np.all(documents.token_prose)


@pytest.mark.shared
def test_hardly_any_words_of_clean_articles_are_left_out(corpora: dict[str, dict[str, list[str]]]) -> None:
    for name, texts in corpora["human"].items():
        documents = Documents.parse(texts)
        words = (documents.token_class == TokenClass.WORD) & ~documents.token_foreign
        left_out = np.count_nonzero(words & ~documents.token_prose)
        # Whole pages, of which 2 % is not article text, and privacy policies, which have paragraphs about cookies.
        most = 0.03 if name.startswith(("wild_reports_human", "policies_markdown")) else 0.01
        assert left_out < most * np.count_nonzero(words), name
