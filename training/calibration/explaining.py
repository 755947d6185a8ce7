"""Adds to a model what explains a verdict: the scale of sentences, and what observations compare a text with.

    python -m unspun.training.calibration.explaining ../shared/corpora --model model/default --output model/default

`training.build` does the same for a new model. Verdicts and scores do not change. Texts with the role `test` are never
used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.training.calibration.observations import fit_usual
from unspun.training.calibration.reference import ARRAY
from unspun.training.calibration.sentences import fit_scales
from unspun.training.command import labelled_parser
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles
from unspun.training.reporting.card import write_card


def add_explanations(
    model: bundle.Bundle, output: Path, texts: Sequence[LabelledText], version: str | None = None
) -> dict[str, Any]:
    """Write a model to `output`, with the entries `sentences` and `observations`, and its card.

    They are fitted to `texts`, which the model must not have been trained on. Returns the new manifest. Raises
    OSError.
    """
    detector = Detector(model)
    added: dict[str, Any] = {
        "version": version or model.info.version,
        "sentences": {tier: scale.to_manifest() for tier, scale in fit_scales(detector, texts).items()},
        "observations": fit_usual(detector, texts).to_manifest(),
    }
    kept = {name: value for name, value in model.manifest.items() if name not in bundle.WRITTEN}
    parts = model.tables, model.tagger, model.classifier, np.array(model.seen), model.deep
    bundle.save(output, kept | added, *parts, first=model.first, extra=bundle.read_extra(model, ARRAY))
    return write_card(output)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--model", type=Path, default=bundle.DEFAULT, metavar="BUNDLE", help="model to start from")
    parser.add_argument("--output", type=Path, required=True, metavar="BUNDLE", help="folder to write the model to")
    parser.add_argument(
        "--version", dest="model_version", help="version of the new model (default: that of the old one)"
    )
    options = parser.parse_args(arguments)
    texts = default_roles().share_out(read_labelled(options.labelled))["calibrate"]
    add_explanations(_with_head(bundle.load(options.model)), options.output, texts, options.model_version)
    return 0


def _with_head(loaded: bundle.Bundle) -> bundle.Bundle:
    """Return a bundle whose encoder also judges single sentences."""
    deep = loaded.deep
    if deep is None or deep.encoder.weights.head is not None:
        return loaded
    from unspun.training.encoder.export import repacked

    return replace(loaded, deep=repacked(deep))


if __name__ == "__main__":
    sys.exit(main())
