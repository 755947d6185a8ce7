"""The role of each text: to train on, to calibrate thresholds with, or to test on for the accuracy record.

`roles.toml` assigns roles to origins (where the words were first written) and makers (the tools that paraphrased them).
Nothing that ships may be fitted on texts of another role.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from unspun.training.corpora.corpus import LabelledText, read_labelled, text_keys

Role = Literal["train", "calibrate", "test"]
ROLES: tuple[Role, ...] = ("train", "calibrate", "test")
FILE = Path(__file__).with_name("roles.toml")


class RolesError(ValueError):
    """A roles file is invalid. The message names the file and the entry."""


@dataclass(frozen=True)
class Roles:
    """Roles of origins and makers; unlisted ones are `train`.

    Some origins are split by group. `split` maps them to the share of `calibrate`, which is also the share of `test`.
    """

    origins: Mapping[str, Role]
    makers: Mapping[str, Role]
    split: Mapping[str, float]
    lexicon_rows: Mapping[str, Role]
    origin_of: Mapping[str, str]
    maker_of: Mapping[str, str]
    fairness: Mapping[str, list[str]]

    @classmethod
    def read(cls, file: Path = FILE) -> Roles:
        """Read a roles file. Raises RolesError."""
        try:
            content = tomllib.loads(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RolesError(f"{file}: {error}") from error
        split = {name: float(share) for name, share in content.get("split_by_group", {}).items()}
        for name, share in split.items():
            if not 0.0 <= share <= 0.5:
                raise RolesError(f"{file}: split_by_group.{name} is {share}; it must be between 0 and 0.5")
        return cls(
            _by_name(content.get("origins", {}), file, "origins"),
            _by_name(content.get("makers", {}), file, "makers"),
            split,
            _by_name(content.get("lexicon_rows", {}), file, "lexicon_rows"),
            content.get("origin_of", {}),
            content.get("maker_of", {}),
            content.get("fairness", {}),
        )

    def origin(self, text: LabelledText) -> str:
        """Return where the words of a text were first written.

        For a round trip this is its human source, and for a web page a hash of its site.
        """
        if text.site is not None:
            return f"site:{hashlib.blake2b(text.site.encode(), digest_size=4).hexdigest()}"
        if text.method == "back-translation" and text.source.startswith("roundtrip_") and text.domain:
            return self.origin_of.get(text.domain, text.domain)
        return self.origin_of.get(text.source, text.source)

    def maker(self, text: LabelledText) -> str | None:
        """Return the tool family that paraphrased a text; None for text by people, or written by a language model."""
        if text.label in ("human", "llm"):
            return None
        name = (text.tool or text.method or text.source).lower()
        if name.startswith("unspun:"):  # our own spinners
            return name
        if text.source.startswith("wild_"):
            return f"wild-{text.family}" if text.family else text.source.removesuffix("_spun").replace("_", "-")
        if text.source.startswith("wmt_"):
            return f"wmt:{name.partition(' (')[0]}"
        return next((maker for part, maker in self.maker_of.items() if part in name), name)

    def role(self, text: LabelledText) -> Role | None:
        """Return the role of a text, or None if its origin and its maker have different roles."""
        origin = self.origin(text)
        if origin in self.split:
            of_origin = role_by_hash(text.group or text.id, self.split[origin])
        else:
            of_origin = self.origins.get(origin, "train")
        maker = self.maker(text)
        of_maker = of_origin if maker is None else self.makers.get(maker, "train")
        return of_origin if of_origin == of_maker else None

    def share_out(self, texts: Iterable[LabelledText]) -> dict[Role | None, list[LabelledText]]:
        """Return the texts of each role, in order. Texts without a role are under None."""
        answer: dict[Role | None, list[LabelledText]] = {role: [] for role in (*ROLES, None)}
        for text in texts:
            answer[self.role(text)].append(text)
        return answer


@cache
def default_roles() -> Roles:
    """Return the project's own roles."""
    return Roles.read()


def read_training_texts(paths: Sequence[Path]) -> list[LabelledText]:
    """Read labelled files or folders, and return the texts with the role `train`."""
    return [text for text in read_labelled(paths) if default_roles().role(text) == "train"]


def sample(texts: Sequence[LabelledText], limit: int) -> list[LabelledText]:
    """Return at most `limit` texts of each source and maker, in their order.

    They are chosen by a hash of their content. The source of a round trip is that of the human text.
    """
    roles = default_roles()
    taken: Counter[tuple[str, str | None]] = Counter()
    chosen: list[int] = []
    for i in text_keys([text.text for text in texts]).argsort(kind="stable").tolist():
        key = source_of(texts[i]), roles.maker(texts[i])
        taken[key] += 1
        if taken[key] <= limit:
            chosen.append(i)
    return [texts[i] for i in sorted(chosen)]


def source_of(text: LabelledText) -> str:
    """Return a text's source. For a round trip, this is the source of the human text."""
    return text.domain or text.source if text.source.startswith("roundtrip_") else text.source


def _by_name(lists: Mapping[str, list[str]], file: Path, table: str) -> dict[str, Role]:
    answer: dict[str, Role] = {}
    for role, names in lists.items():
        if role not in ROLES:
            raise RolesError(f"{file}: {table}.{role}: unknown role; use one of {', '.join(ROLES)}")
        for name in names:
            if name in answer:
                raise RolesError(f"{file}: {table}: {name!r} has two roles")
            answer[name] = role
    return answer


def hashed(name: str) -> float:
    """Return a number in [0, 1) that depends on a name alone."""
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def role_by_hash(name: str, share: float) -> Role:
    """Return a role that depends on a name alone: `calibrate` and `test` for a share of the names each."""
    place = hashed(name)
    return "calibrate" if place < share else "test" if place < 2 * share else "train"
