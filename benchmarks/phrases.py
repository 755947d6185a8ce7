"""Measure how often `unspun phrases` reports something in human text, and in paraphrased text.

    python -m benchmarks.phrases ../shared/corpora [--role test] [--list]

Counts the listed phrases in the human texts of a role; no phrase of the list occurs in those of the role `train`.
Prints the places per million words, with a 95 % interval, and the number of texts with one and with two different
phrases, then the same for each source of paraphrased text in which there are any. `--list` also names the phrases found
in human text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from scipy.stats import chi2

from benchmarks.common import make_parser
from unspun.model.text.listed_phrases import PhraseList, shipped_phrases
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles

BATCH = 200


@dataclass
class Found:
    """What was found in the texts of one group."""

    texts: int = 0
    words: int = 0
    phrases: Counter[str] = field(default_factory=Counter)
    by_distinct: Counter[int] = field(default_factory=Counter)
    """Texts by the number of different phrases."""

    def row(self, name: str) -> str:
        """Return the figures as a row of the table."""
        places, millions = self.phrases.total(), self.words / 1e6
        # The exact interval of a Poisson rate.
        low = chi2.ppf(0.025, 2 * places) / 2 if places else 0.0
        high = chi2.ppf(0.975, 2 * places + 2) / 2
        one, two = (sum(n for found, n in self.by_distinct.items() if found >= least) for least in (1, 2))
        rate = f"{places / millions:.1f} ({low / millions:.1f}-{high / millions:.1f})"
        return f"{name:34} {self.texts:7,} {self.words:11,} {places:6,}  {rate:22} {one:6,} {two:6,}"


def main() -> None:
    """Print the table."""
    parser = make_parser("benchmarks.phrases", __doc__, "paths")
    parser.add_argument("--role", choices=("calibrate", "test"), default="test", help="role of the human texts")
    parser.add_argument("--list", action="store_true", help="name the phrases found in human text")
    options = parser.parse_args()
    roles, phrases = default_roles(), PhraseList(shipped_phrases())
    groups: dict[str, Found] = {}
    batch: list[LabelledText] = []
    for text in read_labelled(options.paths):
        if (text.label == "human" and roles.role(text) == options.role) or text.label not in ("human", "llm"):
            batch.append(text)
            if len(batch) == BATCH:
                count(batch, phrases, groups)
                batch.clear()
    count(batch, phrases, groups)
    print(f"{'':34} {'texts':>7} {'words':>11} {'places':>6}  {'per million words':22} {'with 1':>6} {'with 2':>6}")
    human = groups.pop("human", Found())
    print(human.row(f"human, role {options.role}"))
    for name, found in sorted(groups.items(), key=lambda group: -group[1].phrases.total() / group[1].words):
        if found.phrases:
            print(found.row(name))
    if options.list:
        print(", ".join(f"{phrase} ({number})" for phrase, number in human.phrases.most_common()))


def count(texts: Iterable[LabelledText], phrases: PhraseList, groups: dict[str, Found]) -> None:
    """Add what is found in some texts to their groups: human, or the source of the paraphrased text."""
    given = list(texts)
    for text, places in zip(given, phrases.find([text.text for text in given]), strict=True):
        group = groups.setdefault("human" if text.label == "human" else text.source, Found())
        group.texts += 1
        group.words += len(text.text.split())
        found = Counter(place.entry.phrase for place in places)
        group.phrases += found
        group.by_distinct[len(found)] += 1


if __name__ == "__main__":
    main()
