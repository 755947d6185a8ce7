"""Makes round trips of the `train` human texts, so that no register is known from human text alone.

    python -m unspun.training.machines.round_trips ../shared/corpora --output work/round_trips.jsonl

Takes one text of each source in turn, so that every source has its share whenever the command is stopped. Rerun the
command to resume. A text that already has a round trip in the corpora is skipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unspun.training.corpora.corpus import LabelledText, read_labelled, text_keys
from unspun.training.corpora.roles import default_roles
from unspun.training.machines.engines import Apertium, Bergamot, sentences

LONGEST, SHORTEST = 230, 60
"""Words of a text that are translated, and of the shortest text that is."""
APERTIUM_BATCH = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labelled", type=Path, nargs="+", help="labelled files or folders")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--engine", choices=("bergamot", "spa", "cat"), default="bergamot")
    parser.add_argument("--per-source", type=int, default=120, help="texts of each source at most (default: 120)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    roles = default_roles()
    texts = [text for text in read_labelled(options.labelled) if roles.role(text) == "train"]
    engine = Bergamot() if options.engine == "bergamot" else Apertium(options.engine)
    done = _done(options.output, engine.name)
    known = {text.original for text in texts if text.original and "en-pt-en" in (text.tool or "")}
    if options.engine != "bergamot":
        known = set()
    human = [text for text in texts if text.label == "human" and text.text not in known]
    chosen = [text for text in in_turn(human, options.per_source, options.seed) if text.id not in done]
    print(f"{len(chosen)} texts to translate, {len(done)} done before", file=sys.stderr)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("a", encoding="utf-8") as output:
        batch = 1 if isinstance(engine, Bergamot) else APERTIUM_BATCH
        for start in range(0, len(chosen), batch):
            some = chosen[start : start + batch]
            originals = [shortened(text.text) for text in some]
            if isinstance(engine, Bergamot):
                found = [engine.translate(original) for original in originals]
            else:
                found = engine.translate_many(originals)
            for text, original, trip in zip(some, originals, found, strict=True):
                output.write(json.dumps(_record(text, original, trip, engine.name), ensure_ascii=False) + "\n")
            output.flush()
    return 0


def in_turn(texts: Sequence[LabelledText], limit: int, seed: int) -> Iterator[LabelledText]:
    """Yield up to `limit` texts of each source, one of each source in turn; which ones depends on the seed."""
    by_source: dict[str, list[LabelledText]] = {}
    for text in texts:
        if len(text.text.split()) >= SHORTEST:
            by_source.setdefault(text.source, []).append(text)
    for source, found in by_source.items():
        order = np.argsort(text_keys([f"{seed}:{source}:{text.id}" for text in found]), kind="stable")
        by_source[source] = [found[i] for i in order[:limit].tolist()]
    for place in range(limit):
        for source in sorted(by_source):
            if place < len(by_source[source]):
                yield by_source[source][place]


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


def _record(text: LabelledText, original: str, trip: str, engine: str) -> dict[str, object]:
    return {
        "id": f"{engine}-{text.id}",
        "label": "translated",
        "source": "roundtrip_own",
        "text": trip,
        "original": original,
        "original_is_human": True,
        "tool": engine,
        "method": "back-translation",
        "domain": text.source,
        "group": text.id,
    }


def _done(file: Path, engine: str) -> set[str]:
    """Return the ids of the texts whose round trips are in the file; a line that was cut off is dropped."""
    if not file.exists():
        return set()
    whole, _, cut_off = file.read_bytes().rpartition(b"\n")
    if cut_off:
        file.write_bytes(whole + b"\n" if whole else b"")
    lines = whole.split(b"\n") if whole else []
    return {record["group"] for record in map(json.loads, lines) if record["tool"] == engine}


if __name__ == "__main__":
    sys.exit(main())
