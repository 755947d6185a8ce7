"""training/record.py: the record says what the answers say, misses included, and quotes nobody."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.bundle import MANIFEST
from training.answers import DepthAnswers
from training.record import main, render_record

DATA = Path(__file__).parents[1] / "data" / "training" / "record"
MANIFEST_JSON: dict[str, Any] = json.loads((DATA / MANIFEST).read_text("utf-8"))
SPUN, HUMAN = (0.85, 0.99), (0.01, 0.09)  # ranges of scores that do not meet


def texts(
    label: str, tool: str, source: str, scores: tuple[float, float] = SPUN, count: int = 60, **columns: Any
) -> dict[str, Any]:
    """Return columns of texts alike, their scores spread evenly over a range."""
    plain = {"domains": "news", "words": 200, "changed": np.nan, "held_out": False, "unseen": True}
    one = {"labels": label, "tools": tool, "sources": source, **plain, "settled": label == "human", **columns}
    ids = np.array([f"{source}-{tool}-{i}" for i in range(count)])
    return {"ids": ids, "scores": np.linspace(*scores, count), **{k: np.full(count, v) for k, v in one.items()}}


def put_together(*parts: dict[str, Any], depths: tuple[str, ...] = ("fast", "auto", "deep")) -> DepthAnswers:
    """Return answers that are the same at each depth."""
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    scores: NDArray[np.float64] = columns.pop("scores")
    shares = np.array([0.8, 0.15, 0.05]) * scores[:, None]
    return DepthAnswers(
        groups=np.arange(len(scores), dtype=np.int32),
        probabilities={depth: np.column_stack([1.0 - scores, shares]) for depth in depths},
        **columns,
    )


HUMANS = (
    texts("human", "human", "bbc_news", HUMAN, 120),
    texts("human", "human", "ellipse_learners", HUMAN, 120, domains="essay"),
    texts("human", "human", "wild_human_train", HUMAN, 60, domains="blog"),
)
MACHINES = (
    texts("spun", "pwws", "textattack_imdb", changed=0.4),
    texts("spun", "wild-A", "wild_spun_train"),
    texts("translated", "wmt", "wmt_mt_docs", (0.3, 0.7)),
    texts("rewritten", "dipper", "outfox_dipper", (0.3, 0.7)),
    texts("llm", "", "llm_essays", (0.2, 0.95), unseen=False),
)


@pytest.fixture(scope="module")
def record() -> str:
    return render_record(MANIFEST_JSON, put_together(*HUMANS, *MACHINES))


def of(*parts: dict[str, Any], **columns: Any) -> str:
    """Return the record of some texts besides the human ones."""
    return render_record(MANIFEST_JSON, put_together(*HUMANS, *parts, **columns))


def section(record: str, heading: str, level: int = 2) -> str:
    """Return what stands under a heading."""
    marks = "#" * level
    return re.split(rf"\n#{{1,{level}}} ", record.partition(f"\n{marks} {heading}\n")[2])[0]


def tables(markdown: str) -> list[list[dict[str, str]]]:
    """Return the tables of a section: a dictionary for each row."""
    found = []
    for table in re.findall(r"(?:^\|.*\|\n?)+", markdown, re.M):
        head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def row(markdown: str, **cells: str) -> dict[str, str]:
    """Return the one row of a section's first table that has these cells."""
    (found,) = [row for row in tables(markdown)[0] if cells.items() <= row.items()]
    return found


def aim(record: str, beginning: str) -> dict[str, str]:
    """Return the row of the table of aims that begins so."""
    rows = tables(section(record, "What was aimed at"))[0]
    return next(row for row in rows if row[""].startswith(beginning))


def test_name_and_version_head_the_record(record: str) -> None:
    assert record.startswith("# Accuracy of tiny 2.1.0\n")


def test_a_separable_tool_has_an_auroc_of_one(record: str) -> None:
    assert row(section(record, "Spun", 3), tool="pwws")["AUROC, deep"] == "1.000"


def test_a_tool_that_scores_as_people_do_has_an_auroc_of_a_half() -> None:
    alike = of(texts("spun", "pwws", "imdb", HUMAN, 120))
    assert row(section(alike, "Spun", 3), tool="pwws")["AUROC, fast"] == "0.500"


def test_a_tool_of_few_texts_has_no_row() -> None:
    few = of(*MACHINES, texts("spun", "fgws", "agnews", count=19))
    assert "fgws" not in section(few, "Spun", 3)


def test_barely_changed_paraphrases_are_left_out() -> None:
    barely = of(*MACHINES, texts("spun", "fgws", "agnews", changed=0.09))
    assert "fgws" not in section(barely, "Spun", 3)
    assert "60 barely changed" in barely


def test_short_texts_are_left_out() -> None:
    assert "60 shorter than 60 words" in of(*MACHINES, texts("spun", "fgws", "agnews", words=59))


def test_texts_that_were_learnt_from_are_left_out() -> None:
    learnt = of(*MACHINES, texts("spun", "fgws", "agnews", unseen=False))
    assert "60 learnt from" in learnt
    assert "fgws" not in learnt


def test_held_out_texts_of_known_tools_stand_apart() -> None:
    held_out = [texts(label, "x", "y", unseen=False, held_out=True) for label in ("spun", "human")]
    known = section(of(*MACHINES, *held_out), "Texts never seen of known tools")
    assert row(known, kind="spun")["AUROC, auto"] == "0.500"


def test_our_own_paraphrasers_count_in_no_mean() -> None:
    own = of(*MACHINES, texts("spun", "unspun:moby", "unspun", HUMAN))
    assert aim(own, "`spun`, AUROC, mean of 2 tools")["deep"] == "1.000 ✓✓"
    assert row(section(own, "Our own paraphrasers", 3), tool="unspun:moby")


def test_articles_with_a_spun_passage_are_measured_against_articles_without() -> None:
    articles = texts("human", "human", "bbc_news", HUMAN)
    articles["ids"] = np.array([f"article-{i}" for i in range(60)])
    passages = texts("spun", "pwws", "passage", HUMAN)
    found = section(of(*MACHINES, articles, passages), "A spun passage in an article", 3)
    assert row(found, kind="spun")["AUROC, auto"] == "0.500"


def test_a_missed_target_is_marked() -> None:
    missed = aim(of(texts("spun", "pwws", "imdb", HUMAN, 120)), "`spun`, AUROC")
    assert missed["fast"] == "0.500 ✗"


def test_a_target_that_is_reached_is_marked(record: str) -> None:
    assert aim(record, "`spun`, AUROC")["fast"] == "1.000 ✓✓"


def test_what_is_required_and_aimed_at_stands_beside(record: str) -> None:
    found = aim(record, "human texts called `paraphrased`, worst source")
    assert (found["required"], found["aim"]) == ("≤ 2.00 %", "≤ 1.00 %")


def test_an_aim_that_is_required_only_is_marked_once() -> None:
    accused = of(*MACHINES, texts("human", "human", "reuters21578", (0.85, 0.85), 1))
    assert aim(accused, "human texts called `paraphrased`")["deep"] == "0.33 % (0.06-1.86) ✓"


def test_the_worst_source_is_named() -> None:
    accused = of(*MACHINES, texts("human", "human", "ellipse_learners", (0.85, 0.85), 12, domains="essay"))
    assert "`ellipse_learners` at depth `deep`" in section(accused, "What was aimed at")
    assert aim(accused, "human texts called `paraphrased`, worst source")["deep"].startswith("9.09 % ")


def test_wild_spinners_are_measured_against_wild_people(record: str) -> None:
    assert aim(record, "spun in the wild against `wild_human_train`, found")["deep"] == "100.0 % ✓✓"


def test_the_same_domain_counts_by_itself() -> None:
    crowd = texts("human", "human", "pubmed_abstracts", (0.2, 0.7), 60, domains="science")
    found = of(*MACHINES[:1], crowd, texts("translated", "wmt", "docs", (0.2, 0.7), 60, domains="science"))
    name = "`translated`, AUROC, mean of 1 tools"
    assert aim(found, f"{name}, against human text of the same domain")["auto"] == "0.500 ✗"
    assert aim(found, name)["auto"] == "0.917 ✓"


def test_the_cascade_is_told_at_depth_auto_alone(record: str) -> None:
    settled = aim(record, "human texts that the fast tier settles alone")
    assert (settled["fast"], settled["deep"]) == ("", "")
    assert settled["auto"].startswith("100.0 %")


def test_auto_loses_nothing_where_it_answers_as_deep_does(record: str) -> None:
    assert aim(record, "`spun`, AUROC that `auto` loses")["auto"] == "0.000 ✓✓"


def test_the_calibration_error_names_its_mixture(record: str) -> None:
    found = tables(section(record, "Calibration", 3))[0][0]
    assert (found["kind"], found["paraphrases"], found["human texts"]) == ("all", "240", "300")


def test_lengths_have_their_own_auroc() -> None:
    short = texts("human", "human", "bbc_news", HUMAN, words=70)
    found = section(of(*MACHINES, short, texts("spun", "x", "y", HUMAN, words=70)), "Paraphrases", 3)
    assert row(found, kind="spun", words="60-79")["AUROC, deep"] == "0.500"
    assert row(found, kind="spun", words="150-299")["AUROC, deep"] == "1.000"


def test_sources_of_human_text_have_their_false_positives(record: str) -> None:
    assert row(section(record, "By source", 3), source="bbc_news")["paraphrased, fast"] == "0.00 % (0.00-3.10)"


def test_writers_are_grouped_by_source(record: str) -> None:
    writers = section(record, "By writers", 3)
    assert row(writers, writers="learners of English, and pupils")["human texts"] == "120"
    assert row(writers, writers="bloggers")["human texts"] == "60"


def test_sources_that_nobody_grouped_are_others() -> None:
    other = section(of(*MACHINES, texts("human", "human", "gazette", HUMAN)), "By writers", 3)
    assert row(other, writers="others")["human texts"] == "60"


def test_text_by_language_models_is_told_by_word_and_kind() -> None:
    found = of(*MACHINES[:1], texts("llm", "", "llm_essays", (0.85, 0.85), unseen=False))
    told = row(section(found, "Text by language models, never paraphrased"), source="llm_essays", depth="deep")
    assert (told["paraphrased"], told["as spun"], told["clear"]) == ("100.0 %", "100.0 %", "0.00 %")


def test_the_deep_tier_has_thresholds_of_its_own() -> None:
    # 0.85 is `paraphrased` from 0.805678 (deep), and `suspect` below 0.900001 (fast).
    found = of(*MACHINES[:1], texts("llm", "", "llm_essays", (0.85, 0.85), unseen=False))
    told = section(found, "Text by language models, never paraphrased")
    assert row(told, depth="fast")["suspect"] == row(told, depth="deep")["paraphrased"] == "100.0 %"


def test_what_the_fast_tier_settles_gets_the_word_of_its_thresholds() -> None:
    found = of(*MACHINES[:1], texts("llm", "", "llm_essays", (0.85, 0.85), unseen=False, settled=True))
    told = section(found, "Text by language models, never paraphrased")
    assert row(told, depth="auto")["suspect"] == "100.0 %"


def numbers(value: Any) -> list[float]:
    """Return all numbers of nested results that are no counts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("threshold", numbers([MANIFEST_JSON["thresholds"], MANIFEST_JSON["deep"]]))
def test_every_threshold_is_told_with_all_its_digits(threshold: float, record: str) -> None:
    assert re.search(rf"(?<![\d.]){re.escape(str(threshold))}(?!\d)", section(record, "Every threshold"))


def test_numbers_of_the_cascade_are_told() -> None:
    manifest = {**MANIFEST_JSON, "cascade": {"limits": [{"words": 50, "score": 0.2718281}]}}
    record = render_record(manifest, put_together(*HUMANS, *MACHINES))
    assert "0.2718281" in section(record, "Cascade", 3)


def test_signals_are_told_of_both_tiers(record: str) -> None:
    assert row(section(record, "Signals", 3), signal="horoscope")["lost without"] == "0.043"
    assert row(section(record, "Deep signals", 3), signal="encoder")["AUROC alone"] == "0.988"


def test_the_worst_false_positive_is_described() -> None:
    accused = of(*MACHINES, texts("human", "human", "reuters21578", (0.97, 0.97), 1, words=143, settled=False))
    assert section(accused, "False positives", 3).splitlines()[3] == (
        "- A text of 143 words (news), by a person, from `reuters21578` scores 0.97 and is called `paraphrased`, kind "
        "`spun` (`reuters21578-human-0`)."
    )


def test_the_worst_miss_is_described() -> None:
    missed = of(*MACHINES, texts("spun", "fgws", "agnews", (0.02, 0.02), 1, changed=0.41, words=120))
    assert section(missed, "Misses", 3).splitlines()[3] == (
        "- A text of 120 words (news), spun by `fgws`, from `agnews`, 41.0 % of its words replaced, scores 0.02 and is "
        "called `clear` (`agnews-fgws-0`)."
    )


def test_a_light_paraphrase_is_no_bad_miss() -> None:
    missed = of(*MACHINES, texts("spun", "fgws", "agnews", (0.02, 0.02), 1, changed=0.29))
    assert "fgws" not in section(missed, "Misses", 3)


def test_at_most_two_mistakes_are_of_a_source(record: str) -> None:
    listed = re.findall(r"from `(\w+)`", section(record, "False positives", 3))
    assert Counter(listed) == {"bbc_news": 2, "ellipse_learners": 2, "wild_human_train": 2}


def test_no_text_is_quoted(record: str) -> None:
    pattern = (
        r"- A text of [\d,]+ words \(\w+\), (by a person|\w+ by `[\w-]+`), from `\w+`"
        r"(, [\d.]+ % of its words replaced,)? scores [01]\.\d\d and is called `\w+`(, kind `\w+`)? \(`[\w-]+`\)\."
    )
    listed = [line for line in section(record, "Worst mistakes").splitlines() if line.startswith("- ")]
    assert listed
    assert all(re.fullmatch(pattern, line) for line in listed)


def test_depths_without_answers_have_no_column() -> None:
    fast = of(*MACHINES, depths=("fast",))
    heads = [name for table in tables(fast) for name in table[0]]
    assert any(name.endswith(", fast") for name in heads)
    assert not [name for name in heads if name.endswith((", auto", ", deep")) or name in ("auto", "deep")]


def test_answers_to_nothing_but_human_text_make_a_record() -> None:
    assert "What was aimed at" in of()


def test_evaluations_are_added_under_their_names() -> None:
    evaluation = {"note": "Left out.", "domains": {"rows": [{"domain": "news", "auroc": 0.75}]}}
    answers = put_together(*HUMANS, *MACHINES)
    record = render_record(MANIFEST_JSON, answers, {"report/leave-one-domain-out.json": evaluation})
    assert row(section(record, "Leave one domain out"), domain="news")["AUROC"] == "0.750"


def test_every_table_is_whole(record: str) -> None:
    found = re.findall(r"(?:^\|.*\|\n)+", record, re.M)
    assert len(found) >= 15
    for table in found:
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / MANIFEST).write_text(json.dumps(MANIFEST_JSON), "utf-8")
    put_together(*HUMANS, *MACHINES).save(tmp_path / "answers.npz")
    return tmp_path


def test_the_record_is_written(bundle: Path) -> None:
    given = [str(bundle), str(bundle / "answers.npz"), "--output", str(bundle / "docs" / "accuracy.md")]
    assert main(given) == 0
    written = (bundle / "docs" / "accuracy.md").read_text("utf-8")
    assert f"python -m training.record {' '.join(given)}" in written


def test_the_record_is_printed(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle), str(bundle / "answers.npz")]) == 0
    assert capsys.readouterr().out.startswith("# Accuracy of tiny 2.1.0\n")


def test_evaluations_are_read(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "evaluation.json").write_text('{"texts": {"human": 1234}}')
    assert main([str(bundle), str(bundle / "answers.npz"), "--evaluation", str(bundle / "evaluation.json")]) == 0
    assert "1,234" in section(capsys.readouterr().out, "Evaluation")


@pytest.mark.parametrize("missing", [MANIFEST, "answers.npz"])
def test_a_missing_file_is_a_line(missing: str, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / missing).unlink()
    assert main([str(bundle), str(bundle / "answers.npz")]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{bundle / missing}: No such file or directory\n")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (MANIFEST, "{", "not JSON"),
        (MANIFEST, "{}", "no thresholds"),
        (MANIFEST, "[]", "no thresholds"),
        ("answers.npz", "nothing", "holds no answers"),
    ],
)
def test_a_file_of_something_else_is_a_line(
    name: str, content: str, reason: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / name).write_text(content)
    assert main([str(bundle), str(bundle / "answers.npz")]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert reason in printed.err


def test_the_record_that_ships_is_what_the_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    written = tmp_path / "accuracy.md"
    answers, domains = "docs/answers.npz", "docs/leave-one-domain-out.json"
    assert main(["model/default", answers, "--evaluation", domains, "--output", str(written)]) == 0
    shipped = Path("docs/accuracy.md").read_text("utf-8").replace("--output docs/accuracy.md", f"--output {written}")
    assert written.read_text("utf-8") == shipped
