"""What the benchmarks share: command-line options, texts to measure on, child processes and printing."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from platform import machine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from rich.progress import Progress

    from unspun.model.detector import Detector
    from unspun.training.corpora.corpus import LabelledText
    from unspun.training.corpora.roles import Roles

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "seeds" / "examples"
CORPORA = Path(os.environ.get("UNSPUN_CORPORA", ROOT.parent / "shared" / "corpora"))
SEED = 20221114
ARTICLE_WORDS = 800
SHORTEST = 60
"""Words of the shortest text that is measured."""
CRAWL = 20
"""In a crawl, one article in this many is paraphrased."""
SHOWN = 20
"""Broken promises that are printed one by one."""
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

Article = tuple[str, bool]
"""A text, and whether it is paraphrased."""


class BenchmarkError(Exception):
    """The benchmark cannot run; the message says why, in one line."""


class UnavailableError(Exception):
    """A tool cannot run here; the message says why, in one line."""


# --- command line -----------------------------------------------------------------------------------------------------

OPTIONS: dict[str, dict[str, Any]] = {
    "paths": {"nargs": "+", "type": Path, "metavar": "PATH", "help": "labelled files or folders"},
    "--corpus": {
        "nargs": "+",
        "type": Path,
        "metavar": "PATH",
        "help": "labelled files or folders to draw texts from, instead of the default texts",
    },
    "--depth": {"default": "auto", "help": "tier that decides (default: %(default)s)"},
    "--model": {"type": Path, "metavar": "BUNDLE", "help": "folder of the model (default: the one that ships)"},
    "--workers": {"type": int, "default": 2, "metavar": "N", "help": "workers of the service (default: %(default)s)"},
    "--json": {"type": Path, "metavar": "FILE", "help": "also write all figures to this file"},
}
"""Options that several benchmarks have."""


def make_parser(module: str, doc: str | None, *options: str) -> argparse.ArgumentParser:
    """Return a parser for the benchmark with this docstring, with some of the shared OPTIONS."""
    made = argparse.ArgumentParser(f"python -m {module}", description=(doc or "").split("\n\n")[0])
    for name in options:
        argument = made.add_argument(name, **OPTIONS[name])
        if name == "--depth":
            from unspun.model.detector import DEPTHS

            argument.choices = DEPTHS
    return made


def add_corpora(parser: argparse.ArgumentParser) -> None:
    """Add the option for the folder of the corpora."""
    parser.add_argument(
        "--corpus",
        type=Path,
        default=CORPORA,
        metavar="PATH",
        help="folder of the corpora (default: ../shared/corpora)",
    )


def run_main(
    options: argparse.Namespace, measure: Callable[[argparse.Namespace], Any], show: Callable[[Any], str]
) -> int:
    """Measure, write the figures to `--json`, and print them as formatted by `show`; return the exit status.

    The status is 1 if the benchmark cannot run, or if the figures list `broken` promises.
    """
    try:
        results = measure(options)
        if options.json is not None:
            options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        print(show(results), flush=True)
    except (BenchmarkError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    broken = results.get("broken", ()) if isinstance(results, dict) else ()
    for line in broken[:SHOWN]:
        print(f"broken: {line}", file=sys.stderr)
    if len(broken) > SHOWN:
        print(f"and {len(broken) - SHOWN:,} more", file=sys.stderr)
    return 1 if broken else 0


def drawn(results: Any) -> str:
    """Return nested figures as tables for the terminal."""
    from unspun.service.render.evaluation import draw, plain_console
    from unspun.training.reporting.tables import tables

    return draw(tables(results), plain_console()).rstrip("\n")


def print_by_source(heads: Sequence[str], rows: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Print for each source, and for all together, the number of rows and the mean of each column as a percentage."""
    import numpy as np

    everything = [row for of in rows.values() for row in of]
    table = [
        {"source": name, "texts": len(of)}
        | {head: f"{mean:.1%}" for head, mean in zip(heads, np.mean(of, axis=0), strict=True)}
        for name, of in (*sorted(rows.items()), ("all", everything))
        if of
    ]
    print(drawn(table))


def progress() -> Progress:
    """Return a progress bar on standard error that shows only on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


# --- texts ------------------------------------------------------------------------------------------------------------


def from_examples(count: int, every: int = 2) -> list[Article]:
    """Return articles of shuffled example sentences; the last of every `every` is spun."""
    return list(islice(example_articles(every), count))


def example_articles(every: int = 2, words: int = ARTICLE_WORDS) -> Iterator[Article]:
    """Yield an endless series of articles of at least `words` words, always the same ones."""
    generator = random.Random(SEED)
    sentences = {
        spun: [
            sentence
            for path in sorted((EXAMPLES / ("spun" if spun else "human")).glob("*.txt"))
            for sentence in re.split(r"(?<=[.!?])\s+", path.read_text("utf-8"))
        ]
        for spun in (False, True)
    }
    number = 0
    while True:
        spun = number % every == every - 1
        yield _shuffled(sentences[spun], words, generator), spun
        number += 1


def _shuffled(sentences: Sequence[str], least: int, generator: random.Random) -> str:
    chosen: list[str] = []
    words = 0
    while words < least:
        chosen.append(generator.choice(sentences))
        words += len(chosen[-1].split())
    paragraphs = [" ".join(chosen[i : i + 5]) for i in range(0, len(chosen), 5)]
    return "\n\n".join(paragraphs)


def from_corpus(corpus: Path | Sequence[Path], count: int, every: int = 2) -> list[Article]:
    """Draw texts of at least SHORTEST words from labelled files and folders.

    One in `every` is machine-made, as long as there are enough of them. If all texts have the same label, one in
    `every` is given the other label: the speed of a classifier does not depend on what it learnt.
    """
    from unspun.training.corpora.corpus import read_labelled

    generator = random.Random(SEED)
    texts: dict[bool, list[str]] = {False: [], True: []}
    for text in read_labelled([corpus] if isinstance(corpus, Path) else corpus, None):
        if len(text.text.split()) >= SHORTEST:
            texts[text.label != "human"].append(text.text)
    for side in texts.values():
        generator.shuffle(side)
    if not (texts[False] and texts[True]):
        both = (texts[False] or texts[True])[:count]
        return [(text, i % every == every - 1) for i, text in enumerate(both)]
    machine_made = min(count // every, len(texts[True]))
    chosen = [(text, True) for text in texts[True][:machine_made]]
    chosen += [(text, False) for text in texts[False][: count - machine_made]]
    generator.shuffle(chosen)
    return chosen


def from_crawl(count: int, every: int) -> list[Article]:
    """Draw texts as a crawl has them from the corpora: pages of every register, one in `every` paraphrased.

    Only texts with the roles `calibrate` and `test` are drawn, which no model has learnt from. Every source of human
    text counts equally, and so does every paraphrasing tool, as far as they have enough texts.
    """
    from unspun.training.corpora.corpus import read_labelled
    from unspun.training.corpora.roles import default_roles

    roles = default_roles()
    texts: dict[bool, dict[str, list[str]]] = {False: {}, True: {}}
    for text in read_labelled([CORPORA]):
        if text.label == "llm" or len(text.text.split()) < SHORTEST or roles.role(text) not in ("calibrate", "test"):
            continue
        maker = (roles.maker(text) or "").partition(":")[0]
        texts[bool(maker)].setdefault(maker or text.source, []).append(text.text)
    generator = random.Random(SEED)
    human, spun = ([(text, side) for text in _in_turn(texts[side], generator)] for side in (False, True))
    wanted = min(count // every, len(spun))
    chosen = spun[:wanted] + human[: count - wanted]
    generator.shuffle(chosen)
    return chosen


def _in_turn(groups: Mapping[str, list[str]], generator: random.Random) -> list[str]:
    """Return the texts of all groups in turn: a random one of each, then another one of each, and so on."""
    shuffled = [generator.sample(texts, len(texts)) for _, texts in sorted(groups.items())]
    return [text for turn in zip_longest(*shuffled) for text in turn if text is not None]


def read_unseen(paths: Sequence[Path], detector: Detector) -> list[LabelledText]:
    """Read labelled texts, without those that the model learnt from."""
    from unspun.training.corpora.corpus import read_labelled

    return unseen(list(read_labelled(paths)), detector)


def unseen(texts: Sequence[LabelledText], detector: Detector) -> list[LabelledText]:
    """Return the texts that the model did not learn from."""
    import numpy as np

    from unspun.training.corpora.corpus import text_keys

    seen = np.isin(text_keys([text.text for text in texts]), detector.bundle.seen)
    return [text for text, known in zip(texts, seen.tolist(), strict=True) if not known]


def by_maker(texts: Iterable[LabelledText], roles: Roles) -> dict[str, list[LabelledText]]:
    """Return the texts of each maker, in alphabetical order. All systems of the WMT contests are one maker."""
    answer: dict[str, list[LabelledText]] = {}
    for text in texts:
        answer.setdefault((roles.maker(text) or "").partition(":")[0], []).append(text)
    return dict(sorted(answer.items()))


def is_spun(text: LabelledText, least: int = SHORTEST) -> bool:
    """Return whether a text is spun, noticeably changed, and of at least `least` words."""
    from unspun.training.classifier.classify import is_barely_spun

    return text.label == "spun" and not is_barely_spun(text) and len(text.text.split()) >= least


def sample(texts: Iterable[LabelledText], each: int, rng: np.random.Generator) -> dict[str, list[LabelledText]]:
    """Return up to `each` texts of each source, sources in alphabetical order."""
    from unspun.training.corpora.corpus import by_source

    return {
        source: [found[i] for i in rng.permutation(len(found))[:each].tolist()]
        for source, found in by_source(texts).items()
    }


# --- processes and memory ---------------------------------------------------------------------------------------------


def run_child(command: Sequence[str], checkout: Path | None = None) -> dict[str, Any]:
    """Run a command with one thread, and return the JSON object that it prints. Raises BenchmarkError.

    `checkout` is the folder of another version of unspun, which the command then imports.
    """
    done = subprocess.run(command, env=environment(checkout), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(last_line(done.stderr) or f"{' '.join(command)}: exit status {done.returncode}")
    return dict(json.loads(done.stdout))


def run_measured(command: Sequence[str], checkout: Path | None = None) -> dict[str, float]:
    """Run a command with one thread, and return its CPU time, time by the clock and peak memory.

    Processes that it starts are included in the CPU time. Raises BenchmarkError.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment(checkout), stdout=subprocess.DEVNULL, stderr=errors)
        # wait4 measures this one child, but includes this process's own memory between fork and exec.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        error = last_line(errors.read().decode(errors="replace"))
    if process.returncode:
        raise BenchmarkError(error or f"{' '.join(command)}: exit status {process.returncode}")
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - started,
        "memory": megabytes(usage.ru_maxrss),
    }


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment(checkout: Path | None = None) -> dict[str, str]:
    """Return the environment of a child process with one thread, in which `unspun` is that of a checkout."""
    found = {**os.environ, **ONE_THREAD}
    if checkout is not None:
        paths = [str(checkout.resolve() / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        found["PYTHONPATH"] = os.pathsep.join(paths)
    return found


def last_line(text: str) -> str:
    """Return the last line of an error output; empty if there is none."""
    return "".join(text.strip().splitlines()[-1:])


def load_detector(model: Path | str | None) -> Detector:
    """Load a model. Raises BenchmarkError."""
    from unspun.model.bundle import BundleError
    from unspun.model.detector import Detector

    try:
        return Detector.load(model)
    except BundleError as error:
        raise BenchmarkError(str(error)) from error


def peak_megabytes() -> float:
    """Return the peak memory of this process in megabytes."""
    status = Path("/proc/self/status")  # preferred, because ru_maxrss counts the parent's memory at the fork, too
    found = megabytes_in(status.read_text("utf-8"), "VmHWM") if status.exists() else None
    return megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) if found is None else found


def megabytes_in(text: str, name: str) -> float | None:
    """Return an entry of a file about memory in /proc, such as `VmRSS` in `status`; None if it has no such entry."""
    found = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 2**10 if found else None


def processor() -> str:
    """Return the name of this machine's processor."""
    file = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return machine() if found is None else found[1]


def megabytes(maxrss: int) -> float:
    """Convert `ru_maxrss`, which is in bytes on macOS and in kilobytes elsewhere, to megabytes."""
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)
