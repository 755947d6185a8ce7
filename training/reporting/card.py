"""The model card: what a bundle's manifest says, as Markdown for people to read.

`python -m unspun.training.reporting.card BUNDLE` prints the card of a bundle. The card depends only on the manifest, so
it can be made anywhere and is the same everywhere; parts that the manifest lacks are left out. The sentences
are in `card.md.jinja`; this module turns parts of the manifest into tables.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unspun.model.atomic import atomic_write
from unspun.model.bundle import MANIFEST, SHIPPED, find
from unspun.model.wording import QUESTIONS
from unspun.training.reporting.tables import cell, tables
from unspun.training.reporting.templates import grid, load_template

CARD = "CARD.md"
"""The card's file name in a bundle."""
_TEMPLATE = Path(__file__).with_name("card.md.jinja")
_HEADING = 3
"""The level of the headings inside a section."""

Row = dict[str, Any]


def render_card(manifest: Mapping[str, Any]) -> str:
    """Return the model card of a manifest as Markdown."""
    helpers = (thresholds, checks, signals, sources, parts, names, labels, compared, recipe, files, present, rest, cell)
    page = load_template(_TEMPLATE).render(
        manifest=manifest, tables=_tables, **{helper.__name__: helper for helper in helpers}
    )
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


def write_card(folder: Path) -> dict[str, Any]:
    """Write the card of the bundle in a folder; return its manifest."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    with atomic_write(folder / CARD) as file:  # never into a file elsewhere that CARD.md may be a link to
        file.write(render_card(manifest).encode("utf-8"))
    return manifest


def _tables(results: Any, *titles: str) -> str:
    blocks: list[str] = []
    above: tuple[str, ...] = ()
    for table in tables(results, titles):
        shared = 0
        while table.titles[shared : shared + 1] and table.titles[shared : shared + 1] == above[shared : shared + 1]:
            shared += 1
        blocks += [
            f"{'#' * min(_HEADING + depth, 6)} {_capitalised(title)}"
            for depth, title in enumerate(table.titles)
            if depth >= shared
        ]
        above = table.titles
        blocks.append(table.note.strip())
        if table.rows:
            blocks.append(grid(table.columns, table.rows, table.numbers))
    return "\n\n".join(block for block in blocks if block)


def _capitalised(heading: str) -> str:
    return heading[:1].upper() + heading[1:]


def thresholds(decision: Mapping[str, Any]) -> list[Row]:
    """Return the thresholds and shares of each tier that gives scores."""
    return [
        {
            "tier": tier,
            **{f"{word} at a rate of": f"{one[word]:.3g}" for word in ("suspect", "paraphrased")},
            **{f"share of {kind}": f"{share:g}" for kind, share in one["shares"].items()},
        }
        for tier, one in decision.get("tiers", {}).items()
        if tier != "first"
    ]


def checks(calibration: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return what calibrating on a user's own texts changed, a row for each tier and verdict."""
    return [
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
        for check in calibration
    ]


def signals(features: Sequence[str]) -> list[Row]:
    """Return how many document numbers each signal gives, and the question that it answers."""
    counts = Counter(name.split(".")[0] for name in features)
    return [{"signal": name, "numbers": count, "asks": QUESTIONS.get(name)} for name, count in counts.items()]


def sources(data: Mapping[str, Any], licences: Mapping[str, str]) -> list[Row]:
    """Return the texts of each source by label, and its terms."""
    return [
        {
            "source": source,
            "texts": sum(counts.values()),
            "labels": ", ".join(counts) if len(counts) < 2 else cell("", counts),
            **({"origin and terms": licences.get(source)} if licences else {}),
        }
        for source, counts in data.get("sources", {}).items()
    ]


def parts(fitted_on: Mapping[str, Any]) -> list[Row]:
    """Return the role of the texts that each part was fitted on, and how many sources and makers they have."""
    return [
        {
            "part": part,
            "role of the texts": entry.get("role"),
            "sources": len(entry.get("sources", ())),
            "makers": len(entry.get("makers", ())),
        }
        for part, entry in fitted_on.items()
    ]


def names(fitted_on: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each list of sources or makers, which parts of the model share."""
    lists: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for part, entry in fitted_on.items():
        for what in ("sources", "makers"):
            if found := tuple(entry.get(what, ())):
                lists.setdefault((what, found), []).append(part)
    return [
        f"{_capitalised(what)} of the {' and the '.join(own)}: {', '.join(found)}."
        for (what, found), own in lists.items()
    ]


def labels(data: Mapping[str, Any]) -> Counter[str]:
    """Count texts by label over all sources."""
    counts: Counter[str] = Counter()
    for of_source in data.get("sources", {}).values():
        counts.update(of_source)
    return counts


def compared(comparison: Mapping[str, Any]) -> list[Row]:
    """Return the AUROC of each kind before and after retraining, by tier."""
    return [{"tier": tier, **row} for tier, measured in comparison["tiers"].items() for row in measured["kinds"]]


def recipe(manifest: Mapping[str, Any]) -> Row:
    """Return what training depended on besides the texts."""
    facts = present({name: manifest.get(name) for name in ("format", "libraries", "allowed")})
    seed = {"seed": manifest["seed"]} if "seed" in manifest else {}
    rows = {**facts, **manifest.get("recipe", {}), **seed}
    return {name: cell("", value) if isinstance(value, Mapping) else value for name, value in rows.items()}


def files(hashes: Mapping[str, str]) -> list[Row]:
    """Return the bundle's files and the beginning of each one's hash."""
    return [{"file": f"`{name}`", "sha256": f"`{hashes[name][:16]}...`"} for name in sorted(hashes)]


def present(values: Mapping[str, Any]) -> Row:
    """Return the entries that have a value."""
    return {name: value for name, value in values.items() if value}


def rest(values: Mapping[str, Any], *left_out: str) -> Row:
    """Return the entries that are not `left_out`."""
    return {name: value for name, value in values.items() if name not in left_out}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the card of a bundle; return the exit status."""
    parser = argparse.ArgumentParser(
        "python -m unspun.training.reporting.card", description="Print a bundle's model card."
    )
    parser.add_argument("--model", default=SHIPPED, metavar="BUNDLE", help="folder of the bundle (default: default)")
    file = find(parser.parse_args(arguments).model) / MANIFEST
    try:
        manifest = json.loads(file.read_text("utf-8"))
    except OSError as error:
        print(f"{file}: {error.strerror}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"{file}: not valid JSON ({error})", file=sys.stderr)
        return 1
    sys.stdout.write(render_card(manifest))
    return 0


if __name__ == "__main__":
    sys.exit(main())
