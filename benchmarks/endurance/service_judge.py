"""Judges a run of the service: what was promised, and what was not kept."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.endurance.service_faults import PROMOTED, ROLLED_BACK, WARM_UP, Fault, ModelSince
from benchmarks.endurance.service_traffic import GREEDY, KINDS, Ledger, Outcome
from benchmarks.endurance.service_watch import MANAGER, WATCHED, Growth, Sample, after, fitted, growth

REACHED_SECONDS = 10.0
"""A change of the model must be in all answers after this time: workers look once a second and then load the model."""
RECOVERED_SECONDS = 10.0
"""Labels must be stored again this long after PostgreSQL is back."""
RECOUNTED_SECONDS = 65.0
"""Workers share the rate limit again this long after Redis is back: they ask for it at growing intervals."""
LATE_SECONDS = 30.0
AT_ONCE = 0.05
"""Tolerance in seconds when the times of two threads are compared."""
KILLS = ("worker killed", "disk full")
"""The faults that kill a worker."""
STORING = ("PostgreSQL stopped", "PostgreSQL hangs")
COUNTING = ("Redis restarted", "Redis hangs")

ENDED = re.compile(r"Worker \(pid:\d+\) (was sent SIG(?!TERM)|exited)")
"""How gunicorn logs that a worker has ended."""

LONG_SECONDS = 1200.0
"""Runs from this length on are judged by their slopes."""
MEGABYTES_PER_HOUR, FILES_PER_HOUR = 20.0, 10.0
"""Harmful growth of a process: at 20 MB per hour, a worker needs twice its memory after a day. A lower limit would
mistake the end of the warm-up for a leak: a worker needs about 1,000 pages until its memory is flat."""
MEGABYTES_PER_CHANGE = 10.0
"""Harmful growth with each change of the model. A model that is not released would add more than 100 MB."""
LOADED_SECONDS = 10.0
"""A worker has loaded a new model, and released most of the old one's memory, this long after the change."""
MEGABYTES_IN_SHORT, FILES_IN_SHORT = 250.0, 40
"""What a process may gain in a shorter run, in which caches fill and each change of the model leaves some memory."""
BLOCKS = 20
"""Blocks of time of which the lowest values are fitted, in a short run."""
MEMORY_BLOCK, FILES_BLOCK = 120.0, 60.0
"""Their length in seconds, in a long run. Workers return memory to the system once a minute."""


@dataclass(slots=True)
class Evidence:
    """Everything that a run has recorded. Times are by the monotonic clock; the run lasted from `began` to `ended`."""

    began: float
    ended: float
    settled: float
    """Seconds after the start from when on memory must be flat."""
    limit: int
    """Texts per minute that each key may send."""
    reached: float
    """Seconds until a change of the model is in all answers."""
    outcomes: list[Outcome]
    faults: list[Fault]
    models: list[ModelSince]
    samples: list[Sample]
    ledger: Ledger
    labels: Counter[tuple[str, str]] | None
    """Ids and comments of the labels in the database, None if there is none."""
    logs: list[bytes]
    """The parts of the log, oldest first."""
    leftovers: Sequence[str]
    """Commands of processes that remained after the service ended."""
    exit_status: int | None
    late: float = 0.0
    """Seconds by which the latest request was sent after it was due."""
    wanted: Sequence[str] = ()
    """Kinds of faults that the schedule has."""
    growths: dict[str, Growth] = field(default_factory=dict)
    """The fitted slopes, by process and unit; `broken` fills this in."""


def broken(run: Evidence) -> list[str]:
    """Return the broken promises of a run."""
    checks = (answers, connections, models_in_time, labels_in_time, labels_kept, rate_limit, log, growing, complete)
    return [line for check in checks for line in check(run)]


def answers(run: Evidence) -> Iterator[str]:
    """No answer is wrong, and none has a status of 5xx but the documented 503."""
    for outcome in run.outcomes:
        if outcome.result == "wrong":
            yield f"{outcome.kind} ({outcome.id}): {outcome.problem}"


def connections(run: Evidence) -> Iterator[str]:
    """Only requests that were in progress when a worker was killed are cut off, and the Python client hides that."""
    kills = [float(fault.notes.get("killed_at", fault.began)) for fault in run.faults if fault.kind in KILLS]
    for outcome in run.outcomes:
        if outcome.result == "cut" and not any(
            outcome.began - AT_ONCE <= kill <= outcome.ended + AT_ONCE for kill in kills
        ):
            yield f"{outcome.kind} ({outcome.id}): cut off while no worker was killed"


def models_in_time(run: Evidence) -> Iterator[str]:
    """Each answer names a model that was in use at some time of its request."""
    until = [
        *(later.ended + run.reached for later in run.models[1:]),
        math.inf,
    ]
    for outcome in run.outcomes:
        for name in outcome.models:
            if not any(
                model.sha256 == name and model.began <= outcome.ended and outcome.began <= end
                for model, end in zip(run.models, until, strict=True)
            ):
                yield f"{outcome.kind} ({outcome.id}): an answer by a model that was not in use then ({name[:8]})"


def labels_in_time(run: Evidence) -> Iterator[str]:
    """Labels are refused only while PostgreSQL is away."""
    for outcome in run.outcomes:
        if outcome.problem == "not-stored" and not _is_near(outcome, run.faults, STORING, RECOVERED_SECONDS):
            yield f"{outcome.kind} ({outcome.id}): a label was refused although PostgreSQL was there"


def labels_kept(run: Evidence) -> Iterator[str]:
    """Exactly the labels that were acknowledged are in the database."""
    if run.labels is None:
        return
    ledger, ids = run.ledger, {id for id, _ in run.labels}
    for id, comment in ledger.kept.items():
        if (id, comment) not in run.labels:
            yield f"a label was lost: {comment}"
    for id in ledger.deleted & ids:
        yield f"a label is still there after it was deleted: {id}"
    for id, comment in run.labels:
        if id not in ledger.kept and id not in ledger.unsure and id not in ledger.deleted:
            if comment in ledger.refused:
                yield f"a label was stored although the answer said that it was not: {comment}"
            elif comment not in ledger.unanswered:
                yield f"a label that nobody sent: {comment}"
    repeated = Counter(comment for _, comment in run.labels)
    for comment, count in repeated.items():
        if count > 1:
            yield f"a label was stored {count} times: {comment}"


def rate_limit(run: Evidence) -> Iterator[str]:
    """While Redis is there, all workers together let no key exceed the limit."""
    greedy = [outcome for outcome in run.outcomes if outcome.kind == GREEDY]
    for start, end in calm(run.began, run.ended, run.faults, COUNTING, RECOUNTED_SECONDS):
        inside = [one for one in greedy if start <= one.began and one.ended <= end]
        accepted = sum(outcome.texts for outcome in inside if outcome.status == 200)
        # A window begins with its first text. The first window may have begun before this time.
        windows = math.ceil((end - start) / 60.0) + (start > run.began)
        if accepted > run.limit * windows:
            yield f"the rate limit let {accepted:,} texts pass in {end - start:.0f} s; it is {run.limit} per minute"


def calm(
    began: float, ended: float, faults: Sequence[Fault], kinds: Sequence[str], margin: float
) -> Iterator[tuple[float, float]]:
    """Yield the times without faults of some kinds and the `margin` after each."""
    start = began
    for fault in sorted((one for one in faults if one.kind in kinds), key=lambda one: one.began):
        if fault.began > start:
            yield start, fault.began
        start = max(start, fault.ended + margin)
    if ended > start:
        yield start, ended


def log(run: Evidence) -> Iterator[str]:
    """The log has whole lines of JSON, and one for each answered request, whatever happened to the log.

    Copying and emptying a log can lose the lines that are written between the two; those requests are left out.
    """
    logged: Counter[tuple[str, int]] = Counter()
    ends: Counter[str] = Counter()
    for part in run.logs:
        for line in part.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                yield f"a line of the log that is not JSON: {line[:100]!r}"
                continue
            if event.get("event") == "request":
                logged[str(event["request_id"]), int(event["status"])] += 1
            elif event.get("event") == "unexpected error":
                yield f"an unexpected error in the log: {line[:500].decode(errors='replace')}"
            elif ENDED.match(str(event.get("event"))):
                ends[str(event["event"]).partition(")")[2].strip()] += 1
    killed = sum("killed_at" in fault.notes for fault in run.faults)
    for how, count in ends.items():
        if "SIGKILL" not in how or count > killed:
            yield f"{count} workers ended, of which {killed if 'SIGKILL' in how else 0} were killed: {how}"
    # The Python client chooses no request ids, lines of a stream share one, and a request without a body is anonymous.
    for outcome in run.outcomes:
        if outcome.result not in ("right", "busy", "limited") or outcome.kind in ("python client", "stream", "silent"):
            continue
        count = logged[outcome.id, outcome.status or 0]
        rotating = _is_near(outcome, run.faults, ("log rotated",), 1.0)
        dying = _is_near(outcome, run.faults, KILLS, 1.0)  # killed after the answer and before the line
        if count > 1 or (count == 0 and not rotating and not dying):
            yield f"{outcome.kind} ({outcome.id}): answered with {outcome.status}, but logged {count} times"


def growing(run: Evidence) -> Iterator[str]:
    """Neither memory nor open files grow, of the manager and of the worker that is never killed.

    Changes of the model move memory to another level, so the line of the memory begins after them. That of the files
    only leaves out the warm-up.
    """
    is_long = run.ended - run.began >= LONG_SECONDS
    for role in (MANAGER, WATCHED):
        all_samples = [one for one in run.samples if one.role == role]
        samples = after(all_samples, run.settled)
        if len(samples) < 2 * BLOCKS:
            yield f"{role}: only {len(samples)} samples; the process has ended, or the run is too short"
            continue
        warm = after(all_samples, WARM_UP * (run.ended - run.began)) if is_long else samples
        memory = line(samples, [one.own for one in samples], MEMORY_BLOCK if is_long else None)
        files = line(warm, [float(one.files) for one in warm], FILES_BLOCK if is_long else None)
        found = [
            ("MB per hour", memory, MEGABYTES_PER_HOUR),
            ("open files per hour", files, FILES_PER_HOUR),
        ]
        if len(levels := list(after_changes(run.models, all_samples))) > 2:
            found.append(("MB per change of the model", fitted(levels), MEGABYTES_PER_CHANGE))
        for unit, fit, harmful in found:
            run.growths[f"{role}: {unit}"] = fit
            if is_long and fit.high >= harmful:
                yield (
                    f"{role}: {fit.slope:+.1f} {unit} ({fit.low:+.1f} to {fit.high:+.1f}); "
                    f"growth of {harmful:g} cannot be ruled out"
                )
        if not is_long:
            for unit, fit, most in (("MB", memory, MEGABYTES_IN_SHORT), ("open files", files, FILES_IN_SHORT)):
                if fit.gained > most:
                    yield f"{role}: gained {fit.gained:.0f} {unit}; {most:g} are allowed in a short run"


def line(samples: Sequence[Sample], values: Sequence[float], block: float | None) -> Growth:
    """Fit a line to the lowest values in blocks of so many seconds, or in BLOCKS blocks."""
    times = [one.at for one in samples]
    return growth(times, values, round((times[-1] - times[0]) / block) if block else BLOCKS)


def after_changes(models: Sequence[ModelSince], samples: Sequence[Sample]) -> Iterator[tuple[float, float]]:
    """Yield the number of each change of the model, and the memory that a process kept until the next one.

    The first two changes are left out: with the first, a process comes to have the memory that a change needs.
    """
    ends = [*(model.began for model in models[1:]), math.inf]
    for number, (model, end) in enumerate(zip(models, ends, strict=True)):
        kept = [one.own for one in samples if model.ended + LOADED_SECONDS <= one.at < end]
        if number > 2 and kept:
            yield float(number), min(kept)


def complete(run: Evidence) -> Iterator[str]:
    """Everything that should happen has happened: each kind of request and fault, and a clean end."""
    for fault in run.faults:
        if fault.problem:
            yield f"{fault.kind}: {fault.problem}"
    happened = {fault.kind for fault in run.faults}
    if happened & {PROMOTED, ROLLED_BACK}:  # which of the two it is depends on the model in use
        happened |= {PROMOTED, ROLLED_BACK}
    for kind in sorted(set(run.wanted) - happened):
        yield f"{kind}: it did not happen; the run was too short"
    seen = {outcome.kind for outcome in run.outcomes}
    for kind in KINDS:
        if kind not in seen and (kind != "feedback" or run.labels is not None):
            yield f"{kind}: no such request was sent"
    if run.late > LATE_SECONDS:
        yield f"requests were sent up to {run.late:.1f} s late: this machine is too busy for the rate"
    for command in run.leftovers:
        yield f"a process of the service remained: {command}"
    if run.exit_status != 0:
        yield f"the service ended with status {run.exit_status}"


def in_flight(run: Evidence, at: float) -> int:
    """Return how many requests were in progress at a time."""
    return sum(outcome.began <= at <= outcome.ended for outcome in run.outcomes)


def _is_near(outcome: Outcome, faults: Sequence[Fault], kinds: Sequence[str], margin: float) -> bool:
    return any(
        fault.kind in kinds and fault.began - margin <= outcome.ended and outcome.began <= fault.ended + margin
        for fault in faults
    )
