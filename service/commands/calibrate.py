"""`unspun calibrate`: set a model's thresholds with a user's own trusted human text."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unspun.service.commands.common import (
    INCOMPLETE,
    FailureCount,
    Reading,
    allow_option,
    check_model_output,
    in_words,
    is_terminal,
    model_option_for,
    open_reader,
    quiet_option,
    reading_options,
    reported,
    write_figures,
)
from unspun.service.commands.former import former_model_argument
from unspun.service.console import complain

if TYPE_CHECKING:
    from unspun.model.detector import Detector
    from unspun.model.text.allowed import Allowed
    from unspun.reading.reader import Reader
    from unspun.reading.records import Record
    from unspun.training.retraining.recalibrate import Check, Recalibrated

_SHARE = click.FloatRange(min=0.0, max=0.5, min_open=True)


@click.command(short_help="Set a model's thresholds with your own human text.")
@former_model_argument
@model_option_for("Folder of the model to calibrate.")
@click.option(
    "--on",
    "paths",
    metavar="PATH",
    multiple=True,
    required=True,
    help="File or folder of text that you know is human, or - for standard input. Can be repeated.",
)
@click.option(
    "--target-fpr",
    type=_SHARE,
    default=0.005,
    show_default=True,
    help="Share of such texts that may be called paraphrased.",
)
@click.option(
    "--target-suspect",
    type=_SHARE,
    help="Share that may be called suspect or paraphrased. Default: six times --target-fpr.",
)
@click.option(
    "--output",
    metavar="BUNDLE",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the model here. Default: change it in place. The model that ships with unspun is never changed.",
)
@click.option("--version", help="Version of the new model. Default: the old version with +calibrated at the end.")
@allow_option
@reading_options
@quiet_option("Show no progress and no table of figures.")
@click.pass_context
def calibrate(
    context: click.Context,
    /,
    bundle: Path | None,
    paths: tuple[str, ...],
    target_fpr: float,
    target_suspect: float | None,
    output: Path | None,
    version: str | None,
    allowed: Allowed | None,
    reading: Reading,
    quiet: bool,
) -> None:
    """Set how strict a model is, with at least 200 human texts of your own.

    For each tier and kind (spun, translated, rewritten), calibration sets a factor on the false-positive rate, so that
    no more of your texts than the target are called paraphrased or suspect. The scores 0.9 and 0.5 stay the thresholds
    of these verdicts. A factor above 1 makes the model stricter. A factor below 1 makes it less strict; this happens
    only if you give enough texts to prove the target (1,258 texts for 0.5 %). The table shows what is guaranteed: the
    share of new texts like yours that get the verdict, at most, with 95 % confidence.

    Texts that the model was trained on, duplicates, and texts without a verdict are left out. A model that is already
    calibrated is calibrated again from the start.

    \b
    Exit status:
      0    calibrated
      1    too few texts, or the model could not be read or written
      2    wrong usage
      3    calibrated, but some files could not be read
      130  interrupted

    \b
    Examples:
      unspun calibrate --model house-model --on archive/2015/ --target-fpr 0.005
      unspun calibrate --model default --on archive/ --output stricter
    """
    from unspun.model.detector import Detector
    from unspun.training.retraining.recalibrate import (
        SUSPECT_FACTOR,
        CalibrationError,
        leaves_out_first,
        measure,
        recalibrate,
        write,
    )

    target = output or bundle
    if target is None:
        raise click.UsageError("the model that ships with unspun is never changed; add --output BUNDLE.")
    check_model_output(target)
    detector = Detector.load(bundle, allowed=allowed)
    texts, failures = _read(open_reader(paths, reading), detector)
    targets = {"paraphrased": target_fpr, "suspect": target_suspect or min(SUSPECT_FACTOR * target_fpr, 0.5)}
    if targets["suspect"] < target_fpr:
        raise click.UsageError("--target-suspect is below --target-fpr, but it also counts paraphrased texts.")
    if version is None:
        version = f"{detector.model.version.removesuffix('+calibrated')}+calibrated"

    with reported(CalibrationError, then="; the model was not changed"):
        sample = measure(detector, texts, track=lambda places: _tracked(places, quiet))
        found = recalibrate(detector.decision, sample, targets)
        write(detector, found, target, version=version)
    if not quiet:
        write_figures(_figures(found))
        if leaves_out_first(detector, found):
            complain("left out the first tier, which does not know what the new thresholds find; auto takes longer now")
        complain(f"wrote {target}")
    _warn_of_unproven_targets(found)
    if failures:
        context.exit(INCOMPLETE)


def _read(reader: Reader, detector: Detector) -> tuple[list[str], int]:
    """Return the texts, without duplicates and those that the model was trained on, and the number of failures."""
    import numpy as np

    from unspun.reading.records import Failure
    from unspun.training.corpora.corpus import text_keys

    records: list[Record] = []
    failures = FailureCount()
    for item in reader:
        if isinstance(item, Failure):
            failures(item)
        else:
            records.append(item)
    failures.report_rest()
    if reader.skipped:
        complain(in_words(reader.skipped))
    keys = text_keys([record.text for record in records])
    _, first = np.unique(keys, return_index=True)
    kept = np.sort(first[~np.isin(keys[first], detector.bundle.seen)]).tolist()
    if len(kept) < len(records):
        left_out = len(records) - len(kept)
        complain(f"left out {left_out:,} of {len(records):,} texts: duplicates, or the model was trained on them")
    return [records[i].text for i in kept], failures.count


def _tracked(places: range, quiet: bool) -> Iterable[int]:
    """Yield the places of chunks of texts, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    hidden = quiet or not is_terminal(sys.stderr)
    return track(places, "reading", console=Console(stderr=True), disable=hidden)


def _warn_of_unproven_targets(found: Recalibrated) -> None:
    """For each verdict whose target the texts do not prove, say what they do prove, by the least certain tier."""
    from unspun.model.wording import decimal_percent
    from unspun.training.retraining.recalibrate import texts_needed

    worst: dict[str, Check] = {}
    for check in found.checks:
        if not check.enough and check.at_most > (worst[check.word].at_most if check.word in worst else 0.0):
            worst[check.word] = check
    for word, check in worst.items():
        called = "paraphrased" if word == "paraphrased" else "suspect or paraphrased"
        target, at_most = (decimal_percent(share, 1) for share in (check.target, check.at_most))
        complain(
            f"too few texts to prove that at most {target} are called {called}: {check.texts:,} texts prove at most "
            f"{at_most}, with 95 % confidence; {texts_needed(check.target):,} are needed"
        )


def _figures(found: Recalibrated) -> dict[str, Any]:
    from unspun.model.verdict import KINDS

    checks = [
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
        for name, tier in found.decision.without("first").tiers.items()
        for kind, share, factor in zip(KINDS, tier.shares, tier.factors, strict=True)
    ]
    return {
        "trusted texts": {
            "note": "Share at most: no more than this share of new texts like these get the verdict, with 95 % "
            "confidence.",
            "rows": checks,
        },
        "kinds": {
            "note": "A factor above 1 makes the model stricter about a kind, a factor below 1 less strict.",
            "rows": factors,
        },
    }
