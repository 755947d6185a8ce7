"""The corpus of the batch run: any number of documents, made from the examples by seed, in many formats.

The documents are shuffled sentences of `seeds/examples`: of the articles by people and, one document in `SPUN_EVERY`,
of the same articles after the spinners of `training/machines`. Each has its own number as its id and in its last
sentence, so no two texts are equal. One in a thousand, or in a hundred of a small corpus, is damaged in one of the ways
of `DAMAGE`.

Half of the corpus is in the folder `first/`, a little in `web/`, which a server offers, and the rest in `last/`.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from benchmarks.common import EXAMPLES

SPUN_EVERY = 50
SMALL = 20_000
"""Documents below which a corpus is small."""
WORDS = (80, 200)
BLOCKS = 50
"""Files and folders of the corpus, at least; no file has more documents than LARGEST."""
LARGEST = 2000
FORMATS = ("jsonl", "jsonl.gz", "parquet", "jsonl", "warc.gz", "parquet", "jsonl.gz", "jsonl", "parquet", "folder")
"""The formats of the files, in turn."""
WEB = 0.04
"""The share of the corpus that is read from a server."""
INVALID = b"\xe2\x82"
"""The start of a character of three bytes."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the corpus; `damage` is the way in which it is damaged, None if it is not."""

    id: str
    text: str
    damage: str | None = None


@dataclass(frozen=True)
class Corpus:
    """What was written: the folder, and the ids of the documents that are not damaged, in the order of reading."""

    folder: Path
    documents: int
    intact: list[str]
    damaged: int
    bytes: int
    seconds: float


def documents(count: int, seed: int, start: int = 0, every: int = 1000) -> Iterator[Document]:
    """Yield some documents of a corpus; one in `every` is damaged. Each depends on the seed and its number alone."""
    people, spun = (_articles(EXAMPLES / side) for side in ("human", "spun"))
    for number in range(start, start + count):
        generator = random.Random(f"{seed} {number}")
        sentences = generator.choice(spun if number % SPUN_EVERY == SPUN_EVERY // 2 else people)[:]
        generator.shuffle(sentences)
        wanted, chosen, words = generator.randint(*WORDS), [], 0
        for sentence in sentences:
            chosen.append(sentence)
            words += sentence.count(" ") + 1
            if words >= wanted:
                break
        chosen.append(f"This was text number {number:,} of the day.")
        damage = generator.choice(DAMAGE) if generator.random() < 1 / every else None
        yield Document(f"d{number}", " ".join(chosen), damage)


def write_corpus(folder: Path, count: int, seed: int) -> Corpus:
    """Write a corpus, one file after the other, and return what it holds."""
    started = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    size = max(1, min(LARGEST, count // BLOCKS))
    blocks = -(-count // size)
    every = 100 if count < SMALL else 1000
    web = max(len(set(FORMATS)), round(blocks * WEB))
    intact: list[str] = []
    damaged = 0
    for block in range(blocks):
        middle = block - blocks // 2
        place = "first" if middle < 0 else "web" if middle < web else "last"
        form = FORMATS[block % len(FORMATS)]
        if place == "web" and form == "folder":  # a server that lists folders is read in the same way as a folder
            form = "jsonl"
        whole = list(documents(min(size, count - block * size), seed, block * size, every))
        target = folder / place / f"{block:06}.{form}"
        target.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[form](target, whole)
        for document in whole:
            if document.damage is None:
                intact.append(document.id)
            else:
                damaged += 1
                _damage_beside(target, document)
    # The texts of a folder are read in the order of its path, which is that of their numbers.
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Corpus(folder, count, intact, damaged, total, time.perf_counter() - started)


def _articles(folder: Path) -> list[list[str]]:
    texts = [file.read_text("utf-8") for file in sorted(folder.glob("*.txt"))]
    return [[part for part in re.split(r"(?<=[.!?])\s+", text) if part.count(" ") >= 3] for text in texts]


# --- formats ----------------------------------------------------------------------------------------------------------


def _json_line(document: Document) -> bytes:
    match document.damage:
        case "cut line":
            return json.dumps({"id": document.id, "text": document.text}).encode()[:-20] + b"\n"
        case "wrong type":
            return json.dumps({"id": document.id, "text": 5}).encode() + b"\n"
        case "empty":
            return json.dumps({"id": document.id, "text": ""}).encode() + b"\n"
        case "not utf-8":
            return json.dumps({"id": document.id, "text": f"{document.text} X"}).encode()[:-3] + INVALID + b'"}\n'
    return json.dumps({"id": document.id, "text": document.text}).encode() + b"\n"


def _write_lines(file: Path, whole: list[Document]) -> None:
    file.write_bytes(b"".join(map(_json_line, whole)))


def _write_packed_lines(file: Path, whole: list[Document]) -> None:
    file.write_bytes(gzip.compress(b"".join(map(_json_line, whole)), compresslevel=1, mtime=0))


def _write_parquet(file: Path, whole: list[Document]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    texts = [None if one.damage in ("cut line", "wrong type") else one.text.encode() for one in whole]
    for place, one in enumerate(whole):
        if one.damage == "not utf-8":
            texts[place] = one.text.encode() + INVALID
        elif one.damage == "empty":
            texts[place] = b""
    table = pa.table({"id": [one.id for one in whole], "text": pa.array(texts, pa.binary())})
    parquet.write_table(table, file, row_group_size=500)


def _write_archive(file: Path, whole: list[Document]) -> None:
    with file.open("wb") as archive:
        for one in whole:
            body = f"<!DOCTYPE html><title>News</title><nav>Home</nav><article><p>{escape(one.text)}</p></article>"
            data = b"" if one.damage == "empty" else body.encode()
            kind = "image/png" if one.damage == "wrong type" else "text/html; charset=utf-8"
            if one.damage == "not utf-8":
                data = data.replace(b"</p>", INVALID + b"</p>")
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            record = (
                "WARC/1.0\r\nWARC-Type: response\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
                f"WARC-Target-URI: {one.id}\r\nContent-Type: application/http; msgtype=response\r\n"
                f"Content-Length: {len(head) + len(data)}\r\n\r\n"
            ).encode()
            archive.write(gzip.compress(record + head + data + b"\r\n\r\n", compresslevel=1, mtime=0))


def _write_folder(folder: Path, whole: list[Document]) -> None:
    folder.mkdir()
    for one in whole:
        data = one.text.encode() + (INVALID if one.damage == "not utf-8" else b"")
        name = f"{one.id[1:]:>09}" + (".png" if one.damage == "wrong type" else ".txt")
        (folder / name).write_bytes(b"\0" * 50 if one.damage == "cut line" else b"" if one.damage == "empty" else data)


WRITERS: dict[str, Callable[[Path, list[Document]], None]] = {
    "jsonl": _write_lines,
    "jsonl.gz": _write_packed_lines,
    "parquet": _write_parquet,
    "warc.gz": _write_archive,
    "folder": _write_folder,
}
DAMAGE = ("cut line", "wrong type", "empty", "not utf-8", "cut archive")


def _damage_beside(target: Path, document: Document) -> None:
    """Write a file of its own beside a block if a damaged document needs one."""
    if document.damage == "cut archive":
        copies = [_json_line(replace(document, id=f"{document.id}-{copy}")) for copy in range(3)]
        packed = gzip.compress(b"".join(copies), mtime=0)
        target.with_name(f"{target.name.partition('.')[0]}-{document.id}.jsonl.gz").write_bytes(packed[:-20])


def id_of(name: str) -> str:
    """Return the id that the corpus gives to a document, from the id in its verdict: a path if it is a file."""
    return f"d{int(Path(name).stem)}" if name.endswith(".txt") else name
