"""Roles: which texts are for training, for calibration, or only for the accuracy record."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.verdict import KINDS
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import ROLES, Roles, RolesError, default_roles

CORPORA = Path(os.environ.get("UNSPUN_CORPORA", Path(__file__).parents[3] / "shared" / "corpora"))
SHORT = """
[origins]
calibrate = ["calm_news", "site:d6b6a668"]
test = ["tested_news"]

[split_by_group]
talks = 0.2

[makers]
calibrate = ["calm-translator"]
test = ["tested-translator"]

[origin_of]
calm_news_rewritten = "calm_news"

[maker_of]
"calm" = "calm-translator"
"tested" = "tested-translator"
"""


@pytest.fixture
def roles(tmp_path: Path) -> Roles:
    return read(tmp_path, SHORT)


def read(folder: Path, content: str) -> Roles:
    file = folder / "roles.toml"
    file.write_text(content, "utf-8")
    return Roles.read(file)


def text(source: str = "news", label: str = "human", **fields: Any) -> LabelledText:
    return LabelledText(**{"id": "1", "label": label, "source": source, "text": "x", **fields})


class TestOrigin:
    """Where the words were first written."""

    @pytest.mark.parametrize(
        ("source", "fields", "origin"),
        [
            ("news", {}, "news"),
            ("calm_news_rewritten", {"tool": "x"}, "calm_news"),  # a machine source made from another source
            *(
                (f"roundtrip_{name}", {"domain": "calm_news"}, "calm_news")
                for name in ("portuguese", "registers", "own")
            ),
            ("roundtrip_own", {"domain": "calm_news_rewritten"}, "calm_news"),  # a round trip of machine text
        ],
    )
    def test_it_is_the_source_of_the_original(
        self, roles: Roles, source: str, fields: dict[str, Any], origin: str
    ) -> None:
        if "domain" in fields:
            fields = {"label": "translated", "method": "back-translation", **fields}
        assert roles.origin(text(source, **fields)) == origin

    def test_the_origin_of_a_web_page_is_a_hash_of_its_site(self, roles: Roles) -> None:
        sites = ("a.example", "a.example", "b.example")
        first, second, other = (roles.origin(text("wild_spun_train", "spun", site=site)) for site in sites)
        assert first == second != other
        assert "example" not in first


class TestMaker:
    """The tool that paraphrased."""

    @pytest.mark.parametrize(
        ("case", "tool"),
        [(case, tool) for case in cases("training/makers.toml") for tool in case["tools"]],
        ids=lambda value: str(value)[:40],
    )
    def test_tools_of_one_family_are_one_maker(self, case: dict[str, Any], tool: str) -> None:
        made = text(case.get("source", "essays"), case["label"], tool=tool)
        assert default_roles().maker(made) == case["maker"]

    @pytest.mark.parametrize(
        ("source", "label", "fields", "maker"),
        [
            ("essays", "human", {"tool": "ChatGPT"}, None),
            ("essays", "llm", {"tool": "ChatGPT"}, None),
            ("wild_spun_train", "spun", {"family": "B"}, "wild-B"),
            ("Mystery", "spun", {}, "mystery"),  # no tool is given, so it is identified by its source
        ],
    )
    def test_other_texts(self, source: str, label: str, fields: dict[str, str], maker: str | None) -> None:
        assert default_roles().maker(text(source, label, **fields)) == maker


class TestRole:
    """A text has a role only if its origin and its maker agree."""

    @pytest.mark.parametrize(
        ("source", "tool", "role"),
        [
            ("news", None, "train"),
            ("calm_news", None, "calibrate"),
            ("tested_news", None, "test"),
            ("news", "other", "train"),
            ("calm_news", "calm 1.0", "calibrate"),
            ("tested_news", "tested 1.0", "test"),
            ("calm_news", "other", None),
            ("news", "calm 1.0", None),
            ("calm_news", "tested 1.0", None),
        ],
    )
    def test_source_and_tool_must_have_the_same_role(
        self, roles: Roles, source: str, tool: str | None, role: str | None
    ) -> None:
        assert roles.role(text(source, "translated" if tool else "human", tool=tool)) == role

    def test_a_web_page_has_the_role_of_its_site(self, roles: Roles) -> None:
        changed = Roles({roles.origin(text(site="a.example")): "test"}, {}, {}, {}, {}, {}, {})
        assert changed.role(text(site="a.example")) == "test"
        assert changed.role(text(site="other.a.example")) == "train"

    def test_texts_of_each_role_keep_their_order(self, roles: Roles) -> None:
        texts = [text("news"), text("calm_news"), text("news", "spun", tool="calm"), text("news", id="2")]
        found = roles.share_out(texts)
        assert list(found) == [*ROLES, None]
        assert [one.id for one in found["train"]] == ["1", "2"]
        assert [len(found[role]) for role in ("calibrate", "test", None)] == [1, 0, 1]


class TestSplitByGroup:
    """Origins with machine versions by makers of different roles are split by group."""

    def test_calibrate_and_test_have_about_the_configured_share(self, roles: Roles) -> None:
        found = Counter(roles.role(text("talks", group=f"talk {n}")) for n in range(3000))
        assert found["calibrate"] / 3000 == pytest.approx(0.2, abs=0.03)
        assert found["test"] / 3000 == pytest.approx(0.2, abs=0.03)

    @given(st.text(min_size=1))
    def test_all_versions_of_a_group_have_the_same_role(self, group: str) -> None:
        roles = default_roles()
        human = roles.role(text("human_l2r", group=group))
        for tool in ("GPT-4 rewrite", "Gemini", "DeepSeek"):
            made = roles.role(text("rw_l2r", "rewritten", tool=tool, group=group))
            assert made in (human, None)

    def test_the_roles_of_groups_never_change(self) -> None:
        expected = {"talk 1": "train", "talk 2": "train", "talk 3": "test", "talk 4": "train", "talk 10": "test"}
        roles = default_roles()
        found = {group: roles.role(text("human_l2r", group=group)) for group in expected}
        assert found == expected

    def test_a_text_without_a_group_is_a_group_of_its_own(self, roles: Roles) -> None:
        assert {roles.role(text("talks", id=str(n))) for n in range(60)} == set(ROLES)


class TestErrors:
    """An invalid roles file is rejected, and the message says where the error is."""

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('[origins]\nlearn = ["news"]', "origins.learn: unknown role; use one of train, calibrate, test"),
            ('[origins]\ntest = ["news"]\ncalibrate = ["news"]', "origins: 'news' has two roles"),
            ('[makers]\ntest = ["a", "a"]', "makers: 'a' has two roles"),
            ("[split_by_group]\ntalks = 0.6", "split_by_group.talks is 0.6; it must be between 0 and 0.5"),
            ("[split_by_group]\ntalks = -0.1", "split_by_group.talks is -0.1"),
            ('[lexicon_rows]\nmine = ["a"]', "lexicon_rows.mine: unknown role"),
            ("[origins\n", ""),
        ],
    )
    def test_the_file_and_the_entry_are_named(self, tmp_path: Path, content: str, message: str) -> None:
        with pytest.raises(RolesError) as refused:
            read(tmp_path, content)
        assert str(refused.value).startswith(f"{tmp_path / 'roles.toml'}: {message}")

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(RolesError, match=r"none\.toml"):
            Roles.read(tmp_path / "none.toml")


class TestOwnFile:
    """The project's own roles.toml."""

    def test_it_can_be_read(self) -> None:
        assert default_roles().origins
        assert default_roles().makers

    def test_no_origin_is_both_listed_and_split_by_group(self) -> None:
        assert not set(default_roles().split) & set(default_roles().origins)

    def test_a_source_made_from_another_one_has_no_role_of_its_own(self) -> None:
        roles = default_roles()
        held_out = set(roles.origins) | set(roles.split)
        assert not [source for source, origin in roles.origin_of.items() if source in held_out and origin != source]

    def test_rows_of_a_lexicon_have_the_role_of_the_pages_they_were_found_in(self) -> None:
        roles = default_roles()
        for row, role in roles.lexicon_rows.items():
            family = row.removeprefix("reading-")
            assert roles.makers[f"wild-{family}"] == role

    def test_our_own_machines_have_the_role_train(self) -> None:
        makers = default_roles().makers
        assert not [name for name in makers if "bergamot" in name or "apertium" in name or name.startswith("unspun:")]


@pytest.fixture(scope="module")
def corpora() -> list[LabelledText]:
    if not CORPORA.is_dir():
        pytest.skip(f"no corpora in {CORPORA} (set UNSPUN_CORPORA)")
    return list(read_labelled([CORPORA]))


@pytest.mark.shared
def test_every_name_in_the_roles_file_is_in_the_corpora(corpora: list[LabelledText]) -> None:
    roles = default_roles()
    origins = {roles.origin(text) for text in corpora}
    makers = {roles.maker(text) for text in corpora}
    assert {*roles.origins, *roles.split} - origins == set()
    assert set(roles.makers) - makers == set()


@pytest.mark.shared
def test_held_out_sources_and_makers_have_only_their_own_role(corpora: list[LabelledText]) -> None:
    roles = default_roles()
    shared_out = roles.share_out(corpora)
    for role in ("calibrate", "test"):
        held_out = {name for name, of in roles.origins.items() if of == role}
        makers = {name for name, of in roles.makers.items() if of == role}
        for other in ROLES:
            if other != role:
                assert not held_out & {roles.origin(text) for text in shared_out[other]}
                assert not makers & {roles.maker(text) for text in shared_out[other]}


@pytest.mark.shared
def test_no_group_has_two_roles(corpora: list[LabelledText]) -> None:
    roles = default_roles()
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in corpora:
        role = roles.role(one)
        if role is not None and one.group is not None and one.label != "llm":
            found[roles.origin(one), one.group].add(role)
    assert [group for group, of in found.items() if len(of) > 1] == []


@pytest.mark.shared
@pytest.mark.parametrize("role", ["calibrate", "test"])
@pytest.mark.parametrize("kind", KINDS)
def test_at_least_two_makers_of_every_kind_are_held_out(corpora: list[LabelledText], role: str, kind: str) -> None:
    roles = default_roles()
    found = {roles.maker(text) for text in corpora if text.label == kind and roles.role(text) == role}
    assert len(found) >= 2


@pytest.mark.shared
@pytest.mark.parametrize("role", ["calibrate", "test"])
def test_about_a_fifth_of_the_human_sources_are_held_out(corpora: list[LabelledText], role: str) -> None:
    roles = default_roles()
    sources = {text.source for text in corpora if text.label == "human"}
    held_out = {text.source for text in corpora if text.label == "human" and roles.role(text) == role}
    assert 0.15 < len(held_out) / len(sources) < 0.3
