"""`unspun calibrate`: a model's decision, set by a user's own trusted human text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unspun.service.console import CommandError, complain
from unspun.service.models.output import check_output

if TYPE_CHECKING:
    from unspun.model.detector import Detector
    from unspun.training.retraining.recalibrate import Check, Recalibrated

INCOMPLETE = 3
MOST_FAILURES = 5
_SHARE = click.FloatRange(min=0.0, max=0.5, min_open=True)


@click.command(short_help="Set how strict a model is by text that is surely human.")
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
@click.option("--target-suspect", type=_SHARE, help="Share that may be called suspect or worse. Default: six times it.")
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
    """Set how strict the model in BUNDLE is by your own human text, 200 texts or more.

    For each tier and kind (spun, translated, rewritten), a factor on the false-positive rate is set so that no more of
    your texts than the target are called paraphrased, or suspect. The scores 0.9 and 0.5 stay the thresholds of these
    words. Where your texts are enough to prove the target (0.5 % takes 1,258 texts), a factor may also fall below 1,
    which makes the model less strict than it was; where they are too few, it is never below 1. The table says what is
    guaranteed: with 95 % confidence, at most so many of new texts like yours are called so.

    Texts that the model learnt from, texts given twice and texts that get no verdict are left out. A model that was
    calibrated before is calibrated anew.

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
    from unspun.model.detector import Detector
    from unspun.training.retraining.recalibrate import SUSPECT_FACTOR, CalibrationError, measure, recalibrate, write

    target = output or bundle
    check_output(target)
    detector = Detector.load(bundle)
    texts, unread = _read(paths, detector)
    targets = {"paraphrased": target_fpr, "suspect": target_suspect or min(SUSPECT_FACTOR * target_fpr, 0.5)}
    if targets["suspect"] < target_fpr:
        raise click.UsageError("--target-suspect is below --target-fpr: what is paraphrased is suspect, too.")

    try:
        sample = measure(detector, texts, track=lambda places: _tracked(places, quiet))
        found = recalibrate(detector.decision, sample, targets)
        write(detector, found, target, version=version or _version(detector.model.version))
    except CalibrationError as error:
        raise CommandError(f"{error}; the model stays as it is") from error
    if not quiet:
        _show(found)
        complain(f"wrote {target}")
    _tell_unproven(found)
    if unread:
        context.exit(INCOMPLETE)


def _version(version: str) -> str:
    return version if version.endswith("+calibrated") else f"{version}+calibrated"


def _read(paths: Sequence[str], detector: Detector) -> tuple[list[str], int]:
    """Return the texts, each once and none that the model learnt from, and how many files could not be read."""
    import numpy as np

    from unspun.reading.reader import Reader
    from unspun.reading.records import Failure
    from unspun.training.corpora.corpus import text_keys

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


def _tracked(places: range, quiet: bool) -> Iterable[int]:
    """Yield the places of chunks of texts, and show how far it is on a terminal."""
    from rich.console import Console
    from rich.progress import track

    hidden = quiet or not sys.stderr.isatty()
    return track(places, "reading", console=Console(stderr=True), disable=hidden)


def _tell_unproven(found: Recalibrated) -> None:
    """Say for each word that the texts do not prove what they prove instead, by the tier that they prove least of."""
    from unspun.training.retraining.recalibrate import texts_needed

    worst: dict[str, Check] = {}
    for check in found.checks:
        if not check.enough and check.at_most > (worst[check.word].at_most if check.word in worst else 0.0):
            worst[check.word] = check
    for word, check in worst.items():
        called = "paraphrased" if word == "paraphrased" else "suspect or worse"
        complain(
            f"too few texts to prove that at most {check.target:.1%} are called {called}: {check.texts:,} texts prove, "
            f"with 95 % confidence, at most {check.at_most:.1%}; {texts_needed(check.target):,} are needed"
        )


def _show(found: Recalibrated) -> None:
    from rich.console import Console

    from unspun.model.verdict import KINDS
    from unspun.service.batch.output import StandardOutput
    from unspun.service.render.evaluation import draw, plain_console
    from unspun.training.reporting.tables import tables

    rows = [
        {
            "tier": check.tier,
            "called": check.word,
            "target_share": check.target,
            "of": check.texts,
            "before": check.before,
            "after": check.after,
            "share": check.after / check.texts,
            "share_at_most": check.at_most,
            "proven": check.enough,
        }
        for check in found.checks
    ]
    factors = [
        {"tier": name, "kind": kind, "share_of_the_budget": float(share), "factor": float(factor)}
        for name, tier in found.decision.tiers.items()
        for kind, share, factor in zip(KINDS, tier.shares, tier.factors, strict=True)
    ]
    results = {
        "trusted texts": {
            "note": "Share at most: of new texts like these, with 95 % confidence, no more are called so.",
            "rows": rows,
        },
        "kinds": {
            "note": "Above a factor of 1 the model is stricter with a kind's evidence than it was, below 1 less.",
            "rows": factors,
        },
    }
    console = Console() if sys.stdout is not None and sys.stdout.isatty() else plain_console()
    with StandardOutput((sys.stdout.encoding if sys.stdout else None) or "utf-8") as sink:
        sink.write(draw(tables(results), console))
