"""The model card: what a bundle's manifest says, as Markdown for people to read.

`python -m unspun.training.reporting.card BUNDLE` prints the card of a bundle. It reads only the manifest, so a card can
be made anywhere and says the same everywhere. What the manifest does not say, the card leaves out.

Read from the manifest, besides what `model.bundle` itself writes:

- `data`: the fingerprint of the texts learnt from, as of `training.corpora.fingerprint`;
- `licences`: origin and terms of each source, `{source: text}`;
- `sources`: thesauri, vectors, lexicons, `{name: what and under which terms}`;
- `features`: the names of the document numbers, `signal.number`;
- `decision`: how evidence becomes a verdict (`model.decision`);
- `fitted_on`: the role, sources and makers of the texts that each part was fitted on, `{part: {...}}`;
- `recipe`, `seed`: what training depended on besides the texts;
- `accuracy`: measured figures, laid out as `training.tables` reads them;
- `retrained_from`, `house`, `comparison`: of a model that was retrained on a house's own texts, from which, on what,
  and what it is worth (`training.adapt`); and
- `calibrated_from`, `calibration`: of one whose thresholds were set anew, which, and on how many texts
  (`training.recalibrate`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unspun.model.bundle import DEFAULT, MANIFEST
from unspun.model.wording import QUESTIONS
from unspun.training.reporting.tables import NOTHING, Table, cell, tables

CARD = "CARD.md"
"""The card's file name in a bundle."""

_PURPOSE = """
Tells whether an English article was produced by a machine from somebody else's text, and of what kind:

- `spun`: words and phrases substituted, as article spinners do;
- `translated`: machine translation, or a round trip through another language;
- `rewritten`: a neural rewriter's or language model's paraphrase.

It is meant for whoever has to look through many texts (editors, publishers, graders, people who clean a
corpus), and shows the words that speak for its verdict, so that a person can decide.
"""

_LIMITS = """
- A verdict is a reason to look, not proof. Do not act against a person on it alone: read the evidence, and
  compare the text with its suspected source.
- It does not tell that a text is a copy, nor of what: it sees one text at a time.
- It is not a detector of text that a language model wrote from nothing, which it may call `rewritten` or
  `clear`.
- English only, and running prose. Lists, tables, code and very short texts get no verdict (`abstained`).
- Light paraphrase, where few words are replaced or a person has smoothed the result, is missed.
- Fluent substitutes, such as a masked language model proposes, are harder than a thesaurus's. A tool unlike
  any that it met in training is found less often than one that it knows.
- Those who write unlike the people it learned from (learners, poets, writers of other times and trades)
  are likelier to be accused wrongly. Look at the false-positive rates by source before using it on such text.
- Text that is very unlike what it was calibrated on gets no verdict (`abstained`, reason `unfamiliar`).
- Language changes: text much younger than what it learned from may fare worse than the figures say.
"""

_DECISION = """
For each kind the model gives one number, the evidence, and says how often human text of the same length shows evidence
at least as strong. Divided by the kind's share of the budget that is the kind's rate; the smallest of the three is the
text's `false_positive_rate`, and `score` is a fixed function of it: 0.5 is the threshold of `suspect` and 0.9 that of
`paraphrased`, at every length and depth. The score is not a probability. The thresholds are where 3 % and 0.5 % of the
human texts lie that it was calibrated on, each source counted once.
"""

_CLASSIFIER = """
The signals read {numbers} numbers from a text. For each kind of machine a classifier, gradient-boosted trees
and, for some kinds, a logistic regression on style beside them, tells that kind from human text by them.
"""

_DEEP = """
Where the fast tier is in doubt, a small pretrained encoder (all-MiniLM-L6-v2, fine-tuned) reads the text in windows. It
says for each word how likely a spinner put it there, and for each window how likely it is of each kind. What it says
decides then, together with a share of the fast tier's evidence: they err on different texts. The fast tier's answer
stands where the rate of every kind is above the limits of doubt. `docs/accuracy.md` tells what each depth is worth.
"""

_FITTED_ON = """
Every source and every maker (a family of tools) has a role. A text is used in a role only if its source and its maker
both have it. Nothing was fitted on text that the model's figures are measured on.
"""

_TRAINING = """
`unspun train` makes a bundle from labelled text, and `unspun evaluate` measures it; `unspun train --help`
says what it needs. The same texts, seed and library versions give the same bundle. A bundle cannot be changed
in place, since its hashes are checked: train a new one.
"""


def render_card(manifest: Mapping[str, Any]) -> str:
    """Return the model card of a manifest: Markdown, lines unbroken, a line end at the end."""
    sections = [
        _head(manifest),
        ("What it is for", _PURPOSE),
        ("What it tells, and at which score", _decision(manifest)),
        ("Calibrated on", _calibration(manifest)),
        ("How it works", _signals(manifest)),
        ("The deep tier", _deep(manifest)),
        ("What it learned from", _data(manifest)),
        ("What each part was fitted on", _fitted_on(manifest)),
        ("Compared with the model that it was retrained from", _comparison(manifest)),
        ("How good it is", _accuracy(manifest)),
        ("What it does not tell", _LIMITS),
        ("How to train it again", _training(manifest)),
        ("Files", _files(manifest)),
    ]
    parts = [f"## {name}\n\n{body.strip()}" if name else body.strip() for name, body in sections if body.strip()]
    return "\n\n".join(parts) + "\n"


def _head(manifest: Mapping[str, Any]) -> tuple[str, str]:
    name, version = manifest.get("name", "unnamed"), manifest.get("version", "unknown")
    return "", (
        f"# Model card: {name} {version}\n\n"
        "A model of unspun, the detector of machine-paraphrased text. This card is made from the model's\n"
        "manifest by `python -m unspun.training.reporting.card`; do not edit it."
    )


def _decision(manifest: Mapping[str, Any]) -> str:
    decision = manifest.get("decision")
    if not isinstance(decision, Mapping):
        return ""
    rows = [
        {
            "tier": tier,
            **{f"{word} at a rate of": f"{one[word]:.3g}" for word in ("suspect", "paraphrased")},
            **{f"share of {kind}": f"{share:g}" for kind, share in one["shares"].items()},
        }
        for tier, one in decision.get("tiers", {}).items()
    ]
    lines = [_DECISION.strip()]
    if "supported" in decision:
        lines.append(f"No `false_positive_rate` below {decision['supported']:g} is stated: the sample supports none.")
    if "minimum_words" in decision:
        lines.append(f"Texts of fewer than {decision['minimum_words']} words get no verdict.")
    if "least_familiar" in decision:
        lines.append(f"Nor do those with an unfamiliarity above {decision['least_familiar']:.3g}.")
    return joined("\n".join(lines), markdown(tables(rows), 3))


def _deep(manifest: Mapping[str, Any]) -> str:
    if not isinstance(manifest.get("deep"), Mapping):
        return ""
    numbers = {"doubt": manifest.get("doubt"), "weight_of_the_fast_tier": manifest["deep"].get("fast_weights")}
    return joined(_DEEP, markdown(tables({name: value for name, value in numbers.items() if value}), 3))


def _fitted_on(manifest: Mapping[str, Any]) -> str:
    parts = manifest.get("fitted_on")
    if not isinstance(parts, Mapping):
        return ""
    rows = [
        {
            "part": part,
            "role of the texts": entry.get("role"),
            "sources": len(entry.get("sources", ())),
            "makers": len(entry.get("makers", ())),
        }
        for part, entry in parts.items()
    ]
    lists: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for part, entry in parts.items():
        for what in ("sources", "makers"):
            if names := tuple(entry.get(what, ())):
                lists.setdefault((what, names), []).append(part)
    named = [
        f"{_capitalised(what)} of the {' and the '.join(of)}: {', '.join(names)}."
        for (what, names), of in lists.items()
    ]
    return joined(_FITTED_ON, markdown(tables(rows), 3), *named)


def _signals(manifest: Mapping[str, Any]) -> str:
    names = manifest.get("features", manifest.get("feature_names"))
    if not isinstance(names, Sequence) or isinstance(names, str):
        return ""
    counts = Counter(str(name).split(".")[0] for name in names)
    rows = [{"signal": name, "numbers": count, "asks": QUESTIONS.get(name)} for name, count in counts.items()]
    return joined(_CLASSIFIER.format(numbers=len(names)), markdown(tables(rows), 3))


def _data(manifest: Mapping[str, Any]) -> str:
    data = manifest.get("data", manifest.get("fingerprint"))
    parts: list[str] = []
    if isinstance(data, Mapping):
        parts.append(_counted(data))
        parts.append(markdown(tables(_sources(data, manifest.get("licences", {}))), 3))
        rest = {key: value for key, value in data.items() if key not in ("texts", "sources", "sha256")}
        parts.append(markdown(tables(rest), 3))
    parts.append(markdown(tables(manifest.get("sources"), ("Published resources",)), 3))
    return joined(*parts)


def joined(*parts: str) -> str:
    """Return Markdown blocks, those that are not empty, with a blank line between."""
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _counted(data: Mapping[str, Any]) -> str:
    line = "No text is in the model: it holds counts, weights and word lists."
    if "texts" in data:
        line = f"{cell('texts', data['texts'])} texts of {len(data.get('sources', {}))} sources. {line}"
    if "sha256" in data:
        line += f" Fingerprint of the texts, sha256: `{data['sha256']}`."
    return line


def _sources(data: Mapping[str, Any], licences: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row for each source: texts by label, and its terms."""
    counts: Mapping[str, Any] = data.get("sources", {})
    rows: list[dict[str, Any]] = []
    for source, labels in counts.items():
        row: dict[str, Any] = {"source": source}
        if isinstance(labels, Mapping):
            row["texts"] = sum(count for count in labels.values() if isinstance(count, int))
            row["labels"] = ", ".join(labels) if len(labels) < 2 else cell("", labels)
        else:
            row["texts"] = labels
        if licences:
            row["origin and terms"] = licences.get(source)
        rows.append(row)
    return rows


def _accuracy(manifest: Mapping[str, Any]) -> str:
    accuracy = manifest.get("accuracy")
    if not accuracy:
        return "Not measured: `unspun evaluate` measures it."
    return markdown(tables(accuracy), 3)


def _comparison(manifest: Mapping[str, Any]) -> str:
    found, used = manifest.get("comparison"), manifest.get("retrained_from")
    if not isinstance(found, Mapping) or not isinstance(used, Mapping):
        return ""
    house = manifest.get("house", {})
    data = house.get("data", {})
    labels: Counter[str] = Counter()
    for counts in data.get("sources", {}).values():
        labels.update(counts)
    base = f"{used.get('name')} {used.get('version')}"
    made = (
        f"Retrained from {base} on {cell('', data.get('texts'))} texts of a house ({cell('', labels)}), "
        f"seed {house.get('seed')}, fingerprint `{data.get('sha256')}`: a correction that holds in the house's domain, "
        f"{found['strength']:g} times as strong as fitted. Below is what each is worth on texts of the house that it "
        f"had not seen, parted by {found['parted_by']}."
    )
    rows = [{"tier": tier, **row} for tier, measured in found["tiers"].items() for row in measured["kinds"]]
    if not rows:
        rest = "There were too few new texts to tell what it is worth."
    elif found["worse"]:
        rest = f"**It tells these texts less well than {base}: do not use it.**"
    elif not found["strength"]:
        rest = f"Nothing was learnt: no correction helped without harm elsewhere, and it scores as {base} does."
    else:
        rest = ""
    elsewhere = (
        f"Elsewhere no part of the texts that {base} was made with loses more than "
        f"{found['elsewhere']['largest_fall_of_auroc']:.3f} of AUROC. The other figures of this card are those of "
        f"{base}."
    )
    return joined(made, markdown(tables(rows), 3), rest, elsewhere)


def _calibration(manifest: Mapping[str, Any]) -> str:
    checks, used = manifest.get("calibration"), manifest.get("calibrated_from")
    if not isinstance(checks, Sequence) or isinstance(checks, str) or not isinstance(used, Mapping) or not checks:
        return ""
    rows = [
        {
            "tier": check["tier"],
            "called": check["word"],
            "target_share": check["target"],
            "of": check["texts"],
            "before": check["before"],
            "after": check["after"],
            "share": check["after"] / check["texts"],
            "share_at_most": check["at_most"],
            "proven": check["enough"],
        }
        for check in checks
    ]
    note = (
        "A user's own human text set how strict this model is; before, it was "
        f"{used.get('name')} {used.get('version')}. Share at most: of new texts like these, with 95 % confidence, no "
        "more are called so. Where the texts were too few to prove a target, the model was made stricter where the "
        "target was missed, and never less strict."
    )
    return joined(note, markdown(tables(rows), 3))


def _training(manifest: Mapping[str, Any]) -> str:
    versions = {"format": manifest.get("format"), "libraries": manifest.get("libraries")}
    facts = {key: value for key, value in versions.items() if value is not None}
    recipe = manifest.get("recipe")
    rows = {**facts, **(recipe if isinstance(recipe, Mapping) else {})}
    if "seed" in manifest:
        rows["seed"] = manifest["seed"]
    return joined(_TRAINING, markdown(tables({key: _flat(value) for key, value in rows.items()}), 3))


def _flat(value: Any) -> Any:
    return cell("", value) if isinstance(value, Mapping) else value


def _files(manifest: Mapping[str, Any]) -> str:
    files = manifest.get("files")
    if not isinstance(files, Mapping):
        return ""
    rows = [{"file": f"`{name}`", "sha256": f"`{str(files[name])[:16]}...`"} for name in sorted(files)]
    return joined("All hashes are checked before anything is loaded.", markdown(tables(rows), 3))


def markdown(found: Iterator[Table], level: int) -> str:
    """Return tables as Markdown, under headings from `level` down."""
    blocks: list[str] = []
    above: tuple[str, ...] = ()
    for table in found:
        blocks += _headings(above, table.titles, level)
        above = table.titles
        if table.note:
            blocks.append(table.note)
        if table.rows:
            blocks.append(_grid(table))
    return joined(*blocks)


def _headings(above: tuple[str, ...], titles: tuple[str, ...], level: int) -> list[str]:
    """Return the headings of those sections that a table begins."""
    shared = 0
    while shared < min(len(above), len(titles)) and above[shared] == titles[shared]:
        shared += 1
    return [f"{'#' * min(level + depth, 6)} {_capitalised(titles[depth])}" for depth in range(shared, len(titles))]


def _capitalised(heading: str) -> str:
    return heading[:1].upper() + heading[1:]


def _grid(table: Table) -> str:
    """Return a table's rows in Markdown, columns padded so that the source is readable too."""
    rows = [[_escaped(text) for text in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(table.columns))]
    ends = [":" if right else "-" for right in table.numbers]
    rule = ["-" * (width - 1) + end for width, end in zip(widths, ends, strict=True)]
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join("| " + " | ".join(_aligned(line, widths, table.numbers)) + " |" for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> list[str]:
    return [
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(line, widths, numbers, strict=True)
    ]


def _escaped(text: str) -> str:
    return (text if text != NOTHING else "").replace("|", "\\|").replace("<", "&lt;")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the card of a bundle; return the exit status."""
    parser = argparse.ArgumentParser(
        "python -m unspun.training.reporting.card", description="Print a bundle's model card."
    )
    parser.add_argument("bundle", nargs="?", type=Path, default=DEFAULT, help="the bundle's folder")
    bundle = parser.parse_args(arguments).bundle
    try:
        manifest = json.loads((bundle / MANIFEST).read_text("utf-8"))
    except OSError as error:
        print(f"{bundle / MANIFEST}: {error.strerror}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"{bundle / MANIFEST}: not JSON ({error})", file=sys.stderr)
        return 1
    sys.stdout.write(render_card(manifest))
    return 0


if __name__ == "__main__":
    sys.exit(main())
