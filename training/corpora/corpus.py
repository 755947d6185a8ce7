"""Labelled text for training and evaluation: reads it, and groups texts that must stay together.

Versions of one original must be on one side of every split (`assign_groups`), and a model that is measured on a tool
must not have been trained on the same tool under another name (`training.corpora.roles`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Unpack, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from unspun.model.verdict import LABELS, Label
from unspun.reading import packing
from unspun.reading.reader import Reader, ReadingOptions
from unspun.reading.records import Failure, Omissions, Record

SHINGLE_WORDS = 8
"""Consecutive words that two texts must share to overlap: long enough to ignore common idioms."""

_SHINGLE_SAMPLE = 4  # one shingle in four is compared, which leaves some even for a single sentence
_SHINGLE_MAX_TEXTS = 64  # a shingle in more texts is a footer or a quoted question, not a common original
_MIN_CONTAINMENT = 0.1  # share of the smaller text's shingles that must be in the other


class CorpusError(ValueError):
    """Labelled text cannot be read. The message names the file and line and what is wrong, in one line."""


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One text and what is known about its origin.

    `text` and `original` are without anonymisation marks (see `clean`). `original` is the aligned text before
    paraphrasing. `changed_frac` is the share of words replaced, 0-1. `group` is the site or document that
    the record says it belongs to, if any; `assign_groups` also compares the content. `family` is a
    spinner found in the wild whose name is not known. `year` is when the text was written, according to the record.
    `path` is the file or folder that it was read from, as the user gave it.
    """

    id: str
    label: Label
    source: str
    text: str
    tool: str | None = None
    method: str | None = None
    domain: str | None = None
    site: str | None = None
    original: str | None = None
    original_is_human: bool | None = None
    changed_frac: float | None = None
    group: str | None = None
    family: str | None = None
    year: str | None = None
    path: str = dataclasses.field(default="", compare=False)


FIELDS = tuple(field.name for field in dataclasses.fields(LabelledText) if field.name not in ("id", "text", "path"))
"""The fields of a record that are read, besides `id` and `text`."""


def read_labelled(
    paths: Iterable[str | Path],
    label: str | None = None,
    *,
    report: Callable[[Failure], None] | None = None,
    skipped: Omissions | None = None,
    **reading: Unpack[ReadingOptions],
) -> Iterator[LabelledText]:
    """Yield the texts of files, folders, patterns and addresses, in every format that `unspun score` reads.

    `label` is that of texts which do not state one. The source of a text is the one its record states; else, in a
    file of records, the name of the file without suffixes; else the folder below the given path, or the id if there is
    none. Texts that are empty after cleaning are skipped, and so are hidden files. Without `label`, Markdown files in
    folders are skipped as well, because they describe the corpus.

    Records that are not labelled text are passed to `report` and skipped. Without `report`, they raise CorpusError.
    What is skipped for other reasons is added to `skipped`. `reading` are options of the Reader.
    """
    if label is not None and label not in LABELS:
        raise CorpusError(f"label {label!r} is not one of {', '.join(LABELS)}")

    for path in map(str, paths):
        reader = Reader([path], ignore=describes_texts if label is None else is_hidden, fields=FIELDS, **reading)
        for item in reader:
            try:
                if isinstance(item, Failure):
                    raise CorpusError(item.message)
                text = _labelled_text(item, path, label)
            except CorpusError as error:
                failure = Failure(item.where, str(error))
                if report is None:
                    raise CorpusError(str(failure)) from None
                report(failure)
            else:
                if text.text.strip():
                    yield text
                else:
                    reader.skipped.add("no text", item.where)
        if skipped is not None:
            skipped.update(reader.skipped)


def is_hidden(path: str) -> bool:
    """Return whether a file is hidden."""
    return path.rpartition("/")[2].startswith(".")


def describes_texts(path: str) -> bool:
    """Return whether a file in a folder of labelled texts is hidden, or Markdown, which describes the texts."""
    return is_hidden(path) or packing.split(path.lower())[0].endswith(".md")


def _labelled_text(record: Record, given: str, label: str | None) -> LabelledText:
    """Check the fields of a record. Raises CorpusError, which says what is wrong with one of them."""
    fields = record.fields or {}
    stated = _string(fields, "label")
    label = stated.strip().lower() or label if stated is not None else label
    if label is None:
        raise CorpusError(
            'no label; add "label" to the record, or name it with an option: --label (evaluate), or --human, --spun, '
            "--translated or --rewritten (train)"
        )
    if label not in LABELS:
        raise CorpusError(f"label {label!r} is not one of {', '.join(LABELS)}")
    strings = {
        name: _string(fields, name)
        for name in ("source", "tool", "method", "domain", "site", "original", "family", "year")
    }
    source = strings["source"] = strings["source"] or _source(record, given)
    original = strings["original"]
    strings["original"] = None if original is None else clean(original, source)
    return LabelledText(
        id=record.id,
        label=label,
        text=clean(record.text, source),
        original_is_human=_boolean(fields, "original_is_human"),
        changed_frac=_fraction(fields, "changed_frac"),
        group=_stated_group(record.id, fields, source),
        path=given,
        **cast(Any, strings),
    )


def _source(record: Record, given: str) -> str:
    file = PurePosixPath(record.file)
    if record.fields is not None:
        return PurePosixPath(packing.split(file.name)[0]).stem
    folder = file.parent
    below = folder.relative_to(given).as_posix() if folder.is_relative_to(given) else "."
    return record.id if below == "." else below


def _string(fields: Mapping[str, Any], key: str) -> str | None:
    value = fields.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # users' files often have numbers here
    if value is not None and not isinstance(value, str):
        raise CorpusError(f'"{key}" is not a string')
    return value


def _boolean(fields: Mapping[str, Any], key: str) -> bool | None:
    value = fields.get(key)
    if isinstance(value, str):
        value = {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower(), value)
    if value is not None and not isinstance(value, bool):
        raise CorpusError(f'"{key}" is neither true nor false')
    return value


def _fraction(fields: Mapping[str, Any], key: str) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    try:
        fraction = float(value)
    except (TypeError, ValueError):
        fraction = float("nan")
    if not 0.0 <= fraction <= 1.0:
        raise CorpusError(f'"{key}" is not a number from 0 to 1')
    return fraction


def _stated_group(id: str, fields: Mapping[str, Any], source: str) -> str | None:
    """Return the group that the record's own fields state, or None."""
    for key in ("group", "site"):
        if fields.get(key) is not None:
            return f"{key}:{fields[key]}"
    if source.startswith("wmt_"):  # wmt22-ru-social_ru_178-Online-W: a document, then the system
        system = str(fields.get("tool") or "").partition(" (")[0]
        return f"wmt:{id.removesuffix(system).rstrip('-')}"
    if source == "adversarial_paraphrasing_mage":  # advpara-adv-radar-66: made from the 66th original
        return f"advpara:{id.rpartition('-')[2]}"
    return None


# Marks of the anonymisation of the ASAP essays, in their original form and as translation systems changed them.
_ANONYMISED = re.compile(r"@ ?[A-Za-z]+\d+|@[A-Z]{3,}|@\d+|\b(?:CAPS|PERSON|LOCATION|ORGANIZATION|NUM)\d+\b")
_SENTENCE = re.compile(r"[^.!?]*(?:[.!?]+[\"'”’)]*(?=\s|$)|[.!?]+|$)\s*")


def clean(text: str, source: str) -> str:
    """Return `text` without the anonymisation marks of its source.

    The ASAP essays have @CAPS1, @PERSON2 and the like in place of names and capitals. The whole sentence around a mark
    is removed, because the gap left by the mark alone would give every such text away. Paraphrases and originals are
    both cleaned, so that a model cannot learn from marks on one side.
    """
    if not source.startswith("asap_") or not _ANONYMISED.search(text):
        return text
    sentences = _SENTENCE.findall(text)
    return "".join(sentence for sentence in sentences if not _ANONYMISED.search(sentence)).strip()


def assign_groups(texts: Sequence[LabelledText]) -> NDArray[np.int32]:
    """Return one group number per text, shape (len(texts),), numbered from 0 in order of first appearance.

    Texts are in one group if they state the same `group`, or if one contains at least a tenth of the other's runs of
    eight words, in the text or its original. So all versions of one original are in one group, even if they are from
    different sources. Runs found in more than 64 texts (footers, quoted questions) are ignored. A paraphrase without
    its original that shares no run of eight words with it is not recognised.
    """
    if not texts:
        return np.zeros(0, np.int32)
    first, second = _overlapping(texts)
    stated = [(place, text.group) for place, text in enumerate(texts) if text.group is not None]
    names, group = np.unique([name for _, name in stated], return_inverse=True)
    # A node for each text, then one for each stated group.
    row = np.concatenate([first, np.array([place for place, _ in stated], np.int64)])
    column = np.concatenate([second, len(texts) + group])
    size = len(texts) + len(names)
    links = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(size, size))
    component = connected_components(links, directed=False)[1][: len(texts)]
    _, first_index, inverse = np.unique(component, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first_index))
    return cast(NDArray[np.int32], rank[inverse].astype(np.int32))


def group_keys(texts: Sequence[LabelledText], groups: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return the lowest of the `text_keys` in each text's group (N,), which names the group in any order of texts."""
    lowest = np.full(int(groups.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, groups, text_keys([text.text for text in texts]))
    return lowest[groups]


def by_source(texts: Iterable[LabelledText]) -> dict[str, list[LabelledText]]:
    """Return the texts of each source, sources in alphabetical order."""
    found: dict[str, list[LabelledText]] = {}
    for text in texts:
        found.setdefault(text.source, []).append(text)
    return dict(sorted(found.items()))


def counts_by_path(usable: Iterable[LabelledText], given: Iterable[LabelledText], labels: Collection[str]) -> str:
    """Return how many texts with these labels are usable, by the path that they were given by.

    An example is " (a.jsonl: 2 of 4, more/: 1 of 9)"; it is empty if no such text was given.
    """
    used, every = (Counter(text.path for text in texts if text.label in labels) for texts in (usable, given))
    parts = [f"{path}: {used[path]:,} of {count:,}" for path, count in every.items() if path]
    return f" ({', '.join(parts)})" if parts else ""


def _overlapping(texts: Sequence[LabelledText]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return index pairs of texts that share enough shingles."""
    sampled = [_sampled_shingles(text) for text in texts]
    counts = np.array([len(shingles) for shingles in sampled], np.int64)
    owner = np.repeat(np.arange(len(texts)), counts)
    shingles, inverse, frequency = np.unique(np.concatenate(sampled), return_inverse=True, return_counts=True)
    shared = (frequency[inverse] > 1) & (frequency[inverse] <= _SHINGLE_MAX_TEXTS)
    ones = np.ones(int(shared.sum()), np.int32)
    matrix = csr_array((ones, (owner[shared], inverse[shared])), shape=(len(texts), len(shingles)))
    common = (matrix @ matrix.T).tocoo()
    first, second = common.row.astype(np.int64), common.col.astype(np.int64)
    containment = common.data / np.maximum(np.minimum(counts[first], counts[second]), 1)
    kept = (first < second) & (containment >= _MIN_CONTAINMENT)
    return first[kept], second[kept]


_WORD = re.compile(r"[^\W_]+")


def _sampled_shingles(text: LabelledText) -> NDArray[np.uint64]:
    """Return the distinct hashes of a fixed quarter of the runs of eight words, original included."""
    hashes = [shingles(text.text)]
    if text.original is not None:
        hashes.append(shingles(text.original))
    every = np.concatenate(hashes)
    return np.unique(every[every % np.uint64(_SHINGLE_SAMPLE) == 0])


def shingles(text: str) -> NDArray[np.uint64]:
    """Return the hash of every run of eight lower-cased words, shape (words - 7,); of a shorter text, one hash."""
    words = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _WORD.findall(text.lower())]
    if not words:
        return np.zeros(0, np.uint64)
    codes = np.array(words, np.uint64)
    width = min(SHINGLE_WORDS, len(codes))
    hashes = np.zeros(len(codes) - width + 1, np.uint64)
    for offset in range(width):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + len(hashes)]
    # The low bits of a product depend only on the low bits of its factors, so the high bits are mixed in.
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    return cast(NDArray[np.uint64], hashes ^ (hashes >> np.uint64(29)))


def fingerprint(texts: Iterable[LabelledText]) -> dict[str, Any]:
    """Return a summary of training data that contains none of it.

    `{"texts": 3, "sources": {"bbc_news": {"human": 3}}, "sha256": "..."}`; the hash covers the sorted (source, id,
    label, sha256 of the text) and does not depend on the order of the texts.
    """
    sources: dict[str, Counter[str]] = {}
    lines: list[str] = []
    for text in texts:
        sources.setdefault(text.source, Counter())[text.label] += 1
        digest = hashlib.sha256(text.text.encode("utf-8", "surrogatepass")).hexdigest()
        lines.append(json.dumps([text.source, text.id, text.label, digest]))
    total = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    counts = {source: dict(sorted(sources[source].items())) for source in sorted(sources)}
    return {"texts": len(lines), "sources": counts, "sha256": total}


_DOMAINS: tuple[tuple[str, str], ...] = (  # first match wins, in the domain's lower-cased name
    ("mix", "mixed"),
    ("business", "business"),
    ("marketing", "business"),
    ("ecommerce", "business"),
    ("privacy policy", "business"),
    ("news", "news"),
    ("xsum", "news"),
    ("yelp", "review"),
    ("imdb", "review"),
    ("review", "review"),
    ("abstract", "science"),
    ("arxiv", "science"),
    ("pubmed", "science"),
    ("science", "science"),
    ("textbook", "science"),
    ("_llms", "answer"),
    ("exam answer", "answer"),
    ("howto", "howto"),
    ("manual", "howto"),
    ("non-fiction", "essay"),
    ("fiction", "fiction"),
    ("ficlet", "fiction"),
    ("story", "fiction"),
    ("writing", "fiction"),
    ("letter", "letter"),
    ("email", "letter"),
    ("blog", "blog"),
    ("speech", "speech"),
    ("voice", "speech"),
    ("gov", "government"),
    ("travel", "travel"),
    ("encyclopedia", "encyclopedia"),
    ("lore", "essay"),
    ("religion", "essay"),
    ("lettres", "essay"),
    ("journal", "essay"),
    ("essay", "essay"),
    ("social", "conversation"),
    ("conversation", "conversation"),
)


def domain_group(text: LabelledText) -> str:
    """Return the coarse domain of a text: news, review, essay, science, blog ...

    `other` if the record states no domain or one that is not listed.
    """
    name = (text.domain or "").lower()
    return next((group for part, group in _DOMAINS if part in name), "other")


def text_keys(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return a 64-bit key of each text, shape (N,), by which a model recognises texts that it was trained on.

    Runs of white space count as one space, so that a text is recognised in another file format.
    """
    digests = [
        hashlib.blake2b(" ".join(text.split()).encode("utf-8", "replace"), digest_size=8).digest() for text in texts
    ]
    return np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)
