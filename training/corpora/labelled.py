"""Reads labelled texts for training, in every format that can be scored; what cannot be read is told, the rest used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from unspun.reading import packing
from unspun.reading.reader import SUFFIXES, Reader
from unspun.reading.records import Failure
from unspun.training.corpora.corpus import SUFFIXES as WITH_FIELDS
from unspun.training.corpora.corpus import CorpusError, Label, LabelledText, clean, read_labelled


def read(paths: Sequence[Path], label: Label | None) -> Iterator[LabelledText | Failure]:
    """Yield the texts under some paths, folders in order of path. `label` None: the records say it themselves.

    Records keep what they tell of themselves (`source`, `site`, `original` ...). Of a file that is one document the
    source is its folder below the path given, where there is one: texts of one folder are of one origin.
    """
    for path in paths:
        found = False
        for file in _files(path):
            found = True
            yield from _read(file, path, label)
        if not found:
            yield Failure(str(path), f"no text in this folder (looked for {' '.join(SUFFIXES)})")


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and not file.name.startswith(".") and _suffix(file) in SUFFIXES:
            yield file


def _suffix(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in packing.SUFFIXES:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _read(file: Path, given: Path, label: Label | None) -> Iterator[LabelledText | Failure]:
    if _suffix(file) in (".jsonl", ".csv") and file.suffix.lower() in (*WITH_FIELDS, ".gz"):
        wrong: list[CorpusError] = []
        try:
            yield from read_labelled([file], label, broken=wrong.append)
        except CorpusError as error:
            wrong.append(error)
        yield from (Failure(*_parted(str(error), str(file))) for error in wrong)
        return
    if label is None:
        yield Failure(str(file), "does not say what it is: give it by --human, --spun, --translated or --rewritten")
        return
    below = file.parent.relative_to(given).as_posix() if given.is_dir() else "."
    for item in Reader([str(file)]):
        if isinstance(item, Failure):
            yield item
            continue
        source = item.id if below == "." else below
        text = LabelledText(id=item.id, label=label, source=source, text="")
        yield replace(text, text=clean(item.text, source))


def _parted(message: str, file: str) -> tuple[str, str]:
    """Return the place and the rest of a message that may begin with it."""
    place, separator, rest = message.partition(": ")
    return (place, rest) if separator and place.startswith(file) else (file, message)
