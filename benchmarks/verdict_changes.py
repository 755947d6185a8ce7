"""List the texts whose verdict differs between two versions of the code.

    python -m benchmarks.verdict_changes dump OLD.jsonl         # with the old version
    python -m benchmarks.verdict_changes dump NEW.jsonl         # with the new one
    python -m benchmarks.verdict_changes compare OLD.jsonl NEW.jsonl

`dump` scores all texts of a role, by default `calibrate`, and writes a line for each: its verdict, what was repaired,
and a digest of how it was parsed. It skips the texts that the file has already, so that it can be stopped at any time.
To score with another version, check that out elsewhere and put its `src` first: `git worktree add ../old REVISION`,
then `PYTHONPATH=../old/src:. python -m benchmarks.verdict_changes dump OLD.jsonl`.

`compare` prints how many verdicts changed from what to what, and each of these texts by its id. The reason is `parse`
if the text is parsed differently and `decision` if only the decision changed; what else differs, such as its repairs,
follows. It marks the worse ones: people's texts that are newly found, and paraphrases that are no longer found. The
files contain no text.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from unspun.model.verdict import DepthChoice

FOUND = ("suspect", "paraphrased")
COMPARED = ("verdict", "reason", "kind")
"""Fields whose change is a changed verdict."""
SHOWN = ("score", "words", "excluded", "repairs")
"""Other fields that are shown when they differ."""
CHUNK = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status: 1 if a verdict has become worse."""
    parser = argparse.ArgumentParser("python -m benchmarks.verdict_changes", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    dumping = commands.add_parser("dump", help="write the verdicts of this version")
    dumping.add_argument("file", type=Path)
    dumping.add_argument("--corpus", type=Path, default=Path(__file__).parents[2] / "shared" / "corpora")
    dumping.add_argument("--role", choices=("train", "calibrate", "test"), default="calibrate")
    dumping.add_argument("--depth", choices=get_args(DepthChoice), default="auto")
    comparing = commands.add_parser("compare", help="list the verdicts that changed")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "dump":
        dump(options.file, options.corpus, options.role, options.depth)
        return 0
    return compare(_read(options.old), _read(options.new))


def dump(file: Path, corpus: Path, role: str, depth: str) -> None:
    """Add the verdicts on those texts of a role that the file has not yet."""
    from unspun.model.detector import Detector
    from unspun.training.corpora.corpus import read_labelled
    from unspun.training.corpora.roles import default_roles

    file.parent.mkdir(parents=True, exist_ok=True)
    done = set(_read(file)) if file.exists() else set()
    of_role = [text for text in read_labelled([corpus]) if default_roles().role(text) == role]
    named = list({f"{text.source}/{text.id}": text for text in of_role}.items())
    left = [(name, text) for name, text in named if name not in done]
    detector = Detector.load()
    with file.open("a", encoding="utf-8") as lines:
        for start in range(0, len(left), CHUNK):
            chunk = left[start : start + CHUNK]
            for (name, text), line in zip(
                chunk, _lines(detector, [text.text for _, text in chunk], depth), strict=True
            ):
                lines.write(json.dumps({"name": name, "label": text.label, **line}) + "\n")
            lines.flush()
            print(f"{len(done) + start + len(chunk):,} of {len(named):,}", file=sys.stderr, flush=True)


def _lines(detector: Any, texts: Sequence[str], depth: str) -> Iterator[dict[str, Any]]:
    from unspun.model.text.document import Documents

    verdicts = detector.score_many(texts, depth=depth, evidence=False)
    for text, verdict in zip(texts, verdicts, strict=True):
        document = Documents.parse([text])
        yield {
            "digest": digest(document),
            **{name: getattr(verdict, name) for name in (*COMPARED, "depth", "score", "words")},
            "excluded": document.excluded[0],
            "repairs": {repair.what: repair.count for repair in verdict.repairs},
        }


def digest(document: Any) -> str:
    """Return a hash of how one text was parsed: its tokens with their shapes, its sentences, and what is prose."""
    made = hashlib.blake2b(digest_size=8)
    for name in ("hash", "class", "shape", "prose", "sentence", "paragraph"):
        values = getattr(document, f"token_{name}")
        made.update(np.ascontiguousarray(values).tobytes())
    return made.hexdigest()


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """Return the lines of a dump by the name of the text. A last line that was cut off is left out."""
    whole = [line for line in file.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return {one["name"]: one for one in map(json.loads, whole)}


def compare(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> int:
    """Print the changes; return 1 if a verdict has become worse."""
    both = sorted(old.keys() & new.keys())
    changed = [name for name in both if any(old[name][field] != new[name][field] for field in COMPARED)]
    worse = [name for name in changed if is_worse(old[name], new[name])]
    parsed = sum(old[name]["digest"] != new[name]["digest"] for name in both)
    print(f"{len(both):,} texts, {parsed:,} parsed differently, {len(changed):,} verdicts changed, {len(worse)} worse")
    if len(both) < max(len(old), len(new)):
        print(f"{len(old.keys() ^ new.keys()):,} texts are only in one file")
    moves = Counter((old[name]["label"], _word(old[name]), _word(new[name])) for name in changed)
    for (label, before, after), count in sorted(moves.items()):
        print(f"  {count:5} {label}: {before} > {after}")
    for name in sorted(changed, key=lambda name: (name not in worse, name)):
        one, other = old[name], new[name]
        why = "decision" if one["digest"] == other["digest"] else "parse"
        details = "; ".join(f"{field} {one[field]} > {other[field]}" for field in SHOWN if one[field] != other[field])
        mark = "worse " if name in worse else ""
        print(f"{mark}{name} ({one['label']}): {_word(one)} > {_word(other)}, {why}; {details}")
    return 1 if worse else 0


def is_worse(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return whether a person's text is newly found, or a paraphrase no longer found."""
    if (old["verdict"] in FOUND) == (new["verdict"] in FOUND) or old["label"] == "llm":
        return False
    return bool((new["verdict"] in FOUND) == (old["label"] == "human"))


def _word(line: dict[str, Any]) -> str:
    return f"{line['verdict']} ({line['reason']})" if line["reason"] else str(line["verdict"])


if __name__ == "__main__":
    sys.exit(main())
