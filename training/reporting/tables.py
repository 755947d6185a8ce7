"""Measured figures as tables of text, which the model card writes as Markdown and the command line draws.

Results are nested dictionaries of plain JSON types. These become tables:

- a list of dictionaries, one row each;
- a dictionary with such a list as `rows`, and a `note` that explains the rows;
- a dictionary of dictionaries that have keys in common, one row each, headed by its key;
- the numbers and strings of any other dictionary, one row each.

`auroc`, `auroc_low` and `auroc_high` share a column: a figure with its confidence interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOTHING = "-"
"""Shown in place of a missing figure."""

_NAMES = {
    "auroc": "AUROC",
    "tpr_1": "TPR at 1 %",
    "tpr_1_with_unfamiliar": "TPR at 1 % with unfamiliar",
    "tpr_05": "TPR at 0.5 %",
    "tpr_at_1_percent": "TPR at 1 %",
    "tpr_at_0.5_percent": "TPR at 0.5 %",
    "llm": "language models",
}
_ACRONYMS = {"auroc": "AUROC", "tpr": "TPR", "fpr": "FPR", "f1": "F1", "ece": "ECE", "ci": "CI"}
_SHARES = ("rate", "share", "tpr", "fpr", "recall", "precision", "paraphrased", "suspect", "wilson")
_UNGROUPED = ("seed", "year")  # numbers without a thousands separator


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text cells. `titles` are those of the sections around it, the outermost first.

    `columns` names the cells of a row; `numbers` marks the columns to align to the right. A table without columns is
    only a note.
    """

    titles: tuple[str, ...]
    note: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[bool, ...] = ()


def tables(results: Any, titles: tuple[str, ...] = ()) -> Iterator[Table]:
    """Yield the tables of nested results, in their order."""
    if isinstance(results, Mapping):
        yield from _of_mapping(results, titles)
    elif _is_rows(results):
        yield _of_rows(results, titles)
    elif not _is_empty(results):
        yield Table(titles, cell("", results))


def _of_mapping(results: Mapping[str, Any], titles: tuple[str, ...]) -> Iterator[Table]:
    note = results["note"] if isinstance(results.get("note"), str) else ""
    rest = {key: value for key, value in results.items() if not (key == "note" and note)}
    if rest.get("rows") == [] and len(rest) == 1:
        return  # the note would explain nothing
    if _is_rows(rest.get("rows")):
        yield _of_rows(rest.pop("rows"), titles, note)
        note = ""
    elif _are_alike(rest):
        yield _of_rows([{"": title(key), **value} for key, value in rest.items()], titles, note)
        return
    plain = {key: value for key, value in rest.items() if not _is_nested(value)}
    if plain:
        rows = [{"": name, "value": shown} for name, shown in _cells(plain).items()]
        yield _of_rows(rows, titles, note, head=False)
    elif note:
        yield Table(titles, note)
    for key, value in rest.items():
        if _is_nested(value):
            yield from tables(value, (*titles, title(key)))


def _of_rows(rows: Sequence[Mapping[str, Any]], titles: tuple[str, ...], note: str = "", *, head: bool = True) -> Table:
    shown = [_cells(row) for row in rows]
    columns = list(dict.fromkeys(name for row in shown for name in row))
    numbers = [all(_is_figure(row.get(name, NOTHING)) for row in shown) for name in columns]
    return Table(
        titles,
        note,
        tuple(columns if head else ["" for _ in columns]),
        tuple(tuple(row.get(name, NOTHING) for name in columns) for row in shown),
        tuple(numbers),
    )


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a row's cells by column name, each interval in the cell of its figure."""
    cells: dict[str, str] = {}
    for key, value in row.items():
        base, _, end = key.rpartition("_")
        if end in ("low", "high") and _has_interval(row, base):
            continue
        text = cell(key, value)
        if _has_interval(row, key) and text != NOTHING:
            low, high = (cell(key, row[f"{key}_{end}"]).removesuffix(" %") for end in ("low", "high"))
            text += f" ({low}-{high})"
        cells[title(key)] = text
    return cells


def _has_interval(row: Mapping[str, Any], key: str) -> bool:
    return {key, f"{key}_low", f"{key}_high"} <= row.keys()


def cell(key: str, value: Any) -> str:
    """Return a figure as text; shares, which are recognised by their key, become percentages."""
    if _is_empty(value):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if key in _UNGROUPED else f"{value:,}"
    if isinstance(value, float):
        return _number(key, value)
    if isinstance(value, Mapping):
        return ", ".join(f"{title(name)} {cell(name, part)}" for name, part in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(cell(key, part) for part in value)
    return " ".join(str(value).split())


def _number(key: str, value: float) -> str:
    if not math.isfinite(value):
        return NOTHING
    if 0.0 <= value <= 1.0 and any(word in _SHARES for word in key.split("_")):
        return f"{value * 100:.{1 if value >= 0.0995 else 2}f} %"
    if abs(value) < 10:
        return f"{value:.3f}"
    return f"{value:,.1f}"


def title(key: str) -> str:
    """Return a key as a heading: `false_positives` becomes "false positives"."""
    if key in _NAMES:
        return _NAMES[key]
    return " ".join(_ACRONYMS.get(word, word) for word in key.replace("_", " ").split())


def _is_figure(text: str) -> bool:
    return text == NOTHING or (text.lstrip("-")[:1].isdigit() and not any(c.isalpha() for c in text))


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | Sequence | Mapping) and not len(value))


def _is_nested(value: Any) -> bool:
    """Return whether a value needs a table of its own."""
    return isinstance(value, Mapping) or _is_rows(value)


def _is_rows(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
    )


def _are_alike(results: Mapping[str, Any]) -> bool:
    """Return whether a dictionary is a table: two or more flat rows with keys in common."""
    rows = list(results.values())
    if len(rows) < 2 or not all(isinstance(row, Mapping) and row for row in rows):
        return False
    if any(_is_nested(value) for row in rows for value in row.values()):
        return False
    return bool(set.intersection(*({*row} for row in rows)))
