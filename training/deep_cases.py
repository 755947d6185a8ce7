"""Texts that the deep tier is calibrated and measured on, each with the encoder that may judge it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.repair import repair
from training.corpora import LabelledText, tool_family
from training.folds import Folds
from training.matrix import crop
from training.spinning import spin
from training.train import PARAPHRASERS, Parts, Recipe

SHIPPED = -1
"""The fold of the encoder that ships, which has learnt from every tool: it judges texts that are held out."""
SHORTEST = 50
HUMAN, MACHINE, LANGUAGE_MODEL = (500, 130), (330, 65), (125, 75)
"""Texts of a tool in a source that are taken: of those that are judged by a fold, and of the held-out ones."""
CROPPED = 0.35
OWN = 1300
"""Paraphrases of our own; the encoder knows these tools, though not the texts."""
ARTICLES, ARTICLE_WORDS, PASSAGE_WORDS = 700, 1350, 150
"""Long articles, put together from texts of one source; half of them with a spun passage in their middle."""


@dataclass(frozen=True, slots=True)
class Case:
    """A text, the fold whose encoder judges it, and how it came about.

    `mode` is `real`, `own` (our own paraphrasers), `long` (several texts in one) or `passage` (the same with a spun
    passage, characters `span` of the text).
    """

    text: LabelledText
    group: int
    fold: int
    held_out: bool
    mode: str
    span: tuple[int, int] | None = None


def choose_cases(texts: Sequence[LabelledText], parts: Parts, folds: Folds, count: int, recipe: Recipe) -> list[Case]:
    """Choose the cases. `count` is the number of folds."""
    rng = np.random.default_rng(recipe.seed + 3)
    cases = _real(texts, parts, folds, count, rng)
    human = [case for case in cases if case.text.label == "human" and not case.held_out]
    return cases + _own(human, rng, recipe) + _articles(texts, parts, folds, cases, rng, recipe)


def _real(
    texts: Sequence[LabelledText], parts: Parts, folds: Folds, count: int, rng: np.random.Generator
) -> list[Case]:
    # A source of which the classifier's part has nothing is judged on texts of the tables' part; its own encoder has
    # not seen them.
    judged = np.logical_or.reduce([folds.judges(fold) for fold in range(count)])
    usable = parts.matrix | ~np.isin(sources := np.array([text.source for text in texts]), sources[parts.matrix])
    taken: Counter[tuple[str, str, str, bool]] = Counter()
    cases = []
    for i in rng.permutation(len(texts)).tolist():
        text = texts[i]
        # A spun text without its original teaches the encoder nothing, and is new to it in any case.
        held_out = bool(parts.held_out[i]) and not (text.label == "spun" and not text.original)
        if not usable[i] or len(text.text.split()) < SHORTEST:
            continue
        if not (judged[i] or held_out or text.label == "llm"):
            continue
        cell = (text.label, text.source, tool_family(text), held_out)
        limits = {"human": HUMAN, "llm": LANGUAGE_MODEL}.get(text.label, MACHINE)
        if taken[cell] >= limits[held_out]:
            continue
        taken[cell] += 1
        fold = SHIPPED if held_out or text.label == "llm" else int(folds.part[i])
        if text.label == "human" and not held_out and rng.random() < CROPPED:
            text = replace(text, text=crop(text.text, rng))
        cases.append(Case(text, int(parts.groups[i]), fold, held_out, "real"))
    return cases


def _own(human: Sequence[Case], rng: np.random.Generator, recipe: Recipe) -> list[Case]:
    chosen = [human[i] for i in rng.permutation(len(human))[:OWN].tolist()]
    plain = [repair(case.text.text).text for case in chosen]
    spun = spin(plain, PARAPHRASERS, seed=recipe.seed + 77, lexicons=recipe.lexicons, jobs=recipe.jobs)
    cases = []
    for case, one in zip(chosen, spun, strict=True):
        changed = sum(len(one.text[c.start : c.end].split()) for c in one.substitutions)
        text = replace(
            case.text,
            text=one.text,
            label="spun",
            tool=f"unspun:{one.paraphraser}",
            source="unspun",
            changed_frac=changed / max(1, len(one.text.split())),
        )
        cases.append(replace(case, text=text, mode="own"))
    return cases


def _articles(
    texts: Sequence[LabelledText],
    parts: Parts,
    folds: Folds,
    cases: Sequence[Case],
    rng: np.random.Generator,
    recipe: Recipe,
) -> list[Case]:
    passages: dict[int, list[LabelledText]] = {}
    for case in cases:
        barely = case.text.changed_frac is not None and case.text.changed_frac < 0.1
        if case.text.label == "spun" and not case.held_out and not barely and len(case.text.text.split()) >= 110:
            passages.setdefault(case.fold, []).append(case.text)
    answer = []
    for number, places in enumerate(_bundles(texts, parts, folds, rng)):
        fold = int(folds.part[places[0]])
        body = [repair(texts[i].text).text.strip() for i in places]
        whole = replace(texts[places[0]], id=f"article-{number}", text="\n\n".join(body), original=None)
        case = Case(whole, int(parts.groups[places[0]]), fold, held_out=False, mode="long")
        if number % 2:
            case = _with_passage(case, body, passages.get(fold, []) if number % 4 == 1 else [], number, rng, recipe)
        answer.append(case)
    return answer


def _bundles(texts: Sequence[LabelledText], parts: Parts, folds: Folds, rng: np.random.Generator) -> list[list[int]]:
    """Return runs of human texts of one source and fold that make an article together."""
    free: dict[tuple[str, int], list[int]] = {}
    for i in rng.permutation(np.flatnonzero(parts.matrix & ~parts.held_out & folds.human)).tolist():
        if len(texts[i].text.split()) >= 200:
            free.setdefault((texts[i].source, int(folds.part[i])), []).append(i)
    runs: list[list[int]] = []
    for places in free.values():
        run: list[int] = []
        made = 0
        for i in places:
            run.append(i)
            if sum(len(texts[j].text.split()) for j in run) >= ARTICLE_WORDS:
                runs.append(run)
                run, made = [], made + 1
            if made == ARTICLES // 17:
                break
    return [runs[i] for i in rng.permutation(len(runs))[:ARTICLES].tolist()]


def _with_passage(
    case: Case,
    body: list[str],
    passages: Sequence[LabelledText],
    number: int,
    rng: np.random.Generator,
    recipe: Recipe,
) -> Case:
    """Put a spun passage between two of the article's texts: a real tool's, or one of their own, spun by us."""
    place = int(rng.integers(1, len(body))) if len(body) > 1 else 1
    if passages:
        chosen = passages[int(rng.integers(len(passages)))]
        spun, tool = " ".join(chosen.text.split()[:PASSAGE_WORDS]), tool_family(chosen)
    else:
        words = body[place - 1].split()
        start = max(0, len(words) // 2 - PASSAGE_WORDS // 2)
        name = PARAPHRASERS[number % len(PARAPHRASERS)]
        plain = " ".join(words[start : start + PASSAGE_WORDS])
        one = spin([plain], [name], seed=recipe.seed + number, lexicons=recipe.lexicons, jobs=1)[0]
        spun, tool = one.text, f"unspun:{name}"
    before = "\n\n".join(body[:place]) + "\n\n"
    text = "\n\n".join([*body[:place], spun, *body[place:]])
    labelled = replace(case.text, text=text, label="spun", tool=tool, source="passage")
    return replace(case, text=labelled, mode="passage", span=(len(before), len(before) + len(spun)))
