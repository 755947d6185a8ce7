"""draft"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.endurance import service_faults as faults
from benchmarks.endurance.service_answers import RightAnswers
from benchmarks.endurance.service_setting import other_model, setting
from benchmarks.endurance.service_traffic import Traffic
from benchmarks.endurance.service_watch import Watch
from unspun.model import bundle


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--sabotage")


def run(options: argparse.Namespace) -> int:
    t = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="unspun-endurance-") as scratch:
        other = other_model(Path(scratch) / "raised")
        right = RightAnswers([bundle.DEFAULT, other])
        print("prepared", time.monotonic() - t)
        module = ("benchmarks.endurance.service_sabotage", options.sabotage) if options.sabotage else ()
        seconds = options.minutes * 60
        with setting(Path(scratch), other, module=module, TIMEOUT=8, RATE_LIMIT="600 per minute") as place:
            print("started", time.monotonic() - t)
            chaos = faults.Faults(place, options.seed, faults.SHORT)
            plan = faults.schedule(seconds, chaos.kinds, options.seed, every=seconds / 12, kill_every=seconds / 3)
            print(plan)
            with Watch(place.service, chaos.survivor, 0.5) as watch, Traffic(
                place.service.port, right, place.keys, rate=options.rate, seed=options.seed, timeout=8
            ) as traffic, chaos.scheduled(plan):
                time.sleep(seconds)
            labels = place.postgres.labels()
            logs = [p.read_bytes() for p in (*chaos.logs, place.service.log_file)]
        print("stopped", time.monotonic() - t)
    for line in sorted(Counter((o.result, o.kind, o.problem) for o in traffic.outcomes).items(), key=str): print(line)
    for f in chaos.happened:
        print(f)
    pickle.dump((traffic.outcomes, traffic.ledger, chaos.happened, watch.samples, labels, logs), open("/tmp/run.pickle", "wb"))
    print(traffic.late)
    return 0
