"""Trains a model on a user's own texts alone: `unspun train --from-scratch`.

The user's sources and tools get roles, like those of the shipped model (training.corpora.roles): the texts that the
model learns from never set its thresholds, and neither are used to measure it. The model has no deep tier.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unspun.model import bundle
from unspun.model.decision.decision import Decision
from unspun.model.verdict import KINDS
from unspun.training.build import build, calibration_texts, provisional_detector
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.calibration.explaining import add_explanations
from unspun.training.classifier.fast_tier import Recipe, Report, Stages, TrainingError, train_fast_tier
from unspun.training.classifier.matrix import maker_name
from unspun.training.corpora.corpus import LabelledText, assign_groups, counts_by_path, group_keys
from unspun.training.corpora.roles import ROLES, Role, hashed, role_by_hash
from unspun.training.reporting import metrics
from unspun.training.retraining.adapt import paraphrased
from unspun.training.retraining.correction import called

ENOUGH_SOURCES, ENOUGH_MAKERS = 5, 3
"""Human sources, and makers of one kind, that are needed to hold out whole ones."""
SHARE = 0.2
"""Share of the sources, makers or texts that is `calibrate`; the same share is `test`."""
LEAST_ROLE = 20
"""Texts that each role needs if whole sources or makers are held out; otherwise single texts are."""
LEAST_HUMAN = 10
"""Human texts that are needed to set thresholds."""
FEWEST_OF_KIND = 5
"""Texts of a kind that are needed to learn it."""
UNNAMED = "unnamed"
"""The tool of texts that do not name one."""

Unit = Literal["source", "text"]


@dataclass(frozen=True)
class SharedTexts:
    """Texts by role; under None, those whose origin and maker have different roles.

    If `unit` is "source", whole sources of human text are held out; there are `origins` of them. `held_out` lists the
    kinds of which whole makers are held out.
    """

    by_role: Mapping[Role | None, list[LabelledText]]
    unit: Unit
    origins: int
    held_out: tuple[str, ...]


def share_out(texts: Sequence[LabelledText]) -> SharedTexts:
    """Assign a role to each of a user's texts.

    If there are five or more human sources, a fifth of them is `calibrate` and a fifth `test`; the same goes for the
    makers of a kind if there are three or more. Otherwise single texts are held out, versions of one original together.
    A source with a single text does not count as a source. The choice depends on names and texts, not on their order.
    """
    names = [f"{key:016x}" for key in group_keys(texts, assign_groups(texts)).tolist()]
    origins = _origins(texts, names)
    human = sorted({origins[name] for name, text in zip(names, texts, strict=True) if text.label == "human"})
    unit: Unit = "source"
    of_origin = _ranked(human) if len(human) >= ENOUGH_SOURCES else {}
    people = [of_origin.get(origins[n]) for n, text in zip(names, texts, strict=True) if text.label == "human"]
    if any(people.count(role) < LEAST_ROLE for role in ROLES):
        unit, of_origin = "text", {}
    of_group = {name: of_origin.get(origins[name]) for name in names}
    makers = _makers(texts, [of_group[name] for name in names])
    by_role: dict[Role | None, list[LabelledText]] = {role: [] for role in (*ROLES, None)}
    for name, text in zip(names, texts, strict=True):
        by_role[_role(of_group[name], makers.get((text.label, _maker(text))), name)].append(text)
    return SharedTexts(
        by_role, unit, len(human), tuple(kind for kind in KINDS if any(label == kind for label, _ in makers))
    )


def _role(of_origin: Role | None, of_maker: Role | None, group: str) -> Role | None:
    """Return the role of a text; if neither its origin nor its maker has one, a hash of its group decides."""
    if of_origin is not None and of_maker is not None:
        return of_origin if of_origin == of_maker else None
    if of_origin is not None or of_maker is not None:
        return of_origin or of_maker
    return role_by_hash(group, SHARE)


def _origins(texts: Sequence[LabelledText], names: Sequence[str]) -> dict[str, str]:
    """Return the source of each group: that of its human text, if it has one."""
    sizes = Counter(text.source for text in texts)
    found: dict[str, tuple[bool, str]] = {}
    for name, text in zip(names, texts, strict=True):
        source = text.source if sizes[text.source] > 1 else ""
        candidate = (text.label != "human", source)
        found[name] = min(found.get(name, candidate), candidate)
    return {name: source for name, (_, source) in found.items()}


def _makers(texts: Sequence[LabelledText], of_origin: Sequence[Role | None]) -> dict[tuple[str, str], Role]:
    """Return the roles of makers, by kind and name; none for a kind whose roles would get too few texts."""
    answer: dict[tuple[str, str], Role] = {}
    for kind in KINDS:
        rows = [(_maker(text), role) for text, role in zip(texts, of_origin, strict=True) if text.label == kind]
        names = sorted({name for name, _ in rows} - {UNNAMED})
        if len(names) < ENOUGH_MAKERS:
            continue
        roles = _ranked(names)
        left = [roles[name] for name, role in rows if name in roles and role in (None, roles[name])]
        if all(left.count(role) >= LEAST_ROLE for role in ROLES):
            answer |= {(kind, name): role for name, role in roles.items()}
    return answer


def _maker(text: LabelledText) -> str:
    return maker_name(text) if text.tool or text.method else UNNAMED


def _ranked(names: Sequence[str]) -> dict[str, Role]:
    """Assign roles to names by a hash: a fifth, but at least one, is `calibrate`, and as many are `test`."""
    ordered = sorted(names, key=lambda name: (hashed(name), name))
    count = max(1, round(SHARE * len(ordered)))
    return {
        name: "calibrate" if place < count else "test" if place < 2 * count else "train"
        for place, name in enumerate(ordered)
    }


def train_from_scratch(
    texts: Sequence[LabelledText],
    output: Path,
    recipe: Recipe,
    *,
    work: Path | None = None,
    report: Report = lambda line: None,
    progress: bool = False,
) -> dict[str, Any]:
    """Train a model on a user's labelled texts and write the bundle; return the manifest.

    If all texts are human, our own paraphrasers make the machine texts that the model is measured on. Results of stages
    are kept in `work`, if given. Raises TrainingError, and writes nothing, if the texts cannot be used.
    """
    given = [_named(text) for text in texts if text.label != "llm"]
    if len(given) < len(texts):
        report(f"left out {len(texts) - len(given):,}: labelled llm, which models do not learn")
    shared = share_out(given)
    learned = _without_rare_kinds(shared.by_role["train"], report)
    _report_roles(shared, report)
    held = {role: [*shared.by_role[role]] for role in ("calibrate", "test")}
    human = sum(text.label == "human" for text in held["calibrate"])
    if human < LEAST_HUMAN:
        raise TrainingError(
            f"only {human} human texts are left to set the thresholds, but at least {LEAST_HUMAN} are needed"
            f"{counts_by_path(held['calibrate'], given, ['human'])}; give about "
            f"{round(LEAST_HUMAN / SHARE)} human texts or more (--human)"
        )
    stages = Stages(work, given, recipe, report)
    fast = train_fast_tier(learned, recipe, stages, progress=progress)
    ours = all(text.label == "human" for text in given)
    if ours:
        for some in held.values():
            some += paraphrased(some, seed=recipe.seed, lexicons=recipe.lexicons, jobs=recipe.jobs, report=report)
    detector = provisional_detector(fast, None, recipe.allowed)
    report(f"reading {sum(map(len, held.values())):,} held-out texts ...")
    calibrate = gather_evidence(
        detector, calibration_texts(held["calibrate"], recipe.seed), depth="fast", jobs=recipe.jobs
    )
    test = gather_evidence(detector, held["test"], depth="fast", jobs=recipe.jobs) if held["test"] else None
    note = _note(shared, ours)
    report("fitting the decision ...")
    build(
        output,
        fast,
        None,
        None,
        calibrate,
        learned,
        recipe,
        accuracy=lambda decision: {} if test is None else figures(test, decision, note),
    )
    manifest = add_explanations(bundle.load(output), output, held["calibrate"])
    report(f"wrote {output}")
    return manifest


def _named(text: LabelledText) -> LabelledText:
    unknown = text.label != "human" and not text.tool and not text.method
    return dataclasses.replace(text, tool=UNNAMED) if unknown else text


def _without_rare_kinds(texts: Sequence[LabelledText], report: Report) -> list[LabelledText]:
    counts = Counter(text.label for text in texts)
    rare = [kind for kind in KINDS if 0 < counts[kind] < FEWEST_OF_KIND]
    for kind in rare:
        report(f"{counts[kind]} {kind} texts are too few to learn from; the model will not find that kind")
    return [text for text in texts if text.label not in rare]


def _report_roles(shared: SharedTexts, report: Report) -> None:
    counts = ", ".join(f"{len(shared.by_role[role]):,} {role}" for role in ROLES)
    report(f"roles by {shared.unit}: {counts}")
    if shared.by_role[None]:
        report(f"left out {len(shared.by_role[None]):,}: their source and their tool have different roles")


def _note(shared: SharedTexts, ours: bool) -> str:
    if shared.unit == "source":
        note = "Measured on human sources that no part of the model was fitted on."
    elif shared.origins == 1:
        note = "Measured on other texts of the same source; the figures say nothing about other sources."
    else:
        note = f"Measured on other texts of the same {shared.origins} sources; the figures say little about others."
    if shared.held_out and not ours:
        return f"{note} The tools that made the {' and '.join(shared.held_out)} texts were unseen as well."
    tools = "The spun texts are by our own paraphrasers, which" if ours else "The tools are those that"
    return f"{note} {tools} the model learned from; other tools are found less often."


def figures(labelled: LabelledEvidence, decision: Decision, note: str) -> dict[str, Any]:
    """Return the accuracy of the fast tier on `test` texts, laid out for training.reporting.tables.

    A kind's AUROC is that of its own score against human text. Texts without a verdict are counted separately.
    """
    tier = decision.tiers["fast"]
    judged = (labelled.reasons == "") & (labelled.unfamiliar <= decision.least_familiar)
    rates = tier.log_rates(labelled.fast(), labelled.words, labelled.unfamiliar)
    words = {word: called(tier.scores(rates.min(axis=1)), word) for word in ("suspect", "paraphrased")}
    human = labelled.labels == "human"
    found = []
    for number, kind in enumerate(KINDS):
        for maker in np.unique(labelled.makers[labelled.labels == kind]).tolist():
            own = (labelled.labels == kind) & (labelled.makers == maker)
            row = {"kind": kind, "tool": maker, **_counted(own, judged)}
            if (own & judged).any() and (human & judged).any():
                rows = judged & (own | human)
                row["auroc"] = round(metrics.auroc(own[rows], -rates[rows, number]), 4)
            found.append({**row, **_shares(own & judged, words)})
    falsely = [
        {"source": source, **_counted(own, judged), **_shares(own & judged, words)}
        for source in np.unique(labelled.sources[human]).tolist()
        for own in (human & (labelled.sources == source),)
    ]
    falsely.sort(key=lambda row: (-row.get("suspect_rate", 0.0), row["source"]))
    every = {"source": "all", **_counted(human, judged), **_shares(human & judged, words)}
    return {
        "found": {"note": note, "rows": found},
        "false positives": {"note": "Human texts, by source, worst first.", "rows": [every, *falsely[:20]]},
    }


def _counted(rows: NDArray[np.bool_], judged: NDArray[np.bool_]) -> dict[str, int]:
    return {"texts": int(rows.sum()), "no verdict": int((rows & ~judged).sum())}


def _shares(rows: NDArray[np.bool_], words: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Return the share of the rows with each verdict and its interval; nothing if there are no rows."""
    shares: dict[str, float] = {}
    if total := int(rows.sum()):
        for word, given in words.items():
            shares |= metrics.share_with_interval(f"{word}_rate", int((rows & given).sum()), total, digits=5)
    return shares
