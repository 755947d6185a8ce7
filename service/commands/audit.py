"""`unspun audit`: unspun's accuracy, measured against people's labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from unspun.service.commands.common import database_option, format_option, wants_json, write_tables
from unspun.service.commands.feedback import open_store
from unspun.service.console import plural

if TYPE_CHECKING:
    from unspun.service.feedback.audit import Audit, AuditRow, Share
    from unspun.training.reporting.tables import Table

COLUMNS = ("", "texts", "precision", "recall", "false positives")
MOST_CONTRADICTING = 20
"""Texts with contradicting labels that the table names."""


@click.command(short_help="Measure accuracy against people's labels.")
@database_option
@click.option(
    "--at",
    "level",
    type=click.Choice(["suspect", "paraphrased"]),
    default="suspect",
    show_default=True,
    help="Weakest verdict that counts as found, by kind, source and model.",
)
@format_option()
def audit(database: str, level: str, form: str | None) -> None:
    """Measure unspun's accuracy against people's labels: overall, and by signal, kind, source and model.

    Each share comes with its 95 % confidence interval (Wilson) and the counts behind it. Each text counts once, with
    its latest label. Texts whose labels contradict each other are listed and left out; delete the wrong label with
    `unspun feedback delete ID`. Texts without a verdict are counted and left out. Verdicts are those that were given
    when the text was labelled, by the model that is named.

    \b
    Exit status:
      0    measured
      1    the database could not be used
      2    wrong usage

    \b
    Examples:
      unspun audit
      unspun audit --database postgresql://unspun@db/unspun --at paraphrased
      unspun audit --format jsonl | jq '.overall[0].precision'
    """
    with open_store(database) as store:
        from unspun.service.feedback.audit import audit as measure

        found = measure(store.labels(), "paraphrased" if level == "paraphrased" else "suspect")
    if wants_json(form):
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        write_tables(_tables(found))


def _tables(found: Audit) -> Iterator[Table]:
    from unspun.training.reporting.tables import Table

    words = ", ".join(f"{number:,} {word}" for word, number in found.words.items() if number)
    note = (
        f"{plural(found.labels, 'label')} of {plural(found.texts, 'text')}; left out: "
        f"{plural(len(found.contradicting), 'text')} with contradicting labels and {found.abstained:,} without a "
        f"verdict. Measured on: {words or 'none'}."
    )
    yield _table("Labels", found.overall, note)
    weakest = "suspect or paraphrased" if found.level == "suspect" else "paraphrased"
    yield _table(
        "By signal",
        found.signals,
        "Found: the signal gave evidence. False positives: texts labelled human in which it did.",
    )
    yield _table("By kind", found.kinds, f"Found: {weakest}, and of this kind.")
    yield _table("By source", found.sources, f"Found: {weakest}.")
    yield _table("By model", found.models, f"Found: {weakest}.")
    if found.contradicting:
        rows = tuple(
            (one.digest[:12], ", ".join(f"{label.label} ({label.id})" for label in one.labels))
            for one in found.contradicting[:MOST_CONTRADICTING]
        )
        more = len(found.contradicting) - len(rows)
        note = "Delete the wrong labels with `unspun feedback delete ID`."
        if more > 0:
            note += f" {more:,} more texts are not shown."
        yield Table(("Contradicting labels",), note, ("text", "labels"), rows, (False, False))


def _table(title: str, rows: list[AuditRow], note: str) -> Table:
    from unspun.training.reporting.tables import Table

    cells = tuple(
        (row.name, f"{row.texts:,}", _share(row.precision), _share(row.recall), _share(row.false_positive_rate))
        for row in rows
    )
    return Table((title,), note, COLUMNS, cells, (False, True, True, True, True))


def _share(share: Share) -> str:
    from unspun.model.wording import decimal_percent

    if share.value is None or share.interval is None:
        return "-"
    low, high = (decimal_percent(end, 1).removesuffix(" %") for end in share.interval)
    return f"{decimal_percent(share.value, 1)} ({low}-{high}) {share.part}/{share.whole}"
