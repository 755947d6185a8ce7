"""training/corpora/corpus.py: reading labelled text and keeping together what belongs together."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspun.training.corpora.corpus import (
    CorpusError,
    LabelledText,
    assign_groups,
    clean,
    domain_group,
    fingerprint,
    read_labelled,
)

DATA = Path(__file__).parents[1] / "data" / "training"
BROKEN: list[dict[str, Any]] = tomllib.loads((DATA / "broken_corpora.toml").read_text(encoding="utf-8"))["case"]

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


def test_reads_json_lines_with_every_field(tmp_path: Path) -> None:
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
    }
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert list(read_labelled([path])) == [LabelledText(**record, group="site:example.org")]


def test_reads_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,label,text,original_is_human\n1,spun,"two\nlines",true\n', encoding="utf-8")
    [read] = read_labelled([path])
    assert (read.id, read.label, read.source, read.text) == ("1", "spun", "a", "two\nlines")
    assert read.original_is_human is True


def test_reads_a_csv_cell_longer_than_the_default_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("label,text\nhuman," + "word " * 40_000 + "\n", encoding="utf-8")
    [read] = read_labelled([path])
    assert len(read.text) == 200_000


def test_reads_plain_text_as_one_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("One.\n\nTwo.\n", encoding="utf-8")
    [read] = read_labelled([path], "human")
    assert (read.id, read.text) == (str(path), "One.\n\nTwo.\n")


def test_the_callers_label_overrides_the_records(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"label": "human", "text": "a"}\n', encoding="utf-8")
    [read] = read_labelled([path], "spun")
    assert read.label == "spun"


def test_the_callers_label_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="'machine' is not one of"):
        list(read_labelled([tmp_path], "machine"))


def test_reads_gzip_as_plain(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"label": "human", "text": "a"}\n'))
    [read] = read_labelled([path])
    assert (read.source, read.id) == ("a", f"{path}#1")


def test_reads_folders_in_full_and_sorted(tmp_path: Path) -> None:
    for name in ("b/2.txt", "a.txt", "b/1.txt", "notes.md", ".hidden.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert [read.text for read in read_labelled([tmp_path], "human")] == ["a.txt", "b/1.txt", "b/2.txt"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert len(list(read_labelled([tmp_path], "human"))) == 1


def test_empty_texts_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"label": "human", "text": " \\n"}\n\n{"label": "human", "text": "a"}\n', encoding="utf-8")
    assert [read.id for read in read_labelled([path])] == [f"{path}#3"]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no \.jsonl, \.csv, \.txt"):
        list(read_labelled([tmp_path], "human"))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file or folder"):
        list(read_labelled([tmp_path / "nothing.jsonl"]))


def test_another_encoding_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("café".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"a\.txt: not UTF-8"):
        list(read_labelled([path], "human"))


@pytest.mark.parametrize("case", BROKEN, ids=[case["why"] for case in BROKEN])
def test_broken_files_are_named(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / case["file"]
    path.write_text(case["content"], encoding="utf-8")
    with pytest.raises(CorpusError) as caught:
        list(read_labelled([path]))
    assert case["message"] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sentences_with_anonymisation_marks_are_left_out() -> None:
    essay = "I went home. Then @PERSON1 called me at @NUM2! Was it late? It was. @CAPS1 cool."
    assert clean(essay, "asap_backtranslation_fr") == "I went home. Was it late? It was."


def test_marks_that_translation_mangled_are_found() -> None:
    assert clean("We met. In @ MONTHS1 it rained. The CAPS10 can too.", "asap_backtranslation_fr") == "We met."


def test_other_sources_keep_their_at_signs() -> None:
    assert clean("Write to @PERSON1 today.", "blogs_2004") == "Write to @PERSON1 today."


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


def test_an_excerpt_is_in_the_group_of_the_whole() -> None:
    texts = [text("whole", f"{OTHER} {STORY}"), text("excerpt", STORY)]
    assert assign_groups(texts).tolist() == [0, 0]


def test_a_stated_group_binds_texts_of_different_words() -> None:
    texts = [text("a", STORY, group="site:x"), text("b", "Nothing alike."), text("c", OTHER, group="site:x")]
    assert assign_groups(texts).tolist() == [0, 1, 0]


def test_a_footer_in_many_texts_binds_none() -> None:
    footer = "This article was first printed in the Monday edition of our little newspaper and is free to share."
    starts = [" ".join(f"{word}{number}" for word in OTHER.split()[:10]) for number in range(100)]
    texts = [text(str(number), f"{start} {footer}") for number, start in enumerate(starts)]
    assert len(set(assign_groups(texts).tolist())) == len(texts)


def test_no_texts_have_no_groups() -> None:
    assert assign_groups([]).shape == (0,)


@given(st.lists(st.text(), max_size=6))
def test_groups_count_up_from_nought(contents: list[str]) -> None:
    groups = assign_groups([text(str(number), content) for number, content in enumerate(contents)])
    assert groups.dtype == np.int32
    seen = list(dict.fromkeys(groups.tolist()))
    assert seen == list(range(len(seen)))


def test_wmt_systems_that_translated_one_document_are_one_group(tmp_path: Path) -> None:
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


def test_fingerprint_does_not_depend_on_order_and_holds_no_text() -> None:
    texts = [text("a", STORY), text("b", OTHER, source="t", label="spun")]
    print_ = fingerprint(texts)
    assert print_ == fingerprint(texts[::-1])
    assert print_["texts"] == 2
    assert print_["sources"] == {"s": {"human": 1}, "t": {"spun": 1}}
    assert "ferry" not in json.dumps(print_)


def test_fingerprint_sees_a_changed_letter() -> None:
    assert fingerprint([text("a", "a")])["sha256"] != fingerprint([text("a", "b")])["sha256"]
