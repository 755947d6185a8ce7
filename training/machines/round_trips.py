"""Translate human training texts to another language and back.

Without round trips of the same registers, the encoder would know some registers from human text alone. Texts of all
sources take turns, so that every source has its share whenever you stop the command. Rerun the command to resume. Texts
with a round trip in LABELLED are skipped.

Example:
    python -m unspun.training.machines.round_trips ../shared/corpora --output work/round_trips.jsonl
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from unspun.training.command import labelled_parser
from unspun.training.corpora.corpus import LabelledText, by_source, text_keys
from unspun.training.corpora.roles import read_training_texts
from unspun.training.machines.base import Machine
from unspun.training.machines.engines import ENGINES, sentences

LONGEST, SHORTEST = 230, 60
"""Words of a text that are translated, and words of the shortest text that is used."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="JSON lines file to append to")
    parser.add_argument("--engine", choices=ENGINES, default="bergamot", help="translation engine (default: bergamot)")
    parser.add_argument("--per-source", type=int, default=120, help="maximum texts per source (default: 120)")
    parser.add_argument("--seed", type=int, default=0, help="selects the texts (default: 0)")
    options = parser.parse_args(arguments)
    texts = read_training_texts(options.labelled)
    engine = ENGINES[options.engine]()
    done = _translated_ids(options.output, engine.name)
    known: set[str] = set()
    if options.engine == "bergamot":
        known = {text.original for text in texts if text.original and "en-pt-en" in (text.tool or "")}
    human = [text for text in texts if text.label == "human" and text.text not in known]
    chosen = [text for text in in_turn(human, options.per_source, options.seed) if text.id not in done]
    print(f"{len(chosen)} texts to translate, {len(done)} already translated", file=sys.stderr)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    with options.output.open("a", encoding="utf-8") as output:
        for start in range(0, len(chosen), engine.batch):
            some = chosen[start : start + engine.batch]
            originals = [shortened(text.text) for text in some]
            for text, original, trip in zip(some, originals, engine.paraphrase_many(originals, rng), strict=True):
                record = _record(text, original, trip.text, engine)
                output.write(json.dumps(record, ensure_ascii=False) + "\n")
            output.flush()
    return 0


def in_turn(texts: Sequence[LabelledText], limit: int, seed: int) -> Iterator[LabelledText]:
    """Yield up to `limit` texts of each source, one source after the other; the seed decides which."""
    chosen = []
    for source, found in by_source(text for text in texts if len(text.text.split()) >= SHORTEST).items():
        order = np.argsort(text_keys([f"{seed}:{source}:{text.id}" for text in found]), kind="stable")
        chosen.append([found[i] for i in order[:limit].tolist()])
    for turn in zip_longest(*chosen):
        yield from filter(None, turn)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return the first sentences of a text, up to `longest` words."""
    lines: list[str] = []
    left = longest
    for line in text.split("\n"):
        kept: list[str] = []
        for sentence in sentences(line):
            left -= len(sentence.split())
            if left < 0 and (kept or lines):
                return "\n".join([*lines, " ".join(kept)]).strip()
            kept.append(sentence)
        lines.append(" ".join(kept))
    return "\n".join(lines).strip()


def _record(text: LabelledText, original: str, trip: str, engine: Machine) -> dict[str, object]:
    return {
        "id": f"{engine.name}-{text.id}",
        "label": engine.kind,
        "source": "roundtrip_own",
        "text": trip,
        "original": original,
        "original_is_human": True,
        "tool": engine.name,
        "method": "back-translation",
        "domain": text.source,
        "group": text.id,
    }


def _translated_ids(file: Path, engine: str) -> set[str]:
    """Return the ids of the texts whose round trips are in the file, after removing an incomplete last line."""
    if not file.exists():
        return set()
    whole, _, cut_off = file.read_bytes().rpartition(b"\n")
    if cut_off:
        file.write_bytes(whole + b"\n" if whole else b"")
    lines = whole.split(b"\n") if whole else []
    return {record["group"] for record in map(json.loads, lines) if record["tool"] == engine}


if __name__ == "__main__":
    sys.exit(main())
