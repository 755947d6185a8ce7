"""The report of a run of the service: figures, tables for the terminal, and a plot."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import drawn, processor
from benchmarks.endurance.service_faults import Fault
from benchmarks.endurance.service_judge import KILLS, LONG_SECONDS, Evidence, in_flight
from benchmarks.endurance.service_traffic import PROMPT, Outcome
from benchmarks.endurance.service_watch import KILLED, MANAGER, WATCHED

COLOURS = {MANAGER: "#0072B2", WATCHED: "#D55E00", KILLED: "#999999"}
FAULT_COLOURS = (
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#7f7f7f",
    "#999999",
    "#000000",
)
SHARES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def figures(run: Evidence, broken: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the report says, in plain JSON types. Times are in seconds from the start."""
    counted = Counter(outcome.result for outcome in run.outcomes)
    return {
        "options": dict(options),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "requests": {"all": len(run.outcomes), **{result: counted[result] for result in sorted(counted)}},
        "requests_by_kind": requests_by_kind(run.outcomes),
        "refusals": dict(Counter(one.problem or "" for one in run.outcomes if one.result in ("busy", "limited"))),
        "labels": None if run.labels is None else sum(run.labels.values()),
        "latency": {"whole run": latency(_prompt(run.outcomes))},
        "faults": [
            {
                **asdict(fault),
                "began": fault.began - run.began,
                "ended": fault.ended - run.began,
                "in_flight": in_flight(run, float(fault.notes.get("killed_at", fault.began))),
                "cut": cut_by(run, fault),
                "latency": around(run, [fault]),
            }
            for fault in run.faults
        ],
        "latency_by_fault": {kind: around(run, of) for kind, of in by_kind(run.faults).items()},
        "growth": {name: asdict(fit) for name, fit in run.growths.items()},
        "samples": [
            {**asdict(one), "at": round(one.at - run.began, 1)} for one in run.samples[:: 1 + len(run.samples) // 3000]
        ],
        "broken": list(broken),
    }


def requests_by_kind(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """Return the number of requests of each kind with each result."""
    counted: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counted.setdefault(outcome.kind, Counter())[outcome.result] += 1
    return {kind: dict(sorted(results.items())) for kind, results in sorted(counted.items())}


def latency(outcomes: Sequence[Outcome]) -> dict[str, float | int]:
    """Return the number of requests and percentiles in milliseconds, of the time from when a request was due."""
    taken = [outcome.seconds * 1000 for outcome in outcomes]
    if not taken:
        return {"requests": 0}
    return {"requests": len(taken), **{name: round(float(np.percentile(taken, at)), 1) for name, at in SHARES.items()}}


def around(run: Evidence, faults: Sequence[Fault]) -> dict[str, dict[str, float | int]]:
    """Return the latency of requests that were due before, during and after some faults."""
    reach = 15.0 if run.ended - run.began >= LONG_SECONDS else 3.0
    found: dict[str, list[Outcome]] = {"before": [], "during": [], "after": []}
    prompt = _prompt(run.outcomes)
    for fault in faults:
        began, ended = fault.began, max(fault.ended, fault.began + 1.0)
        parts = {"before": (began - reach, began), "during": (began, ended), "after": (ended, ended + reach)}
        for name, (low, high) in parts.items():
            found[name] += [one for one in prompt if low <= one.due < high]
    return {name: latency(of) for name, of in found.items()}


def by_kind(faults: Sequence[Fault]) -> dict[str, list[Fault]]:
    """Return the faults of each kind."""
    return {kind: [one for one in faults if one.kind == kind] for kind in sorted({one.kind for one in faults})}


def cut_by(run: Evidence, fault: Fault) -> int:
    """Return how many requests a fault cut off."""
    at = fault.notes.get("killed_at")
    if fault.kind not in KILLS or at is None:
        return 0
    return sum(one.result == "cut" and one.began - 0.1 <= at <= one.ended + 0.1 for one in run.outcomes)


def text(results: Mapping[str, Any]) -> str:
    """Return the report for the terminal."""
    faults = []
    for kind, parts in results["latency_by_fault"].items():
        of = [one for one in results["faults"] if one["kind"] == kind]
        faults.append(
            {
                "fault": kind,
                "times": len(of),
                "lasted": f"{max(one['ended'] - one['began'] for one in of):.1f} s",
                "in flight": sum(one["in_flight"] for one in of),
                "cut off": sum(one["cut"] for one in of),
                **{f"{name} {part}": parts[part].get(name, "") for part in parts for name in ("p50", "p95", "p99")},
            }
        )
    growths = [
        {
            "process and unit": name,
            "slope": f"{fit['slope']:+.2f}",
            "95 % interval": f"{fit['low']:+.2f} to {fit['high']:+.2f}",
            "gained": f"{fit['gained']:+.1f}",
        }
        for name, fit in results["growth"].items()
    ]
    tables = {
        "requests": results["requests"],
        "latency in milliseconds": results["latency"]["whole run"],
        "refused as documented": results["refusals"] or {"none": 0},
        "requests by kind": [{"kind": kind, **of} for kind, of in _full(results["requests_by_kind"]).items()],
        "faults, latency in milliseconds": faults or [{"none": 0}],
        "growth": growths or [{"not measured": 0}],
    }
    count = len(results["broken"])
    ends = f"Broken promises: {count:,}" if count else "Every promise was kept."
    return f"{drawn(tables)}\n\n{ends}"


def _full(counted: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return the same with zeros, so that all rows have the same columns."""
    names = sorted({name for of in counted.values() for name in of})
    return {kind: {name: of.get(name, 0) for name in names} for kind, of in counted.items()}


def plot(run: Evidence, path: Path) -> None:
    """Write latency, memory and open files over time, with the faults, to a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 10), layout="constrained")
    FigureCanvasAgg(figure)
    speed, memory, files = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    for result, colour, size in (
        ("right", "#0072B2", 3),
        ("busy", "#E69F00", 8),
        ("cut", "#D55E00", 14),
        ("wrong", "#000000", 30),
    ):
        shown = [one for one in run.outcomes if one.result == result and (one.kind in PROMPT or result != "right")]
        if shown:
            points = [(one.due - run.began, max(one.seconds, 0.001)) for one in shown]
            speed.scatter(
                *zip(*points, strict=True), s=size, color=colour, label=f"{result} ({len(shown):,})", linewidths=0
            )
    speed.set_yscale("log")
    speed.set_ylabel("Seconds until the answer")
    for role, colour in COLOURS.items():
        samples = [one for one in run.samples if one.role == role]
        times = [one.at - run.began for one in samples]
        memory.scatter(times, [one.own for one in samples], s=3, color=colour, label=role, linewidths=0)
        files.scatter(times, [one.files for one in samples], s=3, color=colour, linewidths=0)
    memory.set_ylabel("Memory of its own, MB")
    files.set_ylabel("Open files")
    files.set_xlabel("Seconds")
    kinds = sorted({fault.kind for fault in run.faults})
    for kind, colour in zip(kinds, FAULT_COLOURS * 2, strict=False):
        for number, fault in enumerate(one for one in run.faults if one.kind == kind):
            start = fault.began - run.began
            for axes in (speed, memory, files):
                label = kind if axes is files and not number else None
                axes.axvspan(
                    start, max(fault.ended - run.began, start + 1), color=colour, alpha=0.25, linewidth=0, label=label
                )
    speed.legend(loc="upper right", ncols=4, fontsize=8)
    memory.legend(loc="lower right", ncols=3, fontsize=8, markerscale=4)
    files.legend(loc="upper center", ncols=5, fontsize=8, bbox_to_anchor=(0.5, -0.25), title="Faults")
    figure.savefig(path, dpi=110)


def _prompt(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.kind in PROMPT and one.result in ("right", "busy")]
