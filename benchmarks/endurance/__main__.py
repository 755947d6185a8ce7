"""Does unspun lose, repeat or change anything when everything around it fails?

    python -m benchmarks.endurance batch      # a million documents, while workers, disks and connections fail
    python -m benchmarks.endurance service    # half an hour of traffic, while databases, workers and models change

Each half says more with `--help`. Reports go into the folder work/endurance/. The exit status is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.common import ROOT, BenchmarkError

HALVES = {
    "batch": "a million documents, while workers, disks and connections fail",
    "service": "half an hour of traffic, while databases, workers and models change",
}
"""Each is a module of this package with `add_options(parser)` and `run(options)`, which returns the exit status."""
OUTPUT = ROOT / "work" / "endurance"
SEED = 20221114


def main(arguments: list[str] | None = None) -> int:
    """Run one half; return the exit status."""
    parser = argparse.ArgumentParser("python -m benchmarks.endurance", description=(__doc__ or "").split("\n\n")[0])
    halves = parser.add_subparsers(dest="half", required=True, metavar="HALF")
    for name, summary in HALVES.items():
        module = importlib.import_module(f"benchmarks.endurance.{name}")
        half = halves.add_parser(
            name, help=summary, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        half.add_argument("--seed", type=int, default=SEED, help="seed of all random choices (default: %(default)s)")
        half.add_argument(
            "--output",
            type=Path,
            default=OUTPUT / name,
            metavar="FOLDER",
            help=f"folder of the report (default: work/endurance/{name})",
        )
        module.add_options(half)
        half.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (BenchmarkError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
