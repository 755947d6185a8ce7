"""Does the service keep its promises when everything around it fails?

    python -m benchmarks.endurance service                          # half an hour
    python -m benchmarks.endurance service --minutes 2              # a quick look: each fault once
    python -m benchmarks.endurance service --minutes 1 --fault "disk full"
    python -m benchmarks.endurance service --minutes 1 --sabotage answer    # a defective service: must fail

An `unspun serve` with two workers, Redis and PostgreSQL gets mixed traffic at a steady rate: single texts, batches,
streams, pages, comparisons, uploads, labels, the Python client, what operators read, slow and dripping clients, clients
that hang up or fall silent, and one that exceeds the rate limit. Meanwhile, by a seeded schedule, one of the workers is
killed every minute, models are promoted and rolled back (and some of these commands killed), Redis and PostgreSQL stop
or hang, the log is rotated and the disk of the temporary folder fills up.

The exit status is 1 if one of these promises is broken:

- Every answer is exactly what the Python API gives with a model that was in use during the request.
- No answer has a status of 5xx, except the documented 503 with Retry-After; labels are refused only while PostgreSQL is
  away. Only requests that were in progress when a worker was killed are cut off, and never those of the Python client.
- Exactly the acknowledged labels are in the database; the rate limit holds for all workers together; the log has one
  line for each answer.
- No worker ends except those that are killed, and no process remains at the end.
- Memory and open files of the manager, and of a worker that is never killed, do not grow. Runs of twenty minutes or
  more fit two lines, whose 95 % intervals must exclude harmful growth. One is about time: through the lowest value of
  each two minutes in the second half, in which the model stays the same (files: each minute, without the first
  sixth); 20 MB or 10 files per hour are harmful. The other is about models: through the lowest value between two
  changes of the model; 10 MB per change are harmful. If a machine is busy with other work, the intervals can be too
  wide without any growth. A run of less than twenty minutes can show only large leaks.

Reports go into the output folder: report.json, report.txt, plot.png and the log of the service.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import SHOWN, progress
from benchmarks.endurance import service_report as report
from benchmarks.endurance.service_answers import RightAnswers
from benchmarks.endurance.service_faults import KINDS, LONG, NONE, SHORT, Faults, schedule
from benchmarks.endurance.service_judge import LONG_SECONDS, REACHED_SECONDS, Evidence, broken
from benchmarks.endurance.service_sabotage import ALL, SABOTAGES
from benchmarks.endurance.service_setting import CLI, SERVERS, other_model, setting
from benchmarks.endurance.service_traffic import Traffic
from benchmarks.endurance.service_watch import Watch
from unspun.model import bundle

RATE = 8.0
LIMIT = 300
"""Texts per minute that each API key may send."""
SAMPLE_SECONDS = 0.5
"""How often the memory is read. A worker uses what it has released again within seconds."""
REST_SECONDS = 4.0
"""How long a short run goes on after the last fault."""
SABOTAGE = "benchmarks.endurance.service_sabotage"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does. `faults` are kinds of faults, None for all; `servers` says which other servers run."""

    seconds: float
    seed: int
    rate: float = RATE
    faults: Sequence[str] | None = None
    sabotage: str | None = None
    servers: Sequence[str] = SERVERS

    @property
    def is_long(self) -> bool:
        """Whether the run is judged by its slopes, and faults last as long as in life."""
        return self.seconds >= LONG_SECONDS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this half."""
    parser.add_argument("--minutes", type=float, default=30.0, metavar="M", help="duration (default: 30)")
    parser.add_argument("--rate", type=float, default=RATE, metavar="N", help="requests per second (default: 8)")
    parser.add_argument(
        "--fault",
        action="append",
        choices=(*KINDS, NONE),
        metavar="KIND",
        help=f"cause only this kind of fault; may be repeated. One of: {', '.join((*KINDS, NONE))}",
    )
    parser.add_argument("--sabotage", choices=(*SABOTAGES, ALL), help="make the service defective: the run must fail")


def run(options: argparse.Namespace) -> int:
    """Run this half; return the exit status."""
    plan = Plan(options.minutes * 60, options.seed, options.rate, options.fault, options.sabotage)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unspun-endurance-") as scratch:
        other = other_model(Path(scratch) / "raised")
        right = RightAnswers([bundle.DEFAULT, other])
        evidence = observe(plan, right, other, Path(scratch))
    problems = broken(evidence)
    command = " ".join(["python -m benchmarks.endurance", *sys.argv[1:]])
    results = report.figures(
        evidence, problems, {"command": command, "seed": plan.seed, "seconds": plan.seconds, "rate": plan.rate}
    )
    write(results, evidence, options.output)
    print(report.text(results))
    for line in problems[:SHOWN]:
        print(f"broken: {line}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"and {len(problems) - SHOWN:,} more; see {options.output / 'report.json'}", file=sys.stderr)
    return 1 if problems else 0


def observe(plan: Plan, right: RightAnswers, other: Path, folder: Path) -> Evidence:
    """Run the service, its clients and its faults; return everything that was recorded."""
    module = (SABOTAGE, plan.sabotage) if plan.sabotage else CLI
    timeout = 30.0 if plan.is_long else 12.0
    settings = {"TIMEOUT": timeout, "RATE_LIMIT": f"{LIMIT} per minute"}
    with setting(folder, other, module=module, servers=plan.servers, **settings) as place:
        faults = Faults(place, plan.seed, LONG if plan.is_long else SHORT)
        possible = [kind for kind in faults.kinds if plan.faults is None or kind in plan.faults]
        for kind in sorted(set(plan.faults or KINDS) - {*faults.kinds, NONE}):
            print(f"{kind}: this cannot be caused here, and is left out", file=sys.stderr)
        planned = schedule(plan.seconds, possible, plan.seed, is_long=plan.is_long)
        began = time.monotonic()
        with (
            Watch(place.service, faults.survivor, min(SAMPLE_SECONDS, max(0.1, plan.seconds / 300))) as watch,
            Traffic(place.service.port, right, place.keys, rate=plan.rate, seed=plan.seed, timeout=timeout) as traffic,
        ):
            with faults.scheduled(planned.faults):
                _wait(plan.seconds)
            time.sleep(15.0 if plan.is_long else REST_SECONDS)
        ended = time.monotonic()
        labels = place.labels()
        place.service.process.terminate()
        place.service.process.wait(60)
        return Evidence(
            began=began,
            ended=ended,
            settled=planned.settled,
            limit=LIMIT,
            reached=REACHED_SECONDS if plan.is_long else 3 * REACHED_SECONDS,
            outcomes=traffic.outcomes,
            faults=faults.happened,
            models=faults.models,
            samples=watch.samples,
            ledger=traffic.ledger,
            labels=labels,
            logs=[part.read_bytes() for part in (*faults.logs, place.service.log_file)],
            leftovers=place.service.leftovers(),
            exit_status=place.service.process.returncode,
            wanted=sorted({kind for _, kind in planned.faults}),
            late=traffic.late,
        )


def write(results: dict[str, Any], evidence: Evidence, folder: Path) -> None:
    """Write the report into a folder."""
    (folder / "report.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    (folder / "report.txt").write_text(report.text(results) + "\n", "utf-8")
    (folder / "service.log").write_bytes(b"".join(evidence.logs))
    report.plot(evidence, folder / "plot.png")


def _wait(seconds: float) -> None:
    with progress() as bar:
        ends = time.monotonic() + seconds
        task = bar.add_task("seconds", total=int(seconds))
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(1.0, left))
            bar.update(task, completed=int(seconds - left))
