"""The public record of accuracy: what a model's answers to labelled texts say of it, as Markdown.

    python -m training.record BUNDLE ANSWERS.npz --output docs/accuracy.md

ANSWERS.npz is what `python -m training.deepen --answers` keeps (`training.answers`). `--evaluation` adds files that
`unspun evaluate --output` wrote. Nothing else is read, and no text is shown: the same files give the same record.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import MANIFEST
from model.fast import MACHINE_KINDS
from training import record_figures as figures
from training.answers import DepthAnswers
from training.card import joined, markdown
from training.evaluate import BARELY_CHANGED, TARGET_WORDS
from training.leave_out import FEWEST_HUMAN, SHORTEST
from training.record_figures import Mask, Parts, Row, Sample
from training.tables import cell, tables, title

MISS_WORDS, MISS_CHANGED = 100, 0.3
"""Words, and share of words replaced, from which a paraphrase that is missed is a bad miss."""

_HEAD = """
What the model was measured to be worth, good and bad. `{command}` wrote this file from the model's manifest and from
its answers to labelled texts; do not edit it.

- **Never seen**: the encoder and the heads are trained again in folds. A text of a tool is scored by those that were
  trained without that tool, human text by those that were trained without its source (or, where machine text was made
  from it, without that text); never by any that have learnt from a text of the same original. What these texts tell
  is what to expect of a tool or a writer that is new.
- **Known**: the model that ships scores texts that it has not learnt from, of tools and sources that it has.
- Texts have {shortest} words or more. Paraphrases in which fewer than {barely} of the words were replaced are left
  out; where that is not known they count.
- `fast`, `deep` and `auto` are the depths: the signals alone, the encoder too, and the encoder only where the signals
  are in doubt. TPR at 1 %: the share of paraphrases found where 1 % of the human texts they are compared with is
  flagged.
"""

_AIMS = f"""
Texts of tools and sources never seen. {figures.MISSED}: what is required is not reached; {figures.REQUIRED}: it is;
{figures.REACHED}: so is what we aim at. Marks go by the figure itself, not by its interval (Wilson's of 95 %). Means
count a tool, or a tool in a source, once, if it has {figures.FEWEST} texts or more, whatever their number; our own
paraphrasers do not count. Human texts called `paraphrased` have {TARGET_WORDS} words or more, and the worst source is
of those with {figures.FEWEST_OF_SOURCE} such texts or more. The same domain: human text of the paraphrase's own
domain, where there are {FEWEST_HUMAN} texts of it.
"""

_CALIBRATION = """
How far the score is from the share of paraphrases among texts that score so (expected calibration error over 15 bins
of equal size). Texts of tools and sources never seen, in the mixture that each row tells, which is not that of your
texts.
"""

_TOOLS = """
Each tool in each source with {fewest} texts or more, by models that never saw the tool, against {human} human texts
of all domains from sources never seen.
"""

_OWN = """
Made for the measurement from human texts that the models had not learnt from. These tools are *not* new to them:
encoder and tagger learn from our own paraphrasers in every fold.
"""

_ARTICLES = """
Several texts of one source put together, half of them with a spun passage in their middle, against those without. Not
part of any other table.
"""

_KNOWN = f"""
Held-out texts of tools and sources that the model has learnt from, scored by the model that ships, against held-out
human text. False positives among human texts of {TARGET_WORDS} words and more.
"""

_LENGTH = "Tools and sources never seen. AUROC is against human text of the same length."

_HUMAN = f"""
Human texts of {TARGET_WORDS} words and more of sources never seen, in groups of {figures.FEWEST} and more: how many
are called `paraphrased` (with Wilson's interval of 95 %), and `suspect` or worse. AUROC within a domain is of
paraphrases of that domain against human text of that domain alone.
"""

_LLM = """
Written by a language model and paraphrased by nobody: neither human text nor a paraphrase, so no answer is right.
Shares of the texts that get each word, and of those that are `suspect` or worse as which kind. No head learns from
such text.
"""

_THRESHOLDS = """
Where a score becomes a word, by length. The fast tier's answers are held against its own thresholds, the deep tier's
against those of the deep tier; `doubt` is where `auto` leaves it at the fast tier's answer.
"""

_SIGNALS = """
What each signal is worth: AUROC of a head on its numbers alone, and what the head on all numbers loses without them.
"""

_WORST = """
Of texts of tools and sources never seen, the worst mistakes at depth `{depth}`: at most two of a source. Texts are
third parties' and not quoted; ids are those of the corpora.
"""

_LIMITS = """
- These figures hold for these corpora. A tool, a trade or a time unlike any in them may fare worse.
- Thresholds, calibration and the limits of doubt are set on the very answers to tools and sources never seen that are
  told of here. They are few numbers, but false positives, calibration and what `auto` loses look a little better than
  on text of one more source. The held-out texts of known tools had no part in them.
- A tool never seen may be like one that was: spinners draw on the same thesauri, translators on the same data. The
  phrase lists hold substitutions that were read off pages of spinners in the wild.
- Human text that a tool started from goes with that tool: the encoder may know other texts of its source. Statistics
  of language and word lists are the same in every fold, and have met human text of most sources.
- Some rewriters start from text that a language model wrote, and are told by that as well as by the rewriting.
- Paraphrases and human texts differ in domain too. Where the AUROC within the same domain is lower than against all
  human text, part of the latter is the domain.
- Means are over few tools. A row of 20 texts is uncertain by some hundredths of AUROC, and true-positive rates at 1 %
  rest on the highest few of the human scores.
- Nothing is said of texts under {shortest} words, other languages, poetry or lists, nor of a text that a person has
  smoothed after the tool.
- A score is a reason to look, not proof, and says nothing of who is to blame.
"""


def render_record(
    manifest: Mapping[str, Any],
    answers: DepthAnswers,
    evaluations: Mapping[str, Any] | None = None,
    *,
    command: str = "python -m training.record",
) -> str:
    """Return the record as Markdown, lines of tables unbroken, a line end at the end.

    `evaluations` are results as `unspun evaluate --output` writes them, by the names of their files; `command` is what
    the record says that it was written by. Raises ValueError where the manifest has no thresholds.
    """
    sample = Sample.of(answers, manifest)
    parts = figures.divide(sample)
    sections = [
        ("", _head(manifest, sample, parts, command)),
        ("What was aimed at", _aims(parts.unseen)),
        ("Tools never seen", _tools(parts)),
        ("Texts never seen of known tools", _known(parts.known)),
        ("By length", _by_length(parts.unseen)),
        ("Human text", _human(parts.unseen)),
        ("Text by language models, never paraphrased", _under(_LLM, figures.told_of_llm(parts.llm))),
        ("Every threshold", _thresholds(manifest)),
        ("What each signal is worth", _signals(manifest)),
        ("Worst mistakes", _mistakes(parts.unseen)),
        *((_heading(name), _evaluation(name, found)) for name, found in (evaluations or {}).items()),
        ("What this does not tell", _LIMITS.format(shortest=SHORTEST)),
    ]
    return "\n\n".join(f"## {name}\n\n{body.strip()}" if name else body for name, body in sections if body) + "\n"


def _head(manifest: Mapping[str, Any], sample: Sample, parts: Parts, command: str) -> str:
    heading = f"# Accuracy of {manifest.get('name', 'unnamed')} {manifest.get('version', 'unknown')}"
    note = _HEAD.format(command=command, shortest=SHORTEST, barely=f"{100 * BARELY_CHANGED:.0f} %")
    reasons = {name: int(rows.sum()) for name, rows in figures.left_out(sample).items() if rows.any()}
    rest = ", ".join(f"{cell('', count)} {reason}" for reason, count in reasons.items())
    line = f"{cell('', len(sample))} labelled texts; left out: {rest or 'none'}."
    return joined(heading, note, line, markdown(tables(figures.counts(parts)), 3))


def _aims(sample: Sample) -> str:
    table = markdown(tables([aim.row(sample.depths) for aim in figures.aims(sample)]), 3)
    worst = [
        f"`{source}` at depth `{depth}`"
        for depth, (source, rows) in figures.worst_sources(sample).items()
        if (sample.verdicts[depth][rows] == "paraphrased").any()
    ]
    sources = f"The worst source is {', '.join(worst)}." if worst else ""
    errors = _under(_CALIBRATION, figures.calibration(sample))
    return joined(_AIMS, table, sources, f"### Calibration\n\n{errors}" if errors else "") if table else ""


def _tools(parts: Parts) -> str:
    unseen, own, articles = parts.unseen, parts.own, parts.articles
    found = {kind: {"rows": figures.by_tool(unseen, rows)} for kind, rows in figures.kinds(unseen)}
    found["our own paraphrasers"] = _section(_OWN, figures.by_tool(own, own.machine))
    found["a spun passage in an article"] = _section(_ARTICLES, figures.by_kind(articles))
    note = _TOOLS.format(fewest=figures.FEWEST, human=cell("", int(unseen.human.sum())))
    return _under(note, found)


def _under(note: str, found: Any) -> str:
    """Return a note and the tables of results; nothing where there are none."""
    shown = markdown(tables(found), 3)
    return joined(note, shown) if shown else ""


def _section(note: str, rows: list[Row]) -> dict[str, Any]:
    return {"note": note.strip(), "rows": rows}


def _known(sample: Sample) -> str:
    separated = markdown(tables(figures.by_kind(sample)), 3)
    accused = figures.alarms_by(sample, "", [("all", figures.long_human(sample))])
    return joined(_KNOWN, separated, markdown(tables(accused), 3)) if separated or accused else ""


def _by_length(sample: Sample) -> str:
    found = {
        "paraphrases": {"rows": figures.separation_by_length(sample)},
        "human texts": {"rows": figures.alarms_by_length(sample)},
    }
    return _under(_LENGTH, found)


def _human(sample: Sample) -> str:
    found = {
        "by source": {"rows": figures.alarms_by_source(sample)},
        "by domain": {"rows": figures.alarms_by_domain(sample)},
        "within a domain": {"rows": figures.separation_by_domain(sample)},
        "by writers": _section(_writers(), figures.alarms_by_writer(sample)),
    }
    return _under(_HUMAN, found)


def _writers() -> str:
    groups = [f"{name}: {', '.join(f'`{source}`' for source in sources)}" for name, sources in figures.WRITERS.items()]
    return f"Whose text a source is. {'; '.join(groups)}; {figures.OTHERS}: all other sources."


def _thresholds(manifest: Mapping[str, Any]) -> str:
    found = {"fast tier": manifest["thresholds"], "cascade": manifest.get("cascade"), "deep tier": manifest.get("deep")}
    exact = {name: _exact(value) for name, value in found.items() if value}
    return _under(_THRESHOLDS, exact)


def _exact(value: Any) -> Any:
    """Return results whose numbers are text, all their digits kept: a threshold must not be rounded."""
    if isinstance(value, Mapping):
        return {key: _exact(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(part) for part in value]
    return str(value) if isinstance(value, float) else value


def _signals(manifest: Mapping[str, Any]) -> str:
    accuracy = manifest.get("accuracy") or {}
    found = {name: {"rows": accuracy[name]} for name in ("signals", "deep signals") if accuracy.get(name)}
    return _under(_SIGNALS, found)


def _mistakes(sample: Sample) -> str:
    answers = sample.answers
    changed = np.isnan(answers.changed) | (answers.changed >= MISS_CHANGED)
    bad = sample.machine & changed & (answers.words >= MISS_WORDS)
    accused = _listed(sample, "False positives", "Human texts that score highest.", sample.human, highest=True)
    note = (
        f"Paraphrases of {MISS_WORDS} words and more that score lowest, of those with {100 * MISS_CHANGED:.0f} % of "
        "their words replaced or more, or it is not known how many."
    )
    missed = _listed(sample, "Misses", note, bad, highest=False)
    return joined(_WORST.format(depth=figures.shown_depth(sample)), accused, missed) if accused or missed else ""


def _listed(sample: Sample, heading: str, note: str, rows: Mask, *, highest: bool) -> str:
    places = figures.worst(sample, rows, highest=highest)
    lines = [f"- {_described(sample, place)}" for place in places]
    return f"### {heading}\n\n{note}\n\n" + "\n".join(lines) if lines else ""


def _described(sample: Sample, place: int) -> str:
    """Return a sentence on one text, from what is known of it, not from what it says."""
    answers, depth = sample.answers, figures.shown_depth(sample)
    label, word = str(answers.labels[place]), str(sample.verdicts[depth][place])
    maker = "by a person" if label == "human" else f"{label} by `{answers.tools[place]}`"
    changed = float(answers.changed[place])
    replaced = f", {cell('share', changed)} of its words replaced," if label != "human" and changed == changed else ""
    kind = MACHINE_KINDS[int(answers.probabilities[depth][place, 1:].argmax())]
    told = f"is called `{word}`" + ("" if word == "clear" else f", kind `{kind}`")
    return (
        f"A text of {cell('', int(answers.words[place]))} words ({answers.domains[place]}), {maker}, from "
        f"`{answers.sources[place]}`{replaced} scores {answers.scores(depth)[place]:.2f} and {told} "
        f"(`{answers.ids[place]}`)."
    )


def _heading(name: str) -> str:
    shown = title(Path(name).stem.replace("-", "_"))
    return shown[:1].upper() + shown[1:]


def _evaluation(name: str, results: Any) -> str:
    note = "What is left out there is left out of the fast tier, which answers alone."
    return _under(f"From `{name}`, as `unspun evaluate --output` wrote it. {note}", results)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the record of a model; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    try:
        manifest = _read(options.bundle / MANIFEST)
        answers = DepthAnswers.load(options.answers)
        evaluations = {str(path): _read(path) for path in options.evaluation}
        record = render_record(
            manifest, answers, evaluations, command=shlex.join(["python", "-m", "training.record", *given])
        )
        if options.output is None:
            sys.stdout.write(record)
        else:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(record, encoding="utf-8")
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m training.record", description="Write the record of a model's accuracy.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle's folder")
    parser.add_argument("answers", type=Path, metavar="ANSWERS.npz", help="what training.deepen --answers kept")
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument(
        "--evaluation",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="JSON files that `unspun evaluate --output` wrote",
    )
    return parser


def _read(path: Path) -> Any:
    """Return the content of a JSON file. Raises OSError, and ValueError where it is none."""
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error


if __name__ == "__main__":
    sys.exit(main())
