"""Write a model with another encoder, or with its own packed anew, and fit the decision to what the tiers say.

With --context, the model also gets a first tier, whose signals learn from the texts with the role `train`; the rest of
the fast tier stays the same. The decision is fitted to the texts with the role `calibrate`. What the tiers say about
them is kept in the file --evidence, so a second run is quick. Without labelled texts, the decision stays the same, too.

Example:
    python -m unspun.training.repack ../shared/corpora --model model/default \\
        --checkpoint work/distilled/checkpoint.pt --context work/context/checkpoint.pt \\
        --evidence work/evidence/distilled.npz --output work/model
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.model.signals.phrasing import NgramWeights
from unspun.model.signals.quick import QuickSignals
from unspun.model.tiers.deep import DeepTier
from unspun.training.build import (
    calibration_texts,
    context_network,
    decided,
    deep_entry,
    fit_blend,
    provisional,
    reference_of,
)
from unspun.training.calibration.cascade import fit_cascade
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.calibration.explaining import add_explanations
from unspun.training.calibration.reference import ARRAY
from unspun.training.classifier.phrasing import fit_ngrams
from unspun.training.command import add_workers, stage_parser
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles
from unspun.training.encoder.export import repacked
from unspun.training.encoder.fine_tune import trained
from unspun.training.reporting.card import write_card


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = stage_parser(__doc__)
    parser.add_argument("labelled", type=Path, nargs="*", help="labelled files or folders, to fit the decision to")
    parser.add_argument("--model", type=Path, default=bundle.DEFAULT, metavar="BUNDLE", help="model to start from")
    parser.add_argument("--checkpoint", type=Path, help="encoder of the new model (default: that of the old one)")
    parser.add_argument("--context", type=Path, metavar="CHECKPOINT", help="network of training.encoder.context")
    parser.add_argument("--phrasing", type=Path, help="file for the weights of the signal phrasing")
    parser.add_argument("--evidence", type=Path, help="file for what the tiers say about the labelled texts")
    parser.add_argument("--output", type=Path, required=True, metavar="BUNDLE", help="folder to write the model to")
    parser.add_argument("--version", dest="model_version", help="version of the new model (default: that of the old)")
    parser.add_argument("--seed", type=int, default=0, help="chooses passages for short texts (default: 0)")
    add_workers(parser, 1)
    options = parser.parse_args(arguments)
    try:
        model = bundle.load(options.model)
        encoder = trained(options.checkpoint) if options.checkpoint else None
        if model.deep is None:
            raise ValueError(f"{options.model}: this model has no encoder")
    except (ValueError, bundle.BundleError) as error:
        print(f"unspun.training.repack: {error}", file=sys.stderr)
        return 2
    tier = repacked(model.deep, encoder)
    manifest = {name: value for name, value in model.manifest.items() if name not in bundle.WRITTEN}
    manifest["version"] = options.model_version or manifest["version"]
    if not options.labelled:
        _save(options.output, model, manifest, tier, bundle.read_extra(model, ARRAY))
        return 0
    by_role = default_roles().share_out(read_labelled(options.labelled))
    texts = by_role["calibrate"]
    if options.context:
        learned = [text for text in by_role["train"] if text.label != "llm"]
        quick = QuickSignals(_phrasing(learned, options.phrasing), context_network(options.context, learned))
        model = replace(model, tables=replace(model.tables, quick=quick))
        manifest["fitted_on"]["quick"] = manifest["fitted_on"]["classifier"]
    model = replace(model, deep=tier, classifier=replace(model.classifier, quick=None), decision=provisional())
    undecided = Detector(model)
    evidence = _evidence(undecided, calibration_texts(texts, options.seed), options.evidence, options.workers)
    cascade = fit_cascade(evidence, deep=True)
    tier = replace(tier, blend=fit_blend(undecided, texts), fast_weights=cascade.fast_weights)
    names = undecided.feature_names
    arrays, manifest["reference"] = reference_of(cascade, names)
    manifest |= {**decided(cascade), "features": list(names), "deep": deep_entry(tier)}
    classifier = replace(model.classifier, quick=cascade.quick)
    _save(options.output, replace(model, classifier=classifier, first=cascade.first), manifest, tier, arrays)
    add_explanations(bundle.load(options.output), options.output, texts)
    return 0


def _phrasing(learned: Sequence[LabelledText], file: Path | None) -> NgramWeights:
    """Return the weights of the signal phrasing, from the file if it exists."""
    if file is not None and file.exists():
        kept: NgramWeights = joblib.load(file)
        return kept
    print(f"learning phrases from {len(learned)} texts ...", file=sys.stderr, flush=True)
    found = fit_ngrams(learned)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(found, file)
    return found


def _evidence(detector: Detector, texts: Sequence[LabelledText], file: Path | None, workers: int) -> LabelledEvidence:
    """Return what the tiers say about texts, from the file if it exists."""
    if file is not None and file.exists():
        return LabelledEvidence.load(file)
    print(f"reading {len(texts)} texts ...", file=sys.stderr, flush=True)
    found = gather_evidence(detector, texts, jobs=workers)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        found.save(file)
    return found


def _save(
    output: Path,
    model: bundle.Bundle,
    manifest: dict[str, Any],
    tier: DeepTier,
    arrays: dict[str, NDArray[Any]],
) -> None:
    bundle.save(
        output,
        manifest,
        model.tables,
        model.tagger,
        model.classifier,
        np.array(model.seen),
        tier,
        first=model.first,
        extra=arrays,
    )
    write_card(output)


if __name__ == "__main__":
    sys.exit(main())
