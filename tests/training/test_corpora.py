"""training/corpora/corpus.py: reading labelled text, and grouping the versions of one original."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases, why
from tests.reading.support import FORMATS, write
from unspun.reading.records import Failure, Omissions
from unspun.training.corpora.corpus import (
    CorpusError,
    LabelledText,
    assign_groups,
    clean,
    domain_group,
    fingerprint,
    read_labelled,
)

STORY = (
    "The ferry to the island leaves at nine, and on most mornings nobody is on it but the postman, two dogs "
    "and a crate of lettuce that the hotel ordered the week before and will send back again."
)
OTHER = (
    "Our town has three bakers and one of them still fires his oven with beech from the hill behind the "
    "school, which is why half of the children smell of smoke until noon."
)


def text(identifier: str, words: str, **fields: Any) -> LabelledText:
    return LabelledText(**{"id": identifier, "label": "human", "source": "s", "text": words, **fields})


# Reading


def test_a_record_keeps_every_field(tmp_path: Path) -> None:
    record = {
        "id": "7",
        "label": "spun",
        "source": "shop",
        "text": "tiny",
        "tool": "t",
        "method": "m",
        "domain": "d",
        "site": "example.org",
        "original": "small",
        "original_is_human": True,
        "changed_frac": 0.5,
        "family": "A",
        "year": "2014",
    }
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert list(read_labelled([path])) == [LabelledText(**record, group="site:example.org")]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_with_a_label(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FORMATS[name](STORY))
    [text] = read_labelled([tmp_path], "spun")
    assert (text.label, text.text.strip()) == ("spun", STORY)


def test_strings_of_a_csv_file_are_converted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,label,text,original_is_human,changed_frac\n1,spun,"two\nlines",true,0.5\n')
    assert list(read_labelled([tmp_path])) == [
        LabelledText("1", "spun", "a", "two\nlines", original_is_human=True, changed_frac=0.5)
    ]


def test_the_callers_label_is_that_of_records_without_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,text\nHuman,a\n,b\n", encoding="utf-8")
    assert [read.label for read in read_labelled([tmp_path], "spun")] == ["human", "spun"]


def test_the_callers_label_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="'machine' is not one of"):
        list(read_labelled([tmp_path], "machine"))


def test_texts_in_one_folder_are_from_one_source(tmp_path: Path) -> None:
    names = ["2014/a.txt", "2014/b.txt", "2015/may/c.txt", "d.txt", "e.txt"]
    write(*(tmp_path / name for name in names))
    sources = [read.source for read in read_labelled([tmp_path], "human")]
    # A file that is not in a subfolder is a source of its own.
    assert sources == ["2014", "2014", "2015/may", f"{tmp_path}/d.txt", f"{tmp_path}/e.txt"]


def test_folders_are_read_recursively_and_sorted(tmp_path: Path) -> None:
    write(*(tmp_path / name for name in ("b/2.txt", "a.txt", "b/1.txt", "c.md", "README", "d.png", ".hidden.txt")))
    read = [text.id for text in read_labelled([tmp_path], "human")]
    assert read == [f"{tmp_path}/{name}" for name in ("a.txt", "b/1.txt", "b/2.txt", "c.md")]


def test_the_readme_of_a_corpus_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "README.md")
    (tmp_path / "a.jsonl").write_text('{"label": "human", "text": "a"}\n', encoding="utf-8")
    assert [read.text for read in read_labelled([tmp_path])] == ["a"]


def test_empty_texts_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"label": "human", "text": " \\n"}\n\n{"label": "human", "text": "a"}\n', encoding="utf-8")
    skipped = Omissions()
    assert [read.id for read in read_labelled([path], skipped=skipped)] == [f"{path}#3"]
    assert list(map(str, skipped.first)) == [f"{path}:1: no text"]


# Broken files


@pytest.fixture(params=cases("training/broken_corpora.toml"), ids=why)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Return the path of a file that cannot be read and the expected message, which names it."""
    case: dict[str, Any] = request.param
    path = tmp_path / case["file"]
    if "content" in case:
        path.write_text(case["content"], encoding="utf-8")
    elif "hex" in case:
        path.write_bytes(bytes.fromhex(case["hex"]))
    return path, f"{tmp_path}/{case['message']}"


def test_a_broken_file_is_refused(broken: tuple[Path, str]) -> None:
    path, message = broken
    with pytest.raises(CorpusError) as caught:
        list(read_labelled([path]))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_broken_file_is_reported_and_the_others_are_read(broken: tuple[Path, str], tmp_path: Path) -> None:
    path, message = broken
    good = tmp_path / "good.jsonl"
    good.write_text('{"label": "human", "text": "good"}\n', encoding="utf-8")
    reported: list[Failure] = []
    read = list(read_labelled([good, path, good], report=reported.append))
    assert [text.text for text in read].count("good") == 2
    assert str(reported[0]).startswith(message)
    assert not [failure for failure in reported if "\n" in str(failure)]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no documents in this folder \(looked for \.txt"):
        list(read_labelled([tmp_path], "human"))


def test_a_broken_record_affects_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"label": "human", "text": "good"}'
    many_digits = '{"text": "a", "n": ' + "9" * 5000 + "}"
    path.write_text("\n".join([good, "{", "[1]", '{"id": "x"}', '{"text": "a"}', many_digits, good]), encoding="utf-8")
    reported: list[Failure] = []
    assert [text.text for text in read_labelled([path], report=reported.append)] == ["good", "good"]
    assert [failure.where for failure in reported] == [f"{path}:{line}" for line in (2, 3, 4, 5, 6)]


# Anonymisation marks


@pytest.mark.parametrize(
    ("source", "essay", "cleaned"),
    [
        (
            "asap_backtranslation_fr",
            "I went home. Then @PERSON1 called me at @NUM2! Was it late? It was. @CAPS1 cool.",
            "I went home. Was it late? It was.",
        ),
        # Marks that the translation changed.
        ("asap_backtranslation_fr", "We met. In @ MONTHS1 it rained. The CAPS10 can too.", "We met."),
        ("blogs_2004", "Write to @PERSON1 today.", "Write to @PERSON1 today."),
    ],
)
def test_sentences_with_anonymisation_marks_are_removed(source: str, essay: str, cleaned: str) -> None:
    assert clean(essay, source) == cleaned


# Groups


def test_versions_of_one_original_are_one_group() -> None:
    spun = STORY.replace("postman", "mail carrier").replace("crate", "box").replace("mornings", "dawns")
    rewritten = "Every morning the boat goes over nearly empty."
    texts = [
        text("human", STORY),
        text("other", OTHER),
        text("spun", spun, original=STORY),
        text("rewritten", rewritten, original=STORY),
    ]
    assert assign_groups(texts).tolist() == [0, 1, 0, 0]


def test_an_excerpt_is_in_the_group_of_the_whole_text() -> None:
    texts = [text("whole", f"{OTHER} {STORY}"), text("excerpt", STORY)]
    assert assign_groups(texts).tolist() == [0, 0]


def test_texts_that_state_the_same_group_are_one_group() -> None:
    texts = [text("a", STORY, group="site:x"), text("b", "Nothing alike."), text("c", OTHER, group="site:x")]
    assert assign_groups(texts).tolist() == [0, 1, 0]


def test_a_footer_in_many_texts_does_not_join_them() -> None:
    footer = "This article was first printed in the Monday edition of our little newspaper and is free to share."
    starts = [" ".join(f"{word}{number}" for word in OTHER.split()[:10]) for number in range(100)]
    texts = [text(str(number), f"{start} {footer}") for number, start in enumerate(starts)]
    assert len(set(assign_groups(texts).tolist())) == len(texts)


def test_no_texts_have_no_groups() -> None:
    assert assign_groups([]).shape == (0,)


@given(st.lists(st.text(), max_size=6))
def test_groups_are_numbered_from_zero(contents: list[str]) -> None:
    groups = assign_groups([text(str(number), content) for number, content in enumerate(contents)])
    assert groups.dtype == np.int32
    seen = list(dict.fromkeys(groups.tolist()))
    assert seen == list(range(len(seen)))


def test_wmt_translations_of_one_document_are_one_group(tmp_path: Path) -> None:
    path = tmp_path / "wmt_mt_docs.jsonl"
    records = [
        {"id": "wmt22-ru-news_178-Online-W", "tool": "Online-W (ru-en, WMT22)"},
        {"id": "wmt22-ru-news_178-SRPOL", "tool": "SRPOL (ru-en, WMT22)"},
        {"id": "wmt22-ru-news_179-SRPOL", "tool": "SRPOL (ru-en, WMT22)"},
    ]
    lines = [
        json.dumps({**record, "source": "wmt_mt_docs", "label": "translated", "text": f"word{n}"})
        for n, record in enumerate(records)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert assign_groups(list(read_labelled([path]))).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("domain", "group"),
    [
        ("XSum news (LLM-written original: ChatGPT)", "news"),
        ("student essay (grades 7-10)", "essay"),
        ("arXiv abstract", "science"),
        ("blog post: digital marketing", "business"),
        ("masc_non-fiction", "essay"),
        ("gardening", "other"),
        (None, "other"),
    ],
)
def test_domain_group(domain: str | None, group: str) -> None:
    assert domain_group(text("a", "a", domain=domain)) == group


# Fingerprints


def test_a_fingerprint_does_not_depend_on_order_and_contains_no_text() -> None:
    texts = [text("a", STORY), text("b", OTHER, source="t", label="spun")]
    print_ = fingerprint(texts)
    assert print_ == fingerprint(texts[::-1])
    assert print_["texts"] == 2
    assert print_["sources"] == {"s": {"human": 1}, "t": {"spun": 1}}
    assert "ferry" not in json.dumps(print_)


def test_a_fingerprint_changes_with_a_letter() -> None:
    assert fingerprint([text("a", "a")])["sha256"] != fingerprint([text("a", "b")])["sha256"]
