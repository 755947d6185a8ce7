"""`unspun audit`: what people's labels tell of the model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from unspun.service.commands.feedback import database_option, open_store

if TYPE_CHECKING:
    from unspun.service.feedback.audit import Audit, AuditRow, Share
    from unspun.training.reporting.tables import Table

COLUMNS = ("", "texts", "precision", "recall", "false positives")
MOST_TOLD = 20
"""Contradicting texts that the table names."""


@click.command(short_help="Precision, recall and false positives by people's labels.")
@database_option
@click.option(
    "--at",
    "level",
    type=click.Choice(["suspect", "paraphrased"]),
    default="suspect",
    show_default=True,
    help="The least verdict that counts as found, by kind, source and model.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), help="Default: a table on a terminal, else JSON."
)
def audit(database: str, level: str, form: str | None) -> None:
    """Tell how right unspun was of the texts that people have labelled: overall, and by signal, kind, source and model.

    Each share comes with its 95 % interval (Wilson) and the numbers behind it. A text counts once, however often it was
    given the same label: the latest. Texts whose labels contradict each other are named and left out (`unspun feedback
    delete ID` takes the wrong one back), those that unspun abstained from are counted and left out. The verdicts are
    those of the time of the label, by the model that is named.

    \b
    Examples:
      unspun audit
      unspun audit --database postgresql://unspun@db/unspun --at paraphrased
      unspun audit --format json | jq '.overall[0].precision'
    """
    with open_store(database) as store:
        from unspun.service.feedback.audit import audit as ask

        found = ask(store.labels(), "paraphrased" if level == "paraphrased" else "suspect")
    if form == "json" or (form is None and not sys.stdout.isatty()):
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
        return
    from rich.console import Console

    from unspun.service.render.evaluation import draw, plain_console

    click.echo(draw(_tables(found), Console() if sys.stdout.isatty() else plain_console()), nl=False)


def _tables(found: Audit) -> Iterator[Table]:
    from unspun.training.reporting.tables import Table

    words = ", ".join(f"{number:,} {word}" for word, number in found.words.items() if number)
    note = (
        f"{_count(found.labels, 'label')} of {_count(found.texts, 'text')}; "
        f"{_count(len(found.contradicting), 'text')} with contradicting labels and {found.abstained:,} without a "
        f"verdict left out. Behind the figures: {words or 'none'}."
    )
    yield _table("Labels", found.overall, note)
    least = "suspect or paraphrased" if found.level == "suspect" else "paraphrased"
    signals = "Found: the signal gave evidence of its own. False positives are of texts labelled human."
    yield _table("By signal", found.signals, signals)
    yield _table("By kind", found.kinds, f"Found: {least}, and of this kind.")
    yield _table("By source", found.sources, f"Found: {least}.")
    yield _table("By model", found.models, f"Found: {least}.")
    if found.contradicting:
        rows = tuple(
            (one.digest[:12], ", ".join(f"{label.label} ({label.id})" for label in one.labels))
            for one in found.contradicting[:MOST_TOLD]
        )
        more = len(found.contradicting) - len(rows)
        note = "Delete what is wrong with `unspun feedback delete ID`." + (
            f" {more:,} more are not shown." * (more > 0)
        )
        yield Table(("Contradicting",), note, ("text", "labels"), rows, (False, False))


def _table(title: str, rows: list[AuditRow], note: str) -> Table:
    from unspun.training.reporting.tables import Table

    cells = tuple(
        (row.name, f"{row.texts:,}", _share(row.precision), _share(row.recall), _share(row.false_positive_rate))
        for row in rows
    )
    return Table((title,), note, COLUMNS, cells, (False, True, True, True, True))


def _share(share: Share) -> str:
    ends = share.interval
    if share.value is None or ends is None:
        return "-"
    return f"{100 * share.value:.1f} % ({100 * ends[0]:.1f}-{100 * ends[1]:.1f}) {share.part}/{share.whole}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
