"""Labelled text for training and evaluation: reading it, and knowing what must stay together.

Read from JSON lines, CSV and plain text, each also gzipped, or from whole folders of them. A record holds at
least `text`, and a `label` unless the caller gives one for the whole file.

Two texts made from one original must never stand on both sides of a split (`assign_groups`), and a model that
is measured on a tool must not have learnt from another name of that same tool (`training.roles`).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

Label = Literal["human", "llm", "spun", "translated", "rewritten"]

LABELS: tuple[Label, ...] = ("human", "llm", "spun", "translated", "rewritten")
"""What a text can be. `llm` is written by a language model from nothing: machine-written, not paraphrased."""

SUFFIXES = (".jsonl", ".csv", ".txt")
"""File types that are read, each also with `.gz` behind it."""

SHINGLE_WORDS = 8
"""Words in a row that two texts must share to overlap: long enough to pass over common idioms."""

_SHINGLE_SAMPLE = 4  # one shingle in four is compared: enough for a single sentence to keep some
_SHINGLE_MAX_TEXTS = 64  # a shingle in more texts is a footer or a quoted question, not a common original
_MIN_CONTAINMENT = 0.1  # share of the smaller text's shingles that must be in the other


class CorpusError(ValueError):
    """A labelled file cannot be read. The message names the file, the line and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One text and what is known of its making.

    `text` and `original` are cleaned of anonymisation marks (see `clean`). `original` is the aligned text
    before paraphrasing. `changed_frac` is the share of words replaced, 0-1. `group` is what the record itself
    says it belongs with (site, source document); None where only its content can tell, which `assign_groups`
    looks at as well. `family` tells apart spinners found in the wild whose names are not known. `year` is when the text
    was written, as the record states it.
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


def read_labelled(
    paths: Iterable[Path], label: str | None = None, *, broken: Callable[[CorpusError], None] | None = None
) -> Iterator[LabelledText]:
    """Yield the texts of files and folders, in the order given (folders: sorted by path, searched in full).

    `label`, where given, overrides the records' own. `source` is the record's, or the file's name without
    suffixes; `id` is the record's, or `FILE#LINE`, or for plain text the file's path. Empty texts, and texts
    of which cleaning leaves nothing, are passed over. Symbolic links to folders are not followed.

    Raises `CorpusError`, naming file and line, for anything that cannot be read as labelled text. With `broken`, a
    record at fault is told there and the rest of its file is read.
    """
    if label is not None and label not in LABELS:
        raise CorpusError(f"label {label!r} is not one of {', '.join(LABELS)}")
    for path in paths:
        for file in _files(path):
            for line, record in _records(file):
                try:
                    if isinstance(record, CorpusError):
                        raise record
                    text = _labelled_text(record, file, line, label)
                except CorpusError as error:
                    if broken is None:
                        raise
                    broken(error)
                    continue
                if text.text.strip():
                    yield text


def _files(path: Path) -> Iterator[Path]:
    """Yield the file itself, or the readable files of a folder."""
    if path.is_dir():
        found = False
        for folder, folders, names in os.walk(path, followlinks=False):
            folders.sort()
            for name in sorted(names):
                if _suffix(Path(name)) in SUFFIXES and not name.startswith("."):
                    found = True
                    yield Path(folder) / name
        if not found:
            raise CorpusError(f"{path}: no {', '.join(SUFFIXES)} (or .gz) file in this folder")
    elif not path.exists():
        raise CorpusError(f"{path}: no such file or folder")
    elif _suffix(path) not in SUFFIXES:
        raise CorpusError(f"{path}: not a {', '.join(SUFFIXES)} (or .gz) file")
    else:
        yield path


def _suffix(path: Path) -> str:
    """Return the file's type, `.jsonl` for `a.jsonl.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _stem(path: Path) -> str:
    """Return the file's name without its type, `a.b` for `a.b.jsonl.gz`."""
    name = path.name[: -len(".gz")] if path.name.lower().endswith(".gz") else path.name
    return Path(name).stem


def _records(file: Path) -> Iterator[tuple[int | None, dict[str, Any] | CorpusError]]:
    """Yield (line number from 1, record) of one file, or what is wrong with a line in place of its record; plain text
    is one record and has no line number.
    """
    readers = {".jsonl": _jsonl_records, ".csv": _csv_records, ".txt": _txt_record}
    try:
        # A gzip or encoding error surfaces while reading, so the generator is consumed inside the `try`.
        with _open_text(file) as handle:
            yield from readers[_suffix(file)](handle, file)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file}: not UTF-8 ({error.reason}); convert it first") from error
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"{file}: cannot be read ({error})") from error


def _open_text(file: Path) -> IO[str]:
    if file.name.lower().endswith(".gz"):
        return cast(IO[str], gzip.open(file, "rt", encoding="utf-8-sig", newline=""))
    return file.open(encoding="utf-8-sig", newline="")


def _jsonl_records(handle: IO[str], file: Path) -> Iterator[tuple[int, dict[str, Any] | CorpusError]]:
    for number, line in enumerate(handle, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # also a number of too many digits
            yield number, CorpusError(f"{file}:{number}: not JSON ({error})")
        else:
            wrong = CorpusError(f"{file}:{number}: not a JSON object with `text` and `label`")
            yield number, record if isinstance(record, dict) else wrong


def _csv_records(handle: IO[str], file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    limit = csv.field_size_limit(2**31 - 1)  # the default of 128 KiB is shorter than a long article's cell
    try:
        rows = csv.DictReader(handle, strict=True)
        if "text" not in (rows.fieldnames or ()):
            raise CorpusError(f"{file}:1: no `text` column in the first line")
        for row in rows:
            yield rows.line_num, {key: value for key, value in row.items() if key and value not in (None, "")}
    except csv.Error as error:
        raise CorpusError(f"{file}:{rows.line_num}: not CSV ({error})") from error
    finally:
        csv.field_size_limit(limit)


def _txt_record(handle: IO[str], file: Path) -> Iterator[tuple[None, dict[str, Any]]]:
    yield None, {"id": str(file), "text": handle.read()}


def _labelled_text(record: Mapping[str, Any], file: Path, line: int | None, label: str | None) -> LabelledText:
    """Build a LabelledText of one record, or say what is wrong with it."""
    place = str(file) if line is None else f"{file}:{line}"
    text = record.get("text")
    if not isinstance(text, str):
        raise CorpusError(f"{place}: `text` is missing or not a string")
    label = record.get("label") if label is None else label
    if label is None:
        raise CorpusError(f"{place}: no label; give one for the file, or add `label` to the record")
    if label not in LABELS:
        raise CorpusError(f"{place}: label {label!r} is not one of {', '.join(LABELS)}")
    source = _string(record, "source", place) or _stem(file)
    original = _string(record, "original", place)
    return LabelledText(
        id=_string(record, "id", place) or f"{file}#{line}",
        label=cast(Label, label),
        source=source,
        text=clean(text, source),
        tool=_string(record, "tool", place),
        method=_string(record, "method", place),
        domain=_string(record, "domain", place),
        site=_string(record, "site", place),
        original=None if original is None else clean(original, source),
        original_is_human=_truth(record, "original_is_human", place),
        changed_frac=_fraction(record, "changed_frac", place),
        group=_stated_group(record, source),
        family=_string(record, "family", place),
        year=_string(record, "year", place),
    )


def _string(record: Mapping[str, Any], key: str, place: str) -> str | None:
    value = record.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # numeric ids are common in users' own files
    if value is not None and not isinstance(value, str):
        raise CorpusError(f"{place}: `{key}` is not a string")
    return value


def _truth(record: Mapping[str, Any], key: str, place: str) -> bool | None:
    value = record.get(key)
    if isinstance(value, str):
        value = {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower(), value)
    if value is not None and not isinstance(value, bool):
        raise CorpusError(f"{place}: `{key}` is neither true nor false")
    return value


def _fraction(record: Mapping[str, Any], key: str, place: str) -> float | None:
    value = record.get(key)
    if value is None:
        return None
    try:
        fraction = float(value)
    except (TypeError, ValueError):
        fraction = float("nan")
    if not 0.0 <= fraction <= 1.0:
        raise CorpusError(f"{place}: `{key}` is not a number from 0 to 1")
    return fraction


def _stated_group(record: Mapping[str, Any], source: str) -> str | None:
    """Return what the record's own fields say it belongs with, or None."""
    for key in ("group", "site"):
        if record.get(key) is not None:
            return f"{key}:{record[key]}"
    identifier = str(record.get("id", ""))
    if source.startswith("wmt_"):  # wmt22-ru-social_ru_178-Online-W: a document, then the system
        system = str(record.get("tool", "")).partition(" (")[0]
        return f"wmt:{identifier.removesuffix(system).rstrip('-')}"
    if source == "adversarial_paraphrasing_mage":  # advpara-adv-radar-66: of the 66th original
        return f"advpara:{identifier.rpartition('-')[2]}"
    return None


# Marks that anonymisation left in the ASAP essays, as they were and as translators mangled them.
_ANONYMISED = re.compile(r"@ ?[A-Za-z]+\d+|@[A-Z]{3,}|@\d+|\b(?:CAPS|PERSON|LOCATION|ORGANIZATION|NUM)\d+\b")
_SENTENCE = re.compile(r"[^.!?]*(?:[.!?]+[\"'”’)]*(?=\s|$)|[.!?]+|$)\s*")


def clean(text: str, source: str) -> str:
    """Return `text` without the anonymisation marks of its source.

    The ASAP essays put @CAPS1, @PERSON2 and the like where names and capitals stood. A sentence with a mark
    is left out as a whole: with the mark alone taken out, the gap it leaves would betray every such text.
    Both a paraphrase and its original go through this, so that neither side alone has marks to learn from.
    """
    if not source.startswith("asap_") or not _ANONYMISED.search(text):
        return text
    sentences = _SENTENCE.findall(text)
    return "".join(sentence for sentence in sentences if not _ANONYMISED.search(sentence)).strip()


def assign_groups(texts: Sequence[LabelledText]) -> NDArray[np.int32]:
    """Return one group number per text, shape (len(texts),), 0, 1, 2 ... by first appearance.

    Texts are of one group where they state the same `group`, or where one holds at least a tenth of the
    other's runs of eight words, in the text or its original; so all versions of one original are together,
    whatever their source. Runs found in more than 64 texts (footers, quoted questions) say nothing and are
    passed over. A paraphrase that comes without its original, and shares no run of eight words with it, is
    not found.
    """
    if not texts:
        return np.zeros(0, np.int32)
    first, second = _overlapping(texts)
    stated_first, stated_second = _same_statement(texts)
    row = np.concatenate([first, stated_first])
    column = np.concatenate([second, stated_second])
    links = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(len(texts), len(texts)))
    _, component = connected_components(links, directed=False)
    _, first_index, inverse = np.unique(component, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first_index))
    return cast(NDArray[np.int32], rank[inverse].astype(np.int32))


def _same_statement(texts: Sequence[LabelledText]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return index pairs that chain the texts that state the same group."""
    last: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    for index, text in enumerate(texts):
        if text.group is not None:
            if text.group in last:
                pairs.append((last[text.group], index))
            last[text.group] = index
    array = np.array(pairs, np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


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
    """Return the hash of every run of eight folded words, shape (words - 7,); of a shorter text, one."""
    words = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _WORD.findall(text.lower())]
    if not words:
        return np.zeros(0, np.uint64)
    codes = np.array(words, np.uint64)
    width = min(SHINGLE_WORDS, len(codes))
    hashes = np.zeros(len(codes) - width + 1, np.uint64)
    for offset in range(width):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + len(hashes)]
    # The low bits of a product depend on the low bits of its factors alone, so the high ones are folded in.
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    return cast(NDArray[np.uint64], hashes ^ (hashes >> np.uint64(29)))


def fingerprint(texts: Iterable[LabelledText]) -> dict[str, Any]:
    """Return what data a model was trained on, without any of it.

    `{"texts": 3, "sources": {"bbc_news": {"human": 3}}, "sha256": "..."}`; the hash is over the sorted
    (source, id, label, sha256 of text) and so does not depend on order.
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

    `other` where the record names no domain, or one that is not listed.
    """
    name = (text.domain or "").lower()
    return next((group for part, group in _DOMAINS if part in name), "other")


def text_keys(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return a 64-bit key of each text (N,), by which a model knows again what it learnt from, without holding it.

    White space is folded, so that the same text is known in another file format.
    """
    digests = [
        hashlib.blake2b(" ".join(text.split()).encode("utf-8", "replace"), digest_size=8).digest() for text in texts
    ]
    return np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)
