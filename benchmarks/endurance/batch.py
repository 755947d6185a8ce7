"""Does a run over many documents lose, repeat or change any of them when everything fails that can fail?

    python -m benchmarks.endurance batch                                # a million documents, hours
    python -m benchmarks.endurance batch --documents 50000 --on machine
    python -m benchmarks.endurance batch --resume                       # go on with an interrupted one
    python -m benchmarks.endurance batch --documents 600 --sabotage atomic    # must fail

A corpus is made by seed (benchmarks/endurance/corpus.py): JSON lines, Parquet, WARC and folders, some of it compressed,
some of it behind a web server, some of it damaged. `unspun score` first scores it undisturbed, and the digests of what
it wrote are kept. Then it scores the corpus again, with two workers on this machine or on a Dask cluster, while faults
strike in an order that the seed decides. After each one the command is run again, as a user would.

Checked after every command: its exit status and message, that every part that has its final name is complete, that
finished parts were not written again, that the history of the run says why the command ended, and that no process is
left over. Checked at the end: every document that is not damaged exactly once and in order, every part, the failures
and the skipped files byte for byte as in the undisturbed run, and no other files.

This needs Linux, and the right to mount file systems, which `unshare` gives.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil
from filelock import FileLock, Timeout

from benchmarks.common import ROOT, BenchmarkError, drawn, environment, megabytes_in
from benchmarks.endurance.cluster import Cluster, family_of, spawned
from benchmarks.endurance.corpus import Corpus, id_of, write_corpus
from benchmarks.endurance.server import DOWN, Server

INSIDE = "UNSPUN_ENDURANCE_INSIDE"
"""Set in the process that has its own mounts."""
PLACES = ("machine", "cluster")
SABOTAGE = ("resume", "locking", "atomic")
WORKERS = 2
SILENCE = 60.0
"""Seconds without any progress after which a command counts as hung, and a second for each thousand documents."""
ROOM = 2.5
"""Parts for which a small disk has room."""
LINGER = 10.0
"""Seconds in which the processes of a command must end after it."""
ALLOWED = re.compile(r"part-\d{5}\.(jsonl|done)|(run|summary)\.json|(failures|skipped|commands)\.jsonl")
"""The files of a finished run."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this half."""
    parser.add_argument("--documents", type=int, default=1_000_000, metavar="N", help="default: 1,000,000")
    parser.add_argument("--on", choices=(*PLACES, "both"), default="both", help="where to score (default: both, mixed)")
    parser.add_argument("--faults", type=int, metavar="N", help="number of faults (default: two of each kind)")
    parser.add_argument("--depth", default="auto", choices=("auto", "first", "fast", "deep"), help="default: auto")
    parser.add_argument("--part-size", type=int, default=1000, metavar="N", help="documents in a part (default: 1,000)")
    parser.add_argument("--resume", action="store_true", help="go on with a run of this harness that was interrupted")
    parser.add_argument("--sabotage", choices=SABOTAGE, help="switch off what protects a run; the checks must fail")


def run(options: argparse.Namespace) -> int:
    """Run this half; return the exit status."""
    if INSIDE not in os.environ:
        _inside_own_mounts()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
    endurance = Endurance(options)
    try:
        endurance.prepare()
        endurance.disturb()
        endurance.finish()
    except CheckError as error:
        endurance.broken.append(str(error))
    finally:
        endurance.close()
    print(endurance.report())
    for line in endurance.broken:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if endurance.broken else 0


def _inside_own_mounts() -> NoReturn:
    """Run this command again where its mounts are seen by nobody else and vanish with it."""
    if shutil.which("unshare") is None:
        raise BenchmarkError("`unshare` is missing; install util-linux")
    unshare = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        raise BenchmarkError("this system does not allow private mounts (`unshare --mount`), which the faults need")
    command = [*unshare, sys.executable, "-m", "benchmarks.endurance", *sys.argv[1:]]
    os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})


class CheckError(Exception):
    """A check failed. The message says which one and when."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    `arm` is called before a command starts, `strike` when it has scored enough, and `repair` when it has ended. The
    command must end with one of `statuses` and a message that matches `says`; without statuses, it must go on. `why` is
    what the history of the run must say. `share` is the part of the run in which the fault strikes.
    """

    name: str
    on: Sequence[str] = PLACES
    arm: Callable[[Endurance], None] | None = None
    strike: Callable[[Endurance], None] | None = None
    repair: Callable[[Endurance], None] | None = None
    statuses: Sequence[int] = ()
    says: str = ""
    why: Sequence[str] = ()
    share: tuple[float, float] = (0.05, 0.75)  # later, a small run may have nothing left to score


@dataclass
class Event:
    """A fault that struck, and what came of it."""

    fault: str
    on: str
    seconds: float
    documents: int
    says: str = ""
    status: int | None = None
    resumed: float | None = None
    """Seconds that the next command took until it had scored something new."""


@dataclass
class State:
    """What a later `--resume` needs to know."""

    parameters: dict[str, Any]
    port: int
    schedule: list[tuple[float, str, str]]
    """Share of the run, fault and place, in the order in which they strike."""
    next: int = 0
    seconds: float = 0.0
    events: list[Event] = field(default_factory=list)
    timeline: list[tuple[float, int]] = field(default_factory=list)
    reference: dict[str, Any] = field(default_factory=dict)
    commands: list[dict[str, Any]] = field(default_factory=list)
    peak: float = 0.0
    """Most memory that the first process of a command took, in megabytes."""


class Endurance:
    """A disturbed run and all that belongs to it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.home: Path = options.output.resolve()
        self.folder = self.home / "run"
        self.models = self.home / "models"
        self.lock = FileLock(self.home / ".lock")
        self.broken: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.place = PLACES[0]
        self.inside: list[str] = []
        """Faults for benchmarks.endurance.faulty."""
        self.damaged: set[int] = set()
        """Finished parts that a fault damaged and that the run has not repaired yet."""
        self.cluster = Cluster(self.home / "dask")
        self.server: Server | None = None
        self.silence = SILENCE + options.documents / 1000
        self._begun = time.monotonic()
        self._before = 0.0
        self._marks: dict[int, int] = {}
        self._at_start = 0

    # --- preparation

    def prepare(self) -> None:
        """Make the corpus, the models and the undisturbed run, as far as they are not there from an earlier command."""
        options = self.options
        names = ("documents", "seed", "depth", "part_size")
        parameters = {name: getattr(options, name) for name in names}
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire(blocking=False)
        except Timeout:
            raise BenchmarkError(
                f"{self.home}: another endurance run uses this folder; choose another --output"
            ) from None
        file = self.home / "state.json"
        state = _read_state(file) if file.exists() else None
        same = state is not None and state.parameters == parameters
        if options.resume and not same:
            raise BenchmarkError(f"{file}: there is no run with these options to resume; leave out --resume")
        self.log("corpus")
        self.corpus = self._corpus(parameters)
        self.server = Server(self.home / "corpus" / "web", state.port if state is not None and same else 0)
        schedule = self._schedule()
        self.state = state if state is not None and same else State(parameters, self.server.port, schedule)
        if options.resume:
            self._before = self.state.seconds
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.state = State(parameters, self.server.port, schedule, reference=self.state.reference)
        if not (self.models.exists() and (options.resume or options.sabotage)):
            self._make_models()
        if not self.state.reference:
            self._reference()
        self.save()

    def _corpus(self, parameters: dict[str, Any]) -> Corpus:
        """Return the corpus, which is made once."""
        folder, file = self.home / "corpus", self.home / "corpus.json"
        made = {name: parameters[name] for name in ("documents", "seed")}
        if file.exists():
            kept = json.loads(file.read_text("utf-8"))
            if kept.pop("made") == made:
                return Corpus(folder, **kept)
        file.unlink(missing_ok=True)
        corpus = write_corpus(folder, parameters["documents"], parameters["seed"])
        kept = {name: value for name, value in vars(corpus).items() if name != "folder"}
        file.write_text(json.dumps({"made": made, **kept}), "utf-8")
        return corpus

    def _schedule(self) -> list[tuple[float, str, str]]:
        """Return when which fault strikes where, as the seed decides."""
        generator = random.Random(self.options.seed)
        places = PLACES if self.options.on == "both" else (self.options.on,)
        if self.options.sabotage is not None:
            name = "a second command" if self.options.sabotage == "locking" else "the main process is killed"
            return [(share, name, places[0]) for share in (0.1, 0.2)]
        kinds = [fault for fault in FAULTS if set(fault.on) & set(places)]
        number = self.options.faults or 2 * len(kinds)
        chosen = [kinds[i % len(kinds)] for i in range(number)]
        found = [
            (generator.uniform(*fault.share), fault.name, generator.choice([on for on in fault.on if on in places]))
            for fault in chosen
        ]
        return sorted(found)

    def _make_models(self) -> None:
        """Make a folder of two models that give the same verdicts, but are not the same."""
        from unspun.model.bundle import find

        shutil.rmtree(self.models, ignore_errors=True)
        copies = self.home / "bundles"
        shutil.rmtree(copies, ignore_errors=True)
        for name in ("first", "second"):
            shutil.copytree(find(None), copies / name)
            manifest = json.loads((copies / name / "manifest.json").read_text("utf-8"))
            (copies / name / "manifest.json").write_text(json.dumps({**manifest, "version": f"0.0-{name}"}), "utf-8")
        self.unspun_models("promote", "--model", str(copies / "second"))
        self.unspun_models("promote", "--model", str(copies / "first"))

    def unspun_models(self, *arguments: str) -> None:
        """Run `unspun models`. Raises BenchmarkError."""
        command = [sys.executable, "-m", "unspun.service.cli", "models", "--models", str(self.models), *arguments]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(done.stderr)

    def model(self) -> Path:
        """Return the folder of the model in use."""
        return (self.models / "current").resolve()

    def _reference(self) -> None:
        """Score the corpus undisturbed, and keep digests of what comes of it."""
        self.log("undisturbed run")
        folder = self.home / "undisturbed"
        shutil.rmtree(folder, ignore_errors=True)
        started = time.perf_counter()
        process = subprocess.Popen(
            self.command(folder),
            cwd=self.home,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        peak = 0.0
        with self._errors("undisturbed").open("w") as errors:
            assert process.stderr is not None
            for line in process.stderr:
                errors.write(line)
                peak = max(peak, _peak(process.pid))
        if process.wait() not in (0, 3):
            raise BenchmarkError(f"the undisturbed run failed: see {self._errors('undisturbed')}")
        seconds = time.perf_counter() - started
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        self.state.reference = {
            "parts": {part.name: _digest(part) for part in sorted(folder.glob("part-*.jsonl"))},
            "failures": _digest(folder / "failures.jsonl"),
            "skipped": _digest(folder / "skipped.jsonl"),
            "documents": summary["documents"],
            "failed": summary["failures"],
            "seconds": round(seconds, 1),
            "peak": max(peak, summary.get("peak", 0.0)),
        }
        self._check_documents(folder)
        shutil.rmtree(folder)

    # --- commands

    def command(self, folder: Path, *more: str) -> list[str]:
        """Return the command of a run."""
        assert self.server is not None
        inside = [*self.inside, *([f"no-{self.options.sabotage}"] if self.options.sabotage else [])]
        if folder != self.folder:
            inside = []
        module = ["benchmarks.endurance.faulty", *inside, "--"] if inside else ["unspun.service.cli"]
        where = ["--workers", str(WORKERS)]
        if self.place == "cluster" and folder == self.folder:
            where = ["--scheduler", self.cluster.address()]
        return [
            *(sys.executable, "-m", *module, "score"),
            *("corpus/first", f"http://127.0.0.1:{self.server.port}/", "corpus/last"),
            *("--output", f"{folder.name}/", "--model", "models/current", "--no-evidence"),
            *("--depth", self.options.depth, "--part-size", str(self.options.part_size)),
            *where,
            *more,
        ]

    def start(self) -> None:
        """Start the command of the run."""
        self._marks = self._times()
        self._at_start = self.progress()
        self.errors = self._errors(f"{len(self.state.commands):03}")
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                self.command(self.folder),
                cwd=self.home,
                env=_environment(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.family: dict[int, psutil.Process] = {}
        self.state.commands.append({"on": self.place, "started": round(self.elapsed(), 2)})

    def wait(self, until: float) -> bool:
        """Wait until this share of the run, and a part by this command, is done; return whether the command ended.

        Raises CheckError if nothing happens for too long.
        """
        assert self.process is not None
        before, changed = self.progress(), time.monotonic()
        first = before
        wanted = max(until * len(self.state.reference["parts"]), self._at_start + 1)
        pause = 0.005 if wanted < 200 else 0.2
        while self.process.poll() is None:
            done = self.progress()
            if done != before:
                if before == first and self.state.events and self.state.events[-1].resumed is None:
                    self.state.events[-1].resumed = round(self.elapsed() - self.state.commands[-1]["started"], 2)
                before, changed = done, time.monotonic()
                self.mark()
            if done >= wanted:
                return False
            if time.monotonic() - changed > self.silence:
                self.kill()
                raise CheckError(f"command {len(self.state.commands)} did nothing for {self.silence:.0f} seconds")
            time.sleep(pause)
        return True

    def ended(self, fault: Fault | None) -> tuple[int, str]:
        """Wait for the end of the command; return its exit status and its last message."""
        assert self.process is not None
        deadline = time.monotonic() + self.silence
        while self.process.poll() is None and time.monotonic() < deadline:
            self._remember()
            time.sleep(0.01)
        name = "" if fault is None else f" after the fault: {fault.name}"
        if self.process.poll() is None:
            self.kill()
            raise CheckError(f"command {len(self.state.commands)} did not end{name}")
        status = self.process.returncode
        lines = self.errors.read_text("utf-8", "replace").splitlines()
        says = lines[-1] if lines else ""
        self.state.commands[-1] |= {"ended": round(self.elapsed(), 2), "status": status, "says": says}
        if any(line.startswith("Traceback") for line in lines):
            self.broken.append(f"command {len(self.state.commands)} printed a traceback{name}: see {self.errors}")
        self.mark()
        return status, says

    def kill(self) -> None:
        """Kill the command and all of its processes."""
        if self.process is not None:
            for one in [*family_of(self.process.pid), *getattr(self, "family", {}).values()]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            self.process.wait()

    # --- faults

    def disturb(self) -> None:
        """Run the command, let the faults strike, and run it again after each."""
        self._begun = time.monotonic()
        while self.state.next < len(self.state.schedule):
            share, name, place = self.state.schedule[self.state.next]
            fault = next(fault for fault in FAULTS if fault.name == name)
            running = self.process is not None and self.process.poll() is None
            if running and (place != self.place or fault.arm is not None):
                # The next fault is one of another kind of command, so this one is stopped, like by Ctrl-C.
                self.wait(share)
                self._interrupt()
                running = False
            if not running:
                self.place = place
                if fault.arm is not None:
                    fault.arm(self)
                self.start()
            self._let_strike(fault, share)
            self.state.next += 1
            self.save()
            if self.options.sabotage is not None and self.broken:
                raise CheckError("stopped at the first check that failed, because something is switched off")

    def _let_strike(self, fault: Fault, share: float) -> None:
        waits = fault.strike is not None or not fault.statuses
        ended = self.wait(share) if waits else self.wait(2.0)
        if ended and (waits and fault.statuses):
            status, says = self.ended(None)
            raise CheckError(f"the run ended (status {status}: {says}) before the fault could strike: {fault.name}")
        self.log(f"{self.documents():,} documents: {fault.name} ({self.place})")
        self.state.events.append(Event(fault.name, self.place, round(self.elapsed(), 2), self.documents()))
        if fault.strike is not None:
            self._remember()
            fault.strike(self)
        if not fault.statuses:
            return
        status, says = self.ended(fault)
        event = self.state.events[-1]
        event.says, event.status, event.documents = says, status, self.documents()
        text = self.errors.read_text("utf-8", "replace")
        if status not in fault.statuses:
            self.broken.append(f"{fault.name}: the exit status was {status}, not {fault.statuses}: {says}")
        elif fault.says and not re.search(fault.says, text):
            self.broken.append(f"{fault.name}: the message was not {fault.says!r}: {says}")
        self.state.commands[-1]["why"] = list(fault.why)
        if fault.repair is not None:
            fault.repair(self)
        self.inspect(fault.name)

    def _interrupt(self) -> None:
        assert self.process is not None
        self._remember()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        status, says = self.ended(None)
        self.state.commands[-1]["why"] = ["interrupted"]
        if status != 130:
            self.broken.append(f"Ctrl-C: the exit status was {status}, not 130: {says}")
        self.inspect("Ctrl-C")

    def refused(self, says: str) -> None:
        """Run the command once more, which must refuse."""
        self.start()
        status, message = self.ended(None)
        self.state.commands[-1]["why"] = ["refused"]
        if status != 1 or not re.search(says, message):
            self.broken.append(f"a command was not refused ({says!r}), but ended with {status}: {message}")

    def finish(self) -> None:
        """Run the command to its end, and compare everything with the undisturbed run."""
        self.log("the rest")
        if self.process is None or self.process.poll() is not None:
            self.start()
        self.wait(2.0)
        status, says = self.ended(None)
        self.state.commands[-1]["why"] = ["finished"]
        self.save()
        if status not in (0, 3):
            raise CheckError(f"the last command ended with {status}: {says}")
        self.inspect("the end")
        reference = self.state.reference
        for name in ("failures", "skipped"):
            if _digest(self.folder / f"{name}.jsonl") != reference[name]:
                self.broken.append(f"{name}.jsonl is not that of the undisturbed run")
        if missing := sorted(set(reference["parts"]) - {part.name for part in self.folder.glob("part-*.jsonl")}):
            self.broken.append(f"{len(missing)} parts are missing, the first is {missing[0]}")
        others = [file.name for file in self.folder.iterdir() if not ALLOWED.fullmatch(file.name)]
        if others:
            self.broken.append(f"files that do not belong to a finished run: {', '.join(sorted(others))}")
        self._check_documents(self.folder)
        self._check_history()

    def inspect(self, when: str) -> None:
        """Check the folder of the run after a command."""
        reference, damaged = self.state.reference["parts"], set(self.damaged)
        for part in self.folder.glob("part-*.jsonl"):
            number = int(part.name[5:10])
            if reference.get(part.name) == _digest(part):
                self.damaged.discard(number)
            elif number not in self.damaged:
                self.broken.append(f"{part.name} is not as in the undisturbed run, after: {when}")
        now = self._times()
        for number, moment in self._marks.items():
            if number not in damaged and now.get(number) not in (None, moment):
                self.broken.append(f"part {number} was finished, but was written again, after: {when}")
                break
        if lost := [number for number in self._marks if number not in now and number not in damaged]:
            self.broken.append(f"part {lost[0]} was finished, but is gone, after: {when}")
        deadline = time.monotonic() + LINGER
        while (left := [one for one in self.family.values() if one.is_running()]) and time.monotonic() < deadline:
            time.sleep(0.05)
        if left:
            self.broken.append(f"{len(left)} processes are left over, after: {when}: {left}")
            for one in left:
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    def _check_documents(self, folder: Path) -> None:
        """Check that every document that is not damaged is in the parts, once and in its place."""
        intact = set(self.corpus.intact)
        expected = iter(self.corpus.intact)
        for found in _ids(folder):
            if found in intact and found != (wanted := next(expected, None)):
                raise CheckError(f"{folder.name}: the document {found} is where {wanted} was expected")
        if (missing := next(expected, None)) is not None:
            raise CheckError(f"{folder.name}: the document {missing} is missing")

    def _check_history(self) -> None:
        """Check that the run's own history and summary tell what happened."""
        whys: dict[int, str] = {}
        for line in (self.folder / "commands.jsonl").read_text("utf-8").splitlines():
            event = json.loads(line)
            whys[event["command"]] = event.get("why", event["event"])
        expected = [command["why"] for command in self.state.commands]
        told = list(whys.values())
        if len(told) != len(expected):
            self.broken.append(f"commands.jsonl lists {len(told)} commands, not {len(expected)}")
        for number, (why, wanted) in enumerate(zip(told, expected, strict=False), 1):
            if why not in wanted:
                self.broken.append(f"commands.jsonl says that command {number} ended: {why}, not {' or '.join(wanted)}")
        summary = json.loads((self.folder / "summary.json").read_text("utf-8"))
        interrupted = sum(why not in ("finished", "refused") for why in told)
        if summary["interruptions"] != interrupted or not summary["complete"]:
            self.broken.append(f"summary.json counts {summary['interruptions']} interruptions, not {interrupted}")
        if (summary["documents"], summary["failures"]) != (
            self.state.reference["documents"],
            self.state.reference["failed"],
        ):
            self.broken.append("summary.json does not count the documents and failures of the undisturbed run")

    # --- the state of the run

    def progress(self) -> int:
        """Return the number of parts that are done."""
        try:
            with os.scandir(self.folder) as files:
                return sum(file.name.endswith(".done") for file in files)
        except FileNotFoundError:
            return 0

    def documents(self) -> int:
        """Return about how many documents are done."""
        return min(self.progress() * self.options.part_size, self.options.documents)

    def elapsed(self) -> float:
        """Return the seconds since the disturbed run began, without those between two commands of this harness."""
        return self._before + time.monotonic() - self._begun

    def mark(self) -> None:
        """Add a point to the timeline, and note the memory of the command."""
        timeline, now = self.state.timeline, round(self.elapsed(), 2)
        if not timeline or now - timeline[-1][0] >= 0.2:
            timeline.append((now, self.documents()))
            self._remember()

    def _remember(self) -> None:
        """Note the processes of the command and its memory."""
        if self.process is not None and self.process.poll() is None:
            for one in family_of(self.process.pid)[1:]:
                self.family[one.pid] = one
            self.state.peak = max(self.state.peak, _peak(self.process.pid))

    def _times(self) -> dict[int, int]:
        """Return when the files of the finished parts were written."""
        found = {}
        for marker in self.folder.glob("part-*.done"):
            with suppress(FileNotFoundError):
                found[int(marker.name[5:10])] = marker.with_suffix(".jsonl").stat().st_mtime_ns
        return found

    def log(self, message: str) -> None:
        """Say what happens."""
        print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)

    def _errors(self, name: str) -> Path:
        folder = self.home / "errors"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.txt"

    def save(self) -> None:
        """Keep the state for `--resume`."""
        self.state.seconds = self.elapsed()
        part = self.home / "state.json.part"
        part.write_text(json.dumps(asdict(self.state)), "utf-8")
        part.replace(self.home / "state.json")

    def close(self) -> None:
        """End everything that runs."""
        self.kill()
        for name in ("run", "disk"):
            _unmount(self.home / name)
        self.cluster.close()
        if self.server is not None:
            self.server.close()
        self.lock.release()

    # --- the report

    def report(self) -> str:
        """Write the report and the plot, and return the report as text."""
        options, state = self.options, self.state
        seconds = state.timeline[-1][0] if state.timeline else 0.0
        resumes = [event.resumed for event in state.events if event.resumed is not None]
        results = {
            "command": " ".join(["python -m benchmarks.endurance", *sys.argv[1:]]),
            "seed": options.seed,
            "documents": options.documents,
            "corpus": {"megabytes": round(self.corpus.bytes / 1e6), "seconds": round(self.corpus.seconds, 1)},
            "damaged": self.corpus.damaged,
            "undisturbed": {key: state.reference.get(key) for key in ("documents", "failed", "seconds", "peak")},
            "disturbed": {"seconds": seconds, "commands": len(state.commands), "peak": round(state.peak)},
            "resumes": resumes,
            "events": [asdict(event) for event in state.events],
            "commands": state.commands,
            "timeline": state.timeline,
            "broken": self.broken,
        }
        (self.home / "report.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        rows = [
            {
                "s": f"{event.seconds:,.1f}",
                "documents": f"{event.documents:,}",
                "fault": event.fault,
                "on": event.on,
                "status": "goes on" if event.status is None else str(event.status),
                "resumed after, s": "" if event.resumed is None else f"{event.resumed:.1f}",
                "the command said": event.says.removeprefix("unspun: ")[:100],
            }
            for event in state.events
        ]
        undisturbed = state.reference.get("seconds") or 0.0
        note = (
            f"{options.documents:,} documents ({self.corpus.bytes / 1e6:,.0f} MB, made in {self.corpus.seconds:,.0f} s)"
            f", {self.corpus.damaged:,} damaged, seed {options.seed}, depth {options.depth}. Undisturbed: "
            f"{undisturbed:,.0f} s, {options.documents / max(undisturbed, 0.1):,.0f} documents/s. Disturbed: "
            f"{seconds:,.0f} s, {len(state.commands)} commands; most memory of the first process {state.peak:,.0f} MB "
            f"(undisturbed {state.reference.get('peak', 0.0):,.0f} MB). "
            + (f"A resume takes {sum(resumes) / len(resumes):.1f} s on average. " if resumes else "")
            + ("All checks passed." if not self.broken else f"{len(self.broken)} checks failed.")
        )
        self._plot()
        return drawn({"note": note, "rows": rows})

    def _plot(self) -> None:
        try:
            from matplotlib.figure import Figure
        except ModuleNotFoundError:
            self.log("no plot: matplotlib is not installed")
            return
        figure = Figure(figsize=(12, 8), layout="constrained")
        done, faults = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        if self.state.timeline:
            seconds, documents = zip(*self.state.timeline, strict=True)
            done.plot(seconds, documents, color="tab:blue")
        names = sorted({event.fault for event in self.state.events}, reverse=True)
        for place, marker in zip(PLACES, "os", strict=True):
            for stops, colour in ((True, "tab:red"), (False, "tab:orange")):
                found = [one for one in self.state.events if one.on == place and (one.status is not None) == stops]
                what = f"on the {place}: the command {'stops' if stops else 'goes on'}"
                lanes = [names.index(one.fault) for one in found]
                faults.scatter([one.seconds for one in found], lanes, c=colour, marker=marker, label=what, zorder=2)
                for one in found:
                    done.axvline(one.seconds, color=colour, linewidth=0.6)
        faults.set_yticks(range(len(names)), names)
        faults.grid(alpha=0.4)
        faults.set_xlabel("seconds")
        done.set(ylabel="documents done", title=f"{self.options.documents:,} documents while everything fails")
        done.yaxis.set_major_formatter("{x:,.0f}")
        figure.legend(*faults.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        figure.savefig(self.home / "timeline.png", dpi=100)


# --- the faults -------------------------------------------------------------------------------------------------------


def _kill_worker(run: Endurance) -> None:
    assert run.process is not None
    if run.place == "cluster":
        run.cluster.kill_worker()
        return
    (*_, victim) = spawned(run.process.pid)
    victim.kill()


@contextmanager
def _paused(run: Endurance) -> Iterator[None]:
    """Stop the main process for a while, so that a small run does not end meanwhile."""
    assert run.process is not None
    run.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        run.process.send_signal(signal.SIGCONT)


def _kill_main(run: Endurance) -> None:
    """Kill the process that writes, in the middle of a part if possible."""
    assert run.process is not None
    deadline = time.monotonic() + 5
    while not _has_unfinished(run.folder) and time.monotonic() < deadline:
        time.sleep(0.001)
    run.process.kill()


def _has_unfinished(folder: Path) -> bool:
    with os.scandir(folder) as files:
        sizes = {}
        for file in files:
            with suppress(FileNotFoundError):
                sizes[file.name] = file.stat().st_size
    return any(
        size and re.fullmatch(r"part-\d+\.jsonl(\.part)?", name) and f"{name[:10]}.done" not in sizes
        for name, size in sizes.items()
    )


def _kill_everything(run: Endurance) -> None:
    assert run.process is not None
    os.killpg(run.process.pid, signal.SIGKILL)
    if run.place == "cluster":
        run.cluster.close()


def _small_disk(run: Endurance) -> None:
    """Move the run to a disk that has only room for a few more parts."""
    disk = run.home / "disk"
    disk.mkdir(exist_ok=True)
    run.folder.mkdir(exist_ok=True)
    sizes = [part.stat().st_size for part in run.folder.glob("part-*.jsonl")] or [400 * run.options.part_size]
    used = sum(-(-file.stat().st_size // 4096) * 4096 for file in run.folder.iterdir())
    size = used + int(ROOM * sum(sizes) / len(sizes)) + (1 << 16)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk))
    shutil.copytree(run.folder, disk, dirs_exist_ok=True)
    _mount("--bind", str(disk), str(run.folder))


def _large_disk(run: Endurance) -> None:
    """Move the run back to the real disk."""
    disk = run.home / "disk"
    _unmount(run.folder)
    shutil.rmtree(run.folder)
    shutil.copytree(disk, run.folder)
    _unmount(disk)


def _read_only(run: Endurance) -> None:
    """Make the folder read-only for every new file, as a disk with errors becomes; a mount over it does the same."""
    aside = run.home / "disk"
    aside.mkdir(exist_ok=True)
    _mount("--bind", str(run.folder), str(aside))
    _mount("-o", "remount,ro,bind", str(aside))
    _mount("--move", str(aside), str(run.folder))


def _writable(run: Endurance) -> None:
    _unmount(run.folder)


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"mount {' '.join(arguments)}: {done.stderr.strip()}")


def _unmount(folder: Path) -> None:
    # os.path.ismount does not know mounts of a folder of the same disk.
    while f" {folder} " in Path("/proc/self/mountinfo").read_text("utf-8"):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _rename_fails(run: Endurance) -> None:
    run.inside = ["rename=2"]


def _marker_fails(run: Endurance) -> None:
    run.inside = ["marker=2"]


def _renames_work(run: Endurance) -> None:
    run.inside = []


def _promote(run: Endurance) -> None:
    """Put another model in use, and kill the main process, so that the next command finds the other model."""
    manifest = (run.home / "bundles" / "second" / "manifest.json").read_bytes()
    with _paused(run):
        run.unspun_models("promote", "--model", hashlib.sha256(manifest).hexdigest()[:8])
    _kill_main(run)


def _roll_back(run: Endurance) -> None:
    run.refused("another model")
    run.unspun_models("rollback")


def _overwrite_model(run: Endurance) -> None:
    """Copy another model over the files of the one in use."""
    _copy_over(run.home / "bundles" / "second", run.model())


def _restore_model(run: Endurance) -> None:
    run.refused("another model")
    _copy_over(run.home / "bundles" / "first", run.model())


def _copy_over(source: Path, target: Path) -> None:
    for file in sorted(source.iterdir()):
        (target / file.name).write_bytes(file.read_bytes())


def _cut_connection(run: Endurance) -> None:
    assert run.server is not None
    run.server.cuts = DOWN


def _connect(run: Endurance) -> None:
    assert run.server is not None
    run.server.cuts = 0


def _shake_connection(run: Endurance) -> None:
    assert run.server is not None
    run.server.cuts = 2


def _lose_part(run: Endurance) -> None:
    """Delete the file of a part that is done, and cut off that of another one."""
    for number, part in enumerate(sorted(run.folder.glob("part-*.jsonl"))[:2]):
        run.damaged.add(int(part.name[5:10]))
        if number:
            os.truncate(part, part.stat().st_size // 2)
        else:
            part.unlink()


def _second_command(run: Endurance) -> None:
    """Start a second command on the same folder."""
    with _paused(run):
        done = subprocess.run(
            run.command(run.folder), cwd=run.home, env=_environment(), capture_output=True, text=True, check=False
        )
    says = (done.stderr.splitlines() or [""])[-1]
    run.state.events[-1].says = says
    if done.returncode != 1 or "another run is using this folder" not in says:
        run.broken.append(f"a second command was not refused, but ended with {done.returncode}: {says}")


DISK = {"statuses": (1,), "why": ("disk", "killed")}
NO_SPACE = "No space left on device; once this is fixed, rerun the command to resume"
LATE = (0.6, 0.75)
"""By then, the part of the corpus that a server offers is read at the start of each command."""
FAULTS = (
    Fault(
        "a worker is killed",
        ("machine",),
        strike=_kill_worker,
        statuses=(1,),
        says="a worker was killed",
        why=("workers lost",),
    ),
    Fault("the main process is killed", strike=_kill_main, statuses=(-9,), why=("killed",)),
    Fault("everything is killed", strike=_kill_everything, statuses=(-9,), why=("killed",)),
    Fault(
        "the scheduler is killed",
        ("cluster",),
        strike=lambda run: run.cluster.kill_scheduler(),
        statuses=(1,),
        says="connection to the Dask scheduler was lost",
        why=("workers lost",),
    ),
    Fault("the disk is full", arm=_small_disk, repair=_large_disk, says=NO_SPACE, **DISK),
    Fault("the disk is full at the rename of a part", arm=_rename_fails, repair=_renames_work, says=NO_SPACE, **DISK),
    Fault(
        "the output is read-only",
        strike=_read_only,
        repair=_writable,
        says="Read-only file system; once this is fixed, rerun the command to resume",
        **DISK,
    ),
    Fault("another model is promoted", strike=_promote, repair=_roll_back, statuses=(-9,), why=("killed",)),
    Fault(
        "the model is overwritten",
        strike=_overwrite_model,
        repair=_restore_model,
        statuses=(1, -signal.SIGBUS),
        says="were changed while it was in use|a worker was killed|does not have the model|"
        "does not match the manifest|cannot be read|^$",
        why=("model changed", "workers lost", "killed"),
        share=(0.05, 0.6),
    ),
    Fault(
        "the connection to the input is cut",
        arm=_cut_connection,
        repair=_connect,
        statuses=(1,),
        says="once it can be reached again, rerun the command to resume",
        why=("connection lost",),
        share=LATE,
    ),
    Fault("a Dask worker is killed", ("cluster",), strike=_kill_worker),
    Fault("finished parts are lost or cut off", arm=_lose_part),
    Fault("a second command", strike=_second_command),
    Fault("the connection is cut twice", arm=_shake_connection, share=LATE),
    Fault("the disk is full at the rename of a marker", arm=_marker_fails, repair=_renames_work, says=NO_SPACE, **DISK),
)
"""In the order in which they are taken if there are fewer faults than kinds."""


# --- helpers ----------------------------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    found = environment(ROOT)
    found["PYTHONPATH"] = os.pathsep.join([found["PYTHONPATH"], str(ROOT)])
    return found


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()


def _ids(folder: Path) -> Iterator[str]:
    for part in sorted(folder.glob("part-*.jsonl")):
        with part.open(encoding="utf-8") as lines:
            for line in lines:
                yield id_of(json.loads(line)["id"])


def _peak(process: int) -> float:
    """Return the most memory that a process has taken, in megabytes."""
    with suppress(OSError):
        return megabytes_in(Path(f"/proc/{process}/status").read_text(), "VmHWM") or 0.0
    return 0.0


def _read_state(file: Path) -> State:
    kept = json.loads(file.read_text("utf-8"))
    events = [Event(**event) for event in kept.pop("events")]
    schedule = [tuple(one) for one in kept.pop("schedule")]
    return State(**kept, events=events, schedule=schedule)
