"""Scores Hugging Face datasets: `verdicts = articles.map(ScoreRows(), batched=True)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from unspun.model import bundle as bundles
from unspun.model.text.allowed import Allowed
from unspun.model.verdict import EvidenceChoice
from unspun.service.rows import RowScorer, places, row_values, without_nulls


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """A function for `Dataset.map` and `IterableDataset.map`, which adds the columns of the verdict to each row.

    Their names begin with `unspun_`, since the rows keep their own columns: `unspun_verdict`, `unspun_score` and so on,
    and `unspun_json`, the whole verdict. There is no null among them, because `map` takes the type of a column from its
    first values: a number that a verdict lacks is NaN, and a word is empty. A row without text gets such values only.

    It works with `batched=True`, which is much faster, and without, and with `num_proc`. Its state contains the hash of
    the model, so that `map` does not reuse the cached answers of another model.

    Args:
        depth: `first`, `auto`, `fast` or `deep`.
        evidence: whether to look for suspicious words, which takes longer; `"all"` also in texts that are clear.
        bundle: the folder of the model, by default the one that ships.
        base_rate: the share of paraphrased texts among the rows; adds `unspun_probability`.
        text_field: the column of the text; by default `text`, `content`, `body`, `article` or `full_text`.
        id_field: the column of the id; by default `id` if there is one.
        allowed: terms that are never evidence.

    Raises:
        BundleError: if the model cannot be used, or a worker has another one.
        KeyError: if the rows have no such column.
    """

    depth: str = "auto"
    evidence: EvidenceChoice = True
    bundle: str | None = None
    base_rate: float | None = None
    text_field: str | None = None
    id_field: str | None = None
    allowed: Allowed | None = None
    sha256: str = field(init=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", bundles.check(self.bundle)[0].sha256)
        object.__setattr__(self, "version", version("unspun"))

    def __call__(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of the verdicts on a batch, or on one row."""
        names = list(rows)
        found = places(names, self.text_field, self.id_field)
        texts = rows[names[found["text"]]]
        ids = rows[names[found["id"]]] if "id" in found else None
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            return self._answers([texts], [ids])[0]
        texts = list(texts)
        answers = self._answers(texts, [None] * len(texts) if ids is None else list(ids))
        return {name: [answer[name] for answer in answers] for name in without_nulls({})}

    def _answers(self, texts: list[Any], ids: list[Any]) -> list[dict[str, Any]]:
        scorer = RowScorer(self.depth, self.evidence, self.bundle, self.base_rate, self.sha256, self.allowed)
        verdicts = scorer.score(texts, ids)
        return [without_nulls({} if verdict is None else row_values(verdict)) for verdict in verdicts]
