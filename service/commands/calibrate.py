"""`unspun calibrate`: a model's thresholds, set by a house's own trusted text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.console import CommandError, complain
from service.output_bundle import check_output

if TYPE_CHECKING:
    from model.detector import Detector
    from model.verdict import Verdict
    from training.recalibrate import Recalibrated

INCOMPLETE = 3
MOST_FAILURES = 5
CHUNK = 16
_SHARE = click.FloatRange(min=0.0, max=0.5, min_open=True)


@click.command(short_help="Set a model's thresholds by text that is surely human.")
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--on", "paths", metavar="PATH", multiple=True, required=True, help="Trusted text: files or folders. Repeatable."
)
@click.option(
    "--target-fpr",
    type=_SHARE,
    default=0.005,
    show_default=True,
    help="Share of such texts that may be called paraphrased.",
)
@click.option("--target-suspect", type=_SHARE, help="Share that may be called suspect or worse. Default: ten times it.")
@click.option(
    "--output",
    metavar="BUNDLE",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the model here. Default: in place; the model that ships is never changed.",
)
@click.option("--version", help="The new model's version. Default: the old one and +calibrated.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, and no table of figures.")
@click.pass_context
def calibrate(
    context: click.Context,
    /,
    bundle: Path,
    paths: tuple[str, ...],
    target_fpr: float,
    target_suspect: float | None,
    output: Path | None,
    version: str | None,
    quiet: bool,
) -> None:
    """Set the thresholds of the model in BUNDLE by a house's own human text.

    All thresholds of a tier move together, to where the texts prove that the target is kept: 0.5 % takes some 800
    texts. With fewer they are raised if more than the target share is called so, and never lowered. Texts that the
    model learnt from, texts given twice and texts that get no verdict are left out.

    \b
    Exit status:
      0    calibrated
      1    too few texts, or the model cannot be read or written
      2    wrong usage
      3    calibrated, but some files could not be read
      130  interrupted

    \b
    Examples:
      unspun calibrate house-model --on archive/2015/ --target-fpr 0.005
      unspun calibrate house-model --on archive/ --target-fpr 0.001 --output stricter
    """
    from model.detector import Detector
    from training.recalibrate import SUSPECT_FACTOR, CalibrationError, recalibrate, write

    target = output or bundle
    check_output(target)
    detector = Detector.load(bundle)
    texts, unread = _read(paths, detector)
    targets = {"paraphrased": target_fpr, "suspect": target_suspect or min(SUSPECT_FACTOR * target_fpr, 0.5)}
    if targets["suspect"] < target_fpr:
        raise click.UsageError("--target-suspect is below --target-fpr: what is paraphrased is suspect, too.")

    def each(some: Sequence[str], depth: str) -> list[Verdict]:
        return _score(detector, some, depth, quiet)

    try:
        found = recalibrate(detector, texts, targets, each=each)
        write(detector, found, target, version=version or _version(detector.model.version))
    except CalibrationError as error:
        raise CommandError(f"{error}; the model stays as it is") from error
    if not quiet:
        _show(found)
        complain(f"wrote {target}")
    short = [shift for shift in found.shifts if not shift.enough]
    if short:
        complain(
            "too few texts to prove the target of "
            + ", ".join(f"{shift.word} ({shift.tier})" for shift in short)
            + ": these thresholds were raised where it was missed, and never lowered"
        )
    if unread:
        context.exit(INCOMPLETE)


def _version(version: str) -> str:
    return version if version.endswith("+calibrated") else f"{version}+calibrated"


def _read(paths: Sequence[str], detector: Detector) -> tuple[list[str], int]:
    """Return the texts, each once and none that the model learnt from, and how many files could not be read."""
    import numpy as np

    from service.inputs.records import Failure
    from service.readers import Reader
    from training.corpora import text_keys

    texts: list[str] = []
    unread = 0
    for item in Reader(paths):
        if not isinstance(item, Failure):
            texts.append(item.text)
            continue
        unread += 1
        if unread <= MOST_FAILURES:
            complain(str(item))
    if unread > MOST_FAILURES:
        complain(f"and {unread - MOST_FAILURES:,} more files or records cannot be read")
    keys = text_keys(texts)
    _, first = np.unique(keys, return_index=True)
    kept = np.sort(first[~np.isin(keys[first], detector.bundle.seen)]).tolist()
    if len(kept) < len(texts):
        complain(f"left out {len(texts) - len(kept):,} of {len(texts):,}: given twice, or the model learnt from them")
    return [texts[i] for i in kept], unread


def _score(detector: Detector, texts: Sequence[str], depth: str, quiet: bool) -> list[Verdict]:
    from rich.console import Console
    from rich.progress import track

    verdicts: list[Verdict] = []
    hidden = quiet or not sys.stderr.isatty()
    starts = range(0, len(texts), CHUNK)
    for start in track(starts, f"scoring ({depth})", console=Console(stderr=True), disable=hidden):
        verdicts += detector.score_many(texts[start : start + CHUNK], depth=depth, evidence=False)
    return verdicts


def _show(found: Recalibrated) -> None:
    from rich.console import Console

    from service.output import StandardOutput
    from service.render.evaluation import draw, plain_console
    from training.tables import tables

    rows = [
        {
            "tier": shift.tier,
            "called": shift.word,
            "target_share": shift.target,
            "of": shift.texts,
            "before": shift.before,
            "after": shift.after,
            "share": shift.after / shift.texts,
            "share_low": shift.share_low,
            "share_high": shift.share_high,
            "shift of log odds": shift.log_odds,
            "proven": shift.enough,
        }
        for shift in found.shifts
    ]
    console = Console() if sys.stdout is not None and sys.stdout.isatty() else plain_console()
    with StandardOutput((sys.stdout.encoding if sys.stdout else None) or "utf-8") as sink:
        sink.write(draw(tables({"trusted texts": {"rows": rows}}), console))
