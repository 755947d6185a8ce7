"""Align the spun seed document with its original and write seeds/substitutions.tsv.

The tests judge the evidence for that seed by these word pairs. The seed documents are looked up in $UNSPUN_SEEDS,
../shared/seeds and seeds/documents. The same documents always give the same file.

Example:
    UNSPUN_SEEDS=~/seeds python -m unspun.training.corpora.seeds
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unspun.model.comparing.align import substitutions
from unspun.training.command import stage_parser

REPOSITORY = Path(__file__).resolve().parents[2]
MANIFEST = REPOSITORY / "seeds" / "manifest.toml"
SUBSTITUTIONS = REPOSITORY / "seeds" / "substitutions.tsv"


class SeedError(ValueError):
    """A seed document differs from the one in the manifest."""


@dataclass(frozen=True, slots=True)
class SeedDocument:
    """An entry of the manifest.

    `verdicts` are the acceptable verdicts and `kind` the expected kind. `original` is the file name of the text that
    the document was made from, if that is a seed document too.
    """

    file: str
    sha256: str
    what: str
    verdicts: tuple[str, ...]
    kind: str | None = None
    original: str | None = None


def manifest() -> list[SeedDocument]:
    """Return the seed documents in `seeds/manifest.toml`, in its order."""
    documents = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["document"]
    return [SeedDocument(**{**document, "verdicts": tuple(document["verdicts"])}) for document in documents]


def find_folder() -> Path | None:
    """Return the folder of the seed documents, or None if there is none.

    If $UNSPUN_SEEDS is set, no other folder is tried.
    """
    stated = os.environ.get("UNSPUN_SEEDS")
    folders = [Path(stated)] if stated else [REPOSITORY.parent / "shared/seeds", REPOSITORY / "seeds/documents"]
    names = [document.file for document in manifest()]
    return next((folder for folder in folders if any((folder / name).is_file() for name in names)), None)


def read(document: SeedDocument, folder: Path) -> str:
    """Return the text of a seed document.

    Raises SeedError if it differs from the one in the manifest, and OSError if it is missing.
    """
    content = (folder / document.file).read_bytes()
    if hashlib.sha256(content).hexdigest() != document.sha256:
        raise SeedError(f"{folder / document.file}: SHA-256 differs from the one in {MANIFEST.name}")
    return content.decode("utf-8")


def aligned_substitutions(folder: Path) -> Counter[tuple[str, str]]:
    """Return how often each (spun phrase, original phrase), in lower case, occurs in seeds with a known original."""
    documents = {document.file: document for document in manifest()}
    count: Counter[tuple[str, str]] = Counter()
    for document in documents.values():
        if document.original is not None:
            original = read(documents[document.original], folder)
            pairs = substitutions(original, read(document, folder))
            count.update((_fold(pair.text), _fold(pair.original_text)) for pair in pairs)
    return count


def read_substitutions(path: Path = SUBSTITUTIONS) -> Counter[tuple[str, str]]:
    """Return the (spun phrase, original phrase) pairs of `seeds/substitutions.tsv` with their counts."""
    count: Counter[tuple[str, str]] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            spun, original, times = line.split("\t")
            count[spun, original] = int(times)
    return count


def write_substitutions(count: Counter[tuple[str, str]], path: Path = SUBSTITUTIONS) -> None:
    """Write the pairs as tab-separated lines, the most frequent first."""
    lines = [
        "# Made by `python -m unspun.training.corpora.seeds`, which aligns the spun seed (001) with its original (002)",
        "# by our own aligner (model/comparing/align.py). Word pairs only: no inflections, insertions or deletions.",
        "# spun phrase<TAB>original phrase<TAB>count",
    ]
    ordered = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    lines += [f"{spun}\t{original}\t{times}" for (spun, original), times in ordered]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _fold(phrase: str) -> str:
    return " ".join(phrase.casefold().replace("’", "'").split())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = stage_parser(__doc__)
    parser.parse_args(arguments)
    folder = find_folder()
    if folder is None:
        print("no seed documents found; set UNSPUN_SEEDS to their folder", file=sys.stderr)
        return 1
    try:
        count = aligned_substitutions(folder)
    except (SeedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    write_substitutions(count)
    print(f"{SUBSTITUTIONS}: {len(count)} pairs, {count.total()} substitutions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
