"""Write a model with another encoder, or with its own packed anew.

Models before version 2.2.0 have the same layers in slower operations. The thresholds stay the same, so calibrate after
a change of the encoder.

Example:
    python -m unspun.training.encoder.repack --model model/default --checkpoint work/distilled/checkpoint.pt \\
        --output work/model
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unspun.model import bundle
from unspun.training.calibration.reference import ARRAY
from unspun.training.command import stage_parser
from unspun.training.encoder.export import repacked
from unspun.training.encoder.fine_tune import trained
from unspun.training.reporting.card import write_card


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = stage_parser(__doc__)
    parser.add_argument("--model", type=Path, default=bundle.DEFAULT, metavar="BUNDLE", help="model to start from")
    parser.add_argument("--checkpoint", type=Path, help="encoder of the new model (default: that of the old one)")
    parser.add_argument("--output", type=Path, required=True, metavar="BUNDLE", help="folder to write the model to")
    options = parser.parse_args(arguments)
    try:
        model = bundle.load(options.model)
        encoder = trained(options.checkpoint) if options.checkpoint else None
    except (ValueError, bundle.BundleError) as error:
        print(f"unspun.training.encoder.repack: {error}", file=sys.stderr)
        return 2
    if model.deep is None:
        print(f"unspun.training.encoder.repack: {options.model}: this model has no encoder", file=sys.stderr)
        return 2
    kept = {name: value for name, value in model.manifest.items() if name not in bundle.WRITTEN}
    parts = model.tables, model.tagger, model.classifier, np.array(model.seen), repacked(model.deep, encoder)
    bundle.save(options.output, kept, *parts, extra=bundle.read_extra(model, ARRAY))
    write_card(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
