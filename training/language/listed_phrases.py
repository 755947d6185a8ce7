"""Makes the list of `unspun phrases`: listed phrases that no human text of the role `train` has.

Reads the fingerprints of the Problematic Paper Screener (Cabanac, Labbé and Magazinov; CC BY 4.0 as stated by its
redistributor) and the substitutions of real spinners, and writes `model/text/listed_phrases.tsv`. Phrases of one word
are left out, and so are phrases that people write: those in human text, in WordNet, in the n-grams of pocketsphinx, and
in `ordinary_phrases.txt`. A phrase that ends in a noun is also listed in the plural or singular.

Example:
    python -m unspun.training.language.listed_phrases ../shared/corpora --lexicons ../shared/lexicons
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from unspun.model.atomic import atomic_write
from unspun.model.text.listed_phrases import FILE, LONGEST, ListedPhrase, PhraseKind, PhraseList, split_words
from unspun.training.command import labelled_parser
from unspun.training.corpora.corpus import read_labelled
from unspun.training.corpora.roles import default_roles
from unspun.training.language.ngrams import TrieModel, read_pocketsphinx
from unspun.training.machines.inflection import analyse, inflect
from unspun.training.machines.synonyms import wordnet_data

ORDINARY = Path(__file__).with_name("ordinary_phrases.txt")
BATCH = 200
NOTES = re.compile(r"\s*\([^)]*\)?|[\[\]]|\s*\?+|\\.*|\s*see\b.*https?:.*", re.DOTALL)
"""What the screener notes beside an expected term: abbreviations, doubts, words that are usually left out."""
LONGEST_TERM = 60
REMARK = re.compile("[‘“”*]")
"""Characters above which an expected term is a remark, and signs that only remarks have."""
HEADER = f"""\
# Phrases that people do not write, the terms that they replace (empty if unknown), and what they are.
# tortured: fingerprints of the Problematic Paper Screener (Guillaume Cabanac, Cyril Labbé, Alexander Magazinov),
# CC BY 4.0 as stated by its redistributor. Changed: notes were removed from the terms, phrases that people write were
# left out, and plurals and singulars were added.
# spinner: substitutions seen in the output of article spinners.
# Written by python -m {__spec__.name if __spec__ else __name__}
"""


def candidates(lexicons: Path) -> list[ListedPhrase]:
    """Return the phrases of the two lexicons that have several words and are more than another spelling."""
    found: dict[tuple[str, ...], ListedPhrase] = {}
    kinds: dict[str, PhraseKind] = {"spinner_pairs.tsv": "spinner", "tortured_phrases.tsv": "tortured"}
    for name, kind in kinds.items():
        rows = [
            line.split("\t") for line in (lexicons / name).read_text("utf-8").splitlines() if line[:1] not in ("#", "")
        ]
        words = split_words([row[0] for row in rows])
        for row, phrase in zip(rows, words, strict=True):
            expected = " ".join(NOTES.sub("", row[1]).split())
            if (
                not 1 < len(phrase) <= LONGEST
                or f" {' '.join(phrase)} " in f" {re.sub(r'[^a-z0-9]+', ' ', row[1].lower())} "
            ):
                continue
            if len(expected) > LONGEST_TERM or REMARK.search(expected):
                expected = ""
            found.setdefault(phrase, ListedPhrase(" ".join(phrase), expected or None, kind))
    return list(found.values())


def with_other_number(entries: Iterable[ListedPhrase]) -> list[ListedPhrase]:
    """Return phrases together with the plural or singular of those that end in a noun."""
    given = list(entries)
    found = {entry.phrase: entry for entry in given}
    for entry in given:
        other = other_number(entry.phrase)
        if other is not None:
            expected = entry.expected and (other_number(entry.expected) or entry.expected)
            found.setdefault(other, ListedPhrase(other, expected, entry.kind))
    return list(found.values())


def other_number(phrase: str) -> str | None:
    """Return a phrase whose last word is a noun in the plural or in the singular, None if it is no noun."""
    head, space, last = phrase.rpartition(" ")
    readings = analyse(last) if last.isalpha() and len(last) > 3 else ()
    if not readings or readings[0].tag not in ("NN", "NNS"):
        return None
    other = readings[0].lemma if readings[0].tag == "NNS" else inflect(last, "NNS")
    return None if other == last else f"{head}{space}{other}"


def written_by_people(entries: Sequence[ListedPhrase], texts: Iterable[str]) -> set[str]:
    """Return which phrases occur in texts."""
    phrases, found = PhraseList(entries), set[str]()
    for batch in _batches(texts):
        for one in phrases.find(batch):
            found.update(match.entry.phrase for match in one)
    return found


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class Dictionary:
    """The phrases of WordNet and the n-grams of pocketsphinx."""

    def __init__(self, ngrams: TrieModel) -> None:
        self._ngrams = {
            tuple(ngrams.words[word] for word in row) for row in (*ngrams.bigrams.tolist(), *ngrams.trigrams.tolist())
        }
        self._lemmas = {lemma for lemma, _ in wordnet_data().senses if " " in lemma}

    def has(self, phrase: str) -> bool:
        """Return whether people are known to write a phrase; of a longer one, whether they write each three words."""
        words = tuple(phrase.split())
        size = min(len(words), 3)
        return phrase in self._lemmas or all(words[i : i + size] in self._ngrams for i in range(len(words) - size + 1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--lexicons", type=Path, required=True, help="folder of the two lexicons")
    options = parser.parse_args(arguments)
    roles = default_roles()
    entries = with_other_number(candidates(options.lexicons))
    human = (
        text.text for text in read_labelled(options.labelled) if text.label == "human" and roles.role(text) == "train"
    )
    dictionary = Dictionary(read_pocketsphinx())
    ordinary = written_by_people(entries, human) | {entry.phrase for entry in entries if dictionary.has(entry.phrase)}
    ordinary.update(line for line in ORDINARY.read_text("utf-8").splitlines() if not line.startswith("#"))
    kept = [entry for entry in entries if ordinary.isdisjoint((entry.phrase, other_number(entry.phrase)))]
    kept.sort(key=lambda entry: (entry.kind, entry.phrase))
    lines = [f"{entry.phrase}\t{entry.expected or ''}\t{entry.kind}\n" for entry in kept]
    with atomic_write(FILE) as file:
        file.write((HEADER + "".join(lines)).encode())
    print(f"{len(kept):,} phrases; {len(entries) - len(kept):,} left out because people write them", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
