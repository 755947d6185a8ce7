"""How verdicts, kinds, reasons, signals and rates are put into words, for every surface and the model card."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from unspun.model.decision.decision import SCORE_PARAPHRASED, SCORE_SUSPECT
from unspun.model.signals.collocations import Collocations
from unspun.model.signals.debris import Debris
from unspun.model.signals.frequency import Frequency
from unspun.model.signals.known_phrases import KnownPhrases
from unspun.model.signals.substitutions import Substitutions
from unspun.model.signals.tagger import Tagger
from unspun.model.signals.translationese import Translationese
from unspun.model.text.listed_phrases import PhraseKind
from unspun.model.verdict import Judgement, Kind, Reason, Repair, Sentence, Verdict, VerdictWord

HEADLINES: dict[VerdictWord, str] = {
    "paraphrased": "Paraphrased",
    "suspect": "Suspect",
    "clear": "Clear",
    "abstained": "No verdict",
}
MEANINGS: dict[VerdictWord, str] = {
    "paraphrased": (
        "The text reads as if a machine had paraphrased another one. Of texts that people write, about 1 in 200 gets "
        "this verdict."
    ),
    "suspect": (
        "There are signs that a machine paraphrased another text, but they are too weak to be sure. Of texts that "
        "people write, about 3 in 100 get this verdict or the one above it."
    ),
    "clear": (
        "On the whole, the text reads as people write. That does not prove a human author: fluent rewriting often "
        "goes unnoticed."
    ),
}
"""What each verdict means; for `abstained`, REASONS says why. `meaning` returns what fits a verdict."""
REASONS: dict[Reason, str] = {
    "too_short": (
        "There are too few words of running prose to judge; headings, lists, tables and code do not count. "
        "Add more of the text."
    ),
    "not_english": "The text does not seem to be in English, and unspun judges only English. Submit an English text.",
    "verse": "The text is a poem or a song, and unspun judges only prose.",
    "not_prose": (
        "Most of the text is lists, tables, figures or code rather than sentences. Submit the running text alone."
    ),
    "allowed_terms": (
        "More than a fifth of the words are allowed terms, which are not judged, so the rest does not stand for the "
        "text. Use a shorter list of allowed terms."
    ),
    "unfamiliar": (
        "The text is too unlike the text that unspun was calibrated on, so a score would mean nothing. Judge it by "
        "reading it."
    ),
    "unsettled": "The first tier cannot settle this text. Use depth auto.",
}
SETTLED = "The first tier found nothing suspicious, so no score was computed. Choose depth fast or deep for a score."
"""Why a text that the first tier settled is `clear` without a score."""
KIND_NAMES: dict[Kind, str] = {"spun": "Spun", "translated": "Translated", "rewritten": "Rewritten"}
KIND_MEANINGS: dict[Kind, str] = {
    "spun": "words and phrases replaced by others",
    "translated": "put through machine translation",
    "rewritten": "reads like a language model’s own words",
}
PHRASE_KINDS: dict[PhraseKind, str] = {
    "tortured": "tortured phrase",
    "spinner": "spinner idiom",
    "own": "your list",
}
"""What `unspun phrases` calls the lists that a phrase may be on."""
JUDGEMENT_NAMES: dict[Judgement, str] = {
    "human": "A person wrote it",
    "spun": "Words were swapped",
    "translated": "Machine-translated",
    "rewritten": "Rewritten by a machine",
}
"""The answers that a reader can choose when labelling a text."""
SIGNALS: dict[str, str] = {
    **KnownPhrases.evidence,
    **Substitutions.evidence,
    **Tagger.evidence,
    **Debris.evidence,
}
"""What each signal that gives evidence found, by `Evidence.signal`."""
PROBABLY, FOR_INSTANCE = "probably", "for instance"
"""What introduces a suggestion that is `probable`, and any other."""
GUESSES = '"?" after a suggestion: for instance; fewer than half of such suggestions are right'
"""What a question mark means where there is no room for words."""
REPAIRS: dict[str, tuple[str, str]] = {
    "accent": ("{} letter with a separate accent", "{} letters with separate accents"),
    "address": ("{} web address", "{} web addresses"),
    "aside": ("{} citation or repeated aside", "{} citations or repeated asides"),
    "blank": ("{} blank character instead of a space", "{} blank characters instead of spaces"),
    "boilerplate_phrase": ("{} boilerplate phrase", "{} boilerplate phrases"),
    "case": ("unusual capitals ({} word)", "unusual capitals ({} words)"),
    "code_fence": ("{} code fence", "{} code fences"),
    "column": ("columns ({} line)", "columns ({} lines)"),
    "control": ("{} control character", "{} control characters"),
    "cue": ("{} subtitle", "{} subtitles"),
    "entity": ("{} HTML entity", "{} HTML entities"),
    "hashtag": ("{} hashtag or mention", "{} hashtags or mentions"),
    "hidden": ("hidden text ({} word)", "hidden text ({} words)"),
    "homoglyph": ("{} word with look-alike letters", "{} words with look-alike letters"),
    "hyphen": ("{} hyphenated line end", "{} hyphenated line ends"),
    "layout": ("layout ({} place)", "layout ({} places)"),
    "ligature": ("{} ligature", "{} ligatures"),
    "line_number": ("{} line number", "{} line numbers"),
    "list_mark": ("{} list mark", "{} list marks"),
    "long_s": ("long s ({} word)", "long s ({} words)"),
    "mail_header": ("{} line of mail headers", "{} lines of mail headers"),
    "markup": ("{} link or other markup", "{} links or other markup"),
    "mojibake": ("{} wrongly decoded character", "{} wrongly decoded characters"),
    "quote_mark": ("{} quoted line of mail", "{} quoted lines of mail"),
    "quotes": ("{} single word in quotation marks", "{} single words in quotation marks"),
    "running_head": ("{} running head", "{} running heads"),
    "scanned_page": ("{} scanned page left out", "{} scanned pages left out"),
    "space": ("{} unusual space", "{} unusual spaces"),
    "spaced_letters": ("{} word with spaces between its letters", "{} words with spaces between their letters"),
    "speaker": ("{} speaker’s name", "{} speakers’ names"),
    "table_border": ("{} border of a table", "{} borders of tables"),
    "timestamp": ("{} time stamp", "{} time stamps"),
    "verse_number": ("{} verse number", "{} verse numbers"),
    "zero_width": ("{} invisible character", "{} invisible characters"),
}
"""What was repaired, once and several times, by `Repair.what`."""
DISGUISES = frozenset(
    [
        *("blank", "boilerplate_phrase", "case", "hashtag", "hidden", "homoglyph", "markup", "quotes"),
        *("spaced_letters", "zero_width"),
    ]
)
"""Repairs of what people do to hide a text from programs. The others undo what programs do to texts."""
FEWEST_DISGUISES = 10
DISGUISES_PER_WORD = 0.05
"""Below either limit they are usual: pages hide menus, and notes contain links."""
DISGUISED = "This is unusual; it may hide the text from programs like this one."
"""What repairs mean that are many."""
QUESTIONS: dict[str, str] = {
    Substitutions.name: Substitutions.question,
    Collocations.name: Collocations.question,
    Frequency.name: Frequency.question,
    KnownPhrases.name: KnownPhrases.question,
    Debris.name: Debris.question,
    Translationese.name: Translationese.question,
    Tagger.name: Tagger.question,
    "length": "how many words are there to judge by?",
}
"""What each group of document features measures, by the part of the feature's name before the dot."""
THRESHOLDS = (
    f"{100 * SCORE_SUSPECT:.0f} % is the threshold of suspect, {100 * SCORE_PARAPHRASED:.0f} % that of paraphrased"
)
LIMITS: tuple[tuple[float, VerdictWord], ...] = ((SCORE_SUSPECT, "suspect"), (SCORE_PARAPHRASED, "paraphrased"))
"""The scores from which a text gets a verdict, lowest first. Draw them wherever scores are drawn."""
SCALE = f"a scale, not a probability: {THRESHOLDS}"
"""What a score is. Show it once wherever scores are shown."""
NO_SOURCE = (
    "Text that a language model wrote from nothing often gets “rewritten”; “rewritten” does not prove that a source "
    "exists."
)
"""What the kind `rewritten` does not prove. Show it wherever the kinds are explained."""
COMMON = 0.2
"""Rates from here on are given in tenths."""
NEARLY_ALL = 0.95
RAREST = 1e-6
"""No rate is given as smaller than this."""
FIGURES = 2
MOST_TIMES = 1000
"""Factors above this one are given as "over 1,000 times"."""


def meaning(verdict: Verdict) -> str:
    """Return what a verdict means, or why there is none, in sentences."""
    if verdict.reason is not None:
        return REASONS[verdict.reason]
    return f"{MEANINGS[verdict.verdict]} {SETTLED}" if is_settled(verdict) else MEANINGS[verdict.verdict]


def is_settled(verdict: Verdict) -> bool:
    """Return whether the first tier settled a text: it is `clear`, and has no score."""
    return verdict.depth == "first" and verdict.verdict == "clear"


def suspicion(verdict: Verdict) -> float:
    """Return a number to sort verdicts by: the score, below all scores if the first tier settled the text, and lowest
    if there is no verdict.
    """
    if verdict.score is not None:
        return verdict.score
    return -1.0 if is_settled(verdict) else -2.0


def human_texts(rate: float, supported: float = 0.0) -> str:
    """Return a false-positive rate as a count of human texts: "about 1 in 480".

    At or below `supported`, the smallest rate that the calibration supports, the answer is "fewer than 1 in 500".
    """
    least = max(float(f"{supported:.3g}"), RAREST)  # as verdicts round it
    if rate <= least:
        return f"fewer than 1 in {_figures(1.0 / least, math.floor):,}"
    if rate >= NEARLY_ALL:
        return "nearly all"
    if rate >= COMMON:
        return f"about {rate * 10:.0f} in 10"
    return f"about 1 in {_figures(1.0 / rate, round):,}"


def looks_like_this(verdict: Verdict, supported: float = 0.0) -> str | None:
    """Return the false-positive rate as a sentence without its full stop; None if the verdict has none."""
    if verdict.false_positive_rate is None:
        return None
    texts = human_texts(verdict.false_positive_rate, supported)
    verb = "looks" if texts.startswith("about 1 ") else "look"
    return f"{texts} human texts of this length {verb} like this"


def repairs_in_words(repairs: Iterable[Repair]) -> str | None:
    """Return what was repaired, such as "3 ligatures, hidden text (140 words)"; None if nothing was."""
    return ", ".join(_repair_in_words(repair) for repair in repairs) or None


def _repair_in_words(repair: Repair) -> str:
    name = repair.what.replace("_", " ")
    once, often = REPAIRS.get(repair.what, (f"{name} ({{}} place)", f"{name} ({{}} places)"))
    return (once if repair.count == 1 else often).replace("{}", f"{repair.count:,}")


def is_disguised(verdict: Verdict) -> bool:
    """Return whether a text needed so many repairs of what hides texts from programs that this is a sign itself."""
    count = sum(repair.count for repair in verdict.repairs if repair.what in DISGUISES)
    return count >= max(FEWEST_DISGUISES, DISGUISES_PER_WORD * verdict.words)


def share_of_words(verdict: Verdict) -> str | None:
    """Return the suspicious share of a text, such as "93 % of the words"; None if it is 0 or unknown."""
    return f"{percent(verdict.share)} of the words" if verdict.share else None


def allowed_in_words(verdict: Verdict) -> str | None:
    """Return how much of a text was not judged, such as "7 words of allowed terms"; None if no terms are in it."""
    if not verdict.allowed:
        return None
    return f"{verdict.allowed:,} {'word' if verdict.allowed == 1 else 'words'} of allowed terms"


def percent(part: float) -> str:
    """Return a share between 0 and 1 as whole percent: "97 %", ">99 %". Only 0 gives "0 %", only 1 gives "100 %"."""
    whole = round(100 * part)
    if whole >= 100 and part < 1.0:
        return ">99 %"
    if whole <= 0 and part > 0.0:
        return "<1 %"
    return f"{whole} %"


def decimal_percent(part: float, decimals: int) -> str:
    """Return a share between 0 and 1 as percent with a fixed number of decimals: "2.0 %"."""
    return f"{100 * part:.{decimals}f} %"


def _figures(number: float, to_whole: Callable[[float], int]) -> int:
    unit = 10 ** max(0, int(math.log10(number)) + 1 - FIGURES)
    return int(to_whole(number / unit) * unit)


def sentence_in_words(sentence: Sentence) -> str:
    """Return how suspicious a sentence is: "translated: more suspicious than 97 % of human sentences"."""
    return f"{sentence.kind}: more suspicious than {percent(min(sentence.score, 0.99))} of human sentences"


def times(weight: float) -> str:
    """Return a weight in nats as a factor with two significant figures, such as "24 times"."""
    factor = math.exp(min(weight, 20.0))
    if factor > MOST_TIMES:
        return f"over {MOST_TIMES:,} times"
    return f"{factor:.2g} times" if factor < 100 else f"{round(factor, -1):,.0f} times"
