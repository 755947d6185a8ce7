"""`unspun models`: the model in use is complete at any moment, and every change can be rolled back."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tables as tiny
from tests.cases import why
from tests.service.model_variants import decision, line, variant
from tests.service.support import ENVIRONMENT, ROOT, Make, Unspun, cases, read_only
from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.service.models.folder import ModelFolder, ModelsError


@pytest.fixture
def folder(here: Path) -> ModelFolder:
    """Return the default folder of models, in the current folder."""
    return ModelFolder(Path("models"))


def in_use(folder: ModelFolder) -> str:
    """Return the name of the model in use, after checking its bundle."""
    return bundle.check(folder.path / "current")[0].name


def names(folder: ModelFolder) -> list[str]:
    return [version.folder.name for version in folder.versions()]


# --- promotion


def test_a_promoted_bundle_is_in_use(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    source = make("house")
    run = unspun("models", "promote", "--model", source)
    assert run.status == 0
    assert Detector.load("models/current").model == Detector.load(source).model


def test_a_models_folder_is_named_by_name_version_and_digest(folder: ModelFolder, make: Make) -> None:
    source = make("house", version="1.2.0")
    change = folder.promote(source)
    assert change.model == f"house-1.2.0-{bundle.check(source)[0].sha256[:8]}"


@pytest.mark.parametrize("name", ["Our House", "../../etc", ".hidden", "", "a\nb", "-rf", "haus-größe", "x" * 300])
def test_a_name_with_any_characters_stays_inside_the_folder(name: str, folder: ModelFolder, make: Make) -> None:
    source = make("house", name=name)
    folder.promote(source)
    assert bundle.check("models/current")[0].name == name
    assert [entry.parent for entry in folder.path.iterdir() if entry.is_dir()].count(folder.path) == 2  # and the link
    assert len(names(folder)) == 1


def test_the_link_is_relative_so_the_folder_can_move(folder: ModelFolder, make: Make) -> None:
    folder.promote(make("house"))
    folder.path.rename("elsewhere")
    assert in_use(ModelFolder(Path("elsewhere"))) == "house"


def test_older_models_are_kept(folder: ModelFolder, make: Make) -> None:
    for name in "abc":
        folder.promote(make(name))
    assert [version.problem for version in folder.versions()] == [None] * 3


def test_only_the_card_and_reports_are_copied_with_a_model(folder: ModelFolder, make: Make) -> None:
    source = make("house")
    for name in ("CARD.md", "report.html", "report.json", "articles.txt"):
        (source / name).write_text("x")
    change = folder.promote(source)
    listed = set(bundle.check(source)[1]["files"])
    assert {file.name for file in (folder.path / change.model).iterdir()} - listed == {
        "manifest.json",
        "CARD.md",
        "report.html",
        "report.json",
    }


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "too large"])
def test_a_document_that_is_not_a_plain_file_is_not_copied(
    kind: str, unspun: Unspun, folder: ModelFolder, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link in somebody's bundle could lead to a file that only whoever promotes it may read."""
    source, secret = make("house"), Path("secret.txt")
    document = source / "notes.json"
    secret.write_text("secret", "utf-8")
    if kind == "link":
        document.symlink_to(secret.absolute())
    elif kind == "folder":
        document.mkdir()
    elif kind == "pipe":
        os.mkfifo(document)
    else:
        document.write_text("x" * 1001, "utf-8")
        monkeypatch.setattr("unspun.service.models.folder.MOST_DOCUMENT_BYTES", 1000)
    run = unspun("models", "promote", "--model", source)
    assert run.status == 0
    assert f"{document}: not copied, because it is not a plain file" in run.errors[0]
    assert not os.path.lexists(folder.path / names(folder)[0] / "notes.json")


@pytest.mark.parametrize("times", [1, 2])
def test_a_signature_that_is_a_link_is_refused(times: int, unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    source, secret = make("house"), Path("secret.txt")
    secret.write_text("secret", "utf-8")
    if times == 2:  # then only the signature would be copied
        folder.promote(source)
    (source / "manifest.sig").symlink_to(secret.absolute())
    assert "manifest.sig: A link, so it is not copied; replace it by a file" in line(
        unspun("models", "promote", "--model", source)
    )
    assert all(file.read_text("utf-8", "replace") != "secret" for file in folder.path.rglob("*") if file.is_file())


def test_a_file_of_the_model_may_be_a_link_because_its_hash_is_checked(folder: ModelFolder, make: Make) -> None:
    source = make("house")
    (source / "words.txt").rename("words-elsewhere.txt")
    (source / "words.txt").symlink_to(Path("words-elsewhere.txt").absolute())
    change = folder.promote(source)
    assert not (folder.path / change.model / "words.txt").is_symlink()


def test_the_same_name_with_other_contents_gets_its_own_folder(folder: ModelFolder, make: Make) -> None:
    one, other = make("a", name="house"), make("b", name="house", decision=decision(centre=1.0))
    before, after = folder.promote(one), folder.promote(other)
    assert after.model != before.model
    assert {version.folder.name for version in folder.versions()} == {before.model, after.model}


def test_an_existing_bundle_is_not_copied_again(folder: ModelFolder, make: Make) -> None:
    first, second = make("a"), make("b")
    kept = folder.promote(first).model
    inode = (folder.path / kept / "words.txt").stat().st_ino
    folder.promote(second)
    folder.promote(first)
    assert (in_use(folder), (folder.path / kept / "words.txt").stat().st_ino) == ("a", inode)


def test_a_broken_copy_is_kept_and_the_bundle_gets_another_folder(folder: ModelFolder, make: Make) -> None:
    source = make("house")
    broken = folder.promote(source).model
    (folder.path / broken / "words.txt").write_text("the")
    whole = folder.promote(source).model
    assert whole.startswith(broken)
    assert len(whole) == len(broken) + 4
    assert in_use(folder) == "house"


def test_a_model_of_the_folder_can_be_promoted_by_name(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"))
    folder.promote(make("b"))
    assert unspun("models", "promote", "--model", "a-1.0.0").status == 0
    assert (in_use(folder), len(names(folder))) == ("a", 2)


def test_the_folder_can_be_set_in_the_environment(
    unspun: Unspun, here: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSPUN_MODELS", str(here / "elsewhere"))
    unspun("models", "promote", "--model", make("house"))
    assert in_use(ModelFolder(here / "elsewhere")) == "house"


def worse(than: str = "") -> dict[str, Any]:
    return {"comparison": {"with": {"name": "default", "version": "1.1.0", "sha256": than}, "worse": True}}


def test_a_worse_model_is_refused(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"))
    message = line(unspun("models", "promote", "--model", make("b", **worse())))
    assert "b 1.0.0 was measured to be worse than default 1.1.0" in message
    assert "--force" in message
    assert (in_use(folder), len(names(folder))) == ("a", 1)


def test_a_worse_model_can_be_forced_and_the_history_says_so(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"), force=True)
    assert unspun("models", "promote", "--force", "--model", make("b", **worse())).status == 0
    assert in_use(folder) == "b"
    assert [change.forced for change in folder.history()] == [False, True]


def test_a_worse_model_of_the_folder_is_also_refused(folder: ModelFolder, make: Make) -> None:
    forced = folder.promote(make("b", **worse()), force=True)
    folder.promote(make("a"))
    with pytest.raises(ModelsError, match="measured to be worse"):
        folder.promote(folder.path / forced.model)


@pytest.mark.parametrize("found", ["better", [], {"worse": False}, {"with": None}, None])
def test_a_comparison_without_a_loss_does_not_prevent_promotion(found: Any, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("house", comparison=found))
    assert in_use(folder) == "house"


def test_a_model_that_was_not_compared_with_the_one_in_use_is_reported(
    unspun: Unspun, folder: ModelFolder, make: Make
) -> None:
    used = folder.promote(make("a"))
    compared = {"with": {"name": "z", "version": "1", "sha256": used.sha256}, "worse": False}
    same = unspun("models", "promote", "--model", make("b", comparison=compared))
    other = unspun("models", "promote", "--model", make("c", comparison=compared))
    assert not any("not compared" in message for message in same.errors)
    assert any("was not compared with b-1.0.0" in message and "models diff" in message for message in other.errors)


# --- refused promotions


def spoil(folder: Path, case: dict[str, Any]) -> None:
    file = folder / bundle.MANIFEST
    manifest = {**json.loads(file.read_text("utf-8")), **case.get("manifest", {})}
    for key in case.get("drop", ()):
        del manifest[key]
    file.write_text(json.dumps(manifest), "utf-8")
    if "file" in case:
        spoilt = folder / case["file"]
        if "zeros" in case:
            np.save(spoilt, np.zeros(case["zeros"], np.float32))
        elif "content" in case:
            spoilt.write_text(case["content"], "utf-8")
        else:
            spoilt.unlink()
    if case.get("rehash"):
        manifest["files"][case["file"]] = hashlib.sha256((folder / case["file"]).read_bytes()).hexdigest()
        file.write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize("case", cases("models_bad_bundles.toml"), ids=why)
def test_an_unusable_bundle_is_refused_on_one_line(
    case: dict[str, Any], unspun: Unspun, folder: ModelFolder, make: Make
) -> None:
    folder.promote(make("a"))
    before = sorted(folder.path.rglob("*"))
    source = make("b")
    spoil(source, case)
    message = line(unspun("models", "promote", "--model", source))
    assert all(part in message for part in (str(source), *case["messages"])), message
    assert (in_use(folder), sorted(folder.path.rglob("*"))) == ("a", before)


def test_a_model_that_cannot_score_a_text_is_refused(
    unspun: Unspun, folder: ModelFolder, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("no memory left for a network")

    folder.promote(make("a"))
    monkeypatch.setattr(Detector, "score_many", fail)
    message = line(unspun("models", "promote", "--model", make("b")))
    assert "cannot score a text (RuntimeError: no memory left for a network)" in message
    assert in_use(folder) == "a"


@pytest.mark.parametrize("case", [case for case in cases("models_bad_bundles.toml") if not case.get("whole")], ids=why)
def test_a_broken_model_is_listed_with_the_reason(
    case: dict[str, Any], unspun: Unspun, folder: ModelFolder, make: Make
) -> None:
    broken = folder.path / folder.promote(make("a")).model
    folder.promote(make("b"))
    spoil(broken, case)
    run = unspun("models", "list")
    listed = {row["model"]: row["problem"] for row in map(json.loads, run.out.splitlines())}
    assert run.status == 0
    assert [name for name, problem in listed.items() if problem] == [broken.name]
    assert case["messages"][0].removeprefix("manifest.json: ") in listed[broken.name]


@pytest.mark.parametrize("case", cases("models_bad_bundles.toml"), ids=why)
def test_rollback_to_a_broken_model_is_refused_on_one_line(
    case: dict[str, Any], unspun: Unspun, folder: ModelFolder, make: Make
) -> None:
    broken = folder.path / folder.promote(make("a")).model
    folder.promote(make("b"))
    spoil(broken, case)
    message = line(unspun("models", "rollback"))
    assert "unspun models rollback --model BUNDLE" in message
    assert in_use(folder) == "b"


def test_a_model_whose_manifest_changed_is_refused(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    """The hashes are right, because somebody wrote a new manifest or trained into the folder."""
    changed = folder.path / folder.promote(make("a")).model
    folder.promote(make("b"))
    spoil(changed, {"manifest": {"decision": decision(centre=1.0)}})
    assert "has changed since the model was put in use" in line(unspun("models", "promote", "--model", changed.name))
    assert in_use(folder) == "b"


def test_a_bundle_that_changes_during_the_copy_is_refused(
    folder: ModelFolder, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.promote(make("a"))
    source = make("b")
    copy = shutil.copyfileobj

    def change_then_copy(old: Any, new: Any, length: int) -> None:
        if old.name.endswith("words.txt"):
            Path(old.name).write_text("other words")
        copy(old, new, length)

    monkeypatch.setattr(shutil, "copyfileobj", change_then_copy)
    with pytest.raises(ModelsError, match="changed while it was copied"):
        folder.promote(source)
    assert in_use(folder) == "a"
    assert not list(folder.path.glob(".part*"))


@pytest.mark.parametrize("command", [("list",), ("show", "--model", "current"), ("rollback",)])
def test_a_missing_folder_is_reported_on_one_line(command: tuple[str, ...], unspun: Unspun, here: Path) -> None:
    message = line(unspun("models", *command))
    assert "unspun models promote" in message
    assert not Path("models").exists()


@pytest.mark.parametrize("command", [("list",), ("rollback",), ("promote", "--model", "default")])
def test_a_model_instead_of_a_folder_of_models_is_refused(command: tuple[str, ...], unspun: Unspun, make: Make) -> None:
    source = make("house")
    before = sorted(source.iterdir())
    assert "this is a model, not a folder of models" in line(unspun("models", "--models", source, *command))
    assert sorted(source.iterdir()) == before


def test_a_folder_with_other_files_is_not_touched(unspun: Unspun, here: Path, make: Make) -> None:
    source = make("house")
    Path("articles").mkdir()
    Path("articles/a.txt").write_text("x")
    assert "contains files other than models" in line(
        unspun("models", "--models", "articles", "promote", "--model", source)
    )
    assert list(Path("articles").iterdir()) == [Path("articles/a.txt")]


def test_an_unknown_model_is_reported_on_one_line(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"))
    assert "'huose': neither a model in models nor a folder" in line(unspun("models", "promote", "--model", "huose"))


@pytest.mark.parametrize("digits", [4, 8, 12, 64])
def test_a_model_is_found_by_the_beginning_of_its_sha256(digits: int, folder: ModelFolder, make: Make) -> None:
    changes = [folder.promote(make(name)) for name in ("house", "newsroom")]
    for change in changes:
        model = folder.path / change.model
        assert folder.find(bundle.check(model)[0].sha256[:digits]) == model


def test_a_sha256_of_which_only_the_beginning_fits_is_unknown(folder: ModelFolder, make: Make) -> None:
    digest = folder.promote(make("house")).model[-8:]
    with pytest.raises(ModelsError, match="neither a model"):
        folder.find(digest + "0" * 56)


def test_an_ambiguous_name_is_reported_with_all_matches(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    for number in "12":
        folder.promote(make(f"m{number}", name="house", version=f"1.{number}"))
    message = line(unspun("models", "rollback", "--model", "house"))
    assert all(name in message for name in names(folder))


def test_a_real_folder_called_current_is_refused(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    source = make("a")
    Path("models/current").mkdir(parents=True)
    assert "current: not a link to a model; move it elsewhere" in line(unspun("models", "promote", "--model", source))
    assert Path("models/current").is_dir()


@pytest.mark.parametrize(("command", "mode"), [("promote", 0o755), ("rollback", 0o755), ("list", 0o700)])
def test_a_folder_without_permission_is_reported_on_one_line(
    command: str, mode: int, unspun: Unspun, folder: ModelFolder, make: Make
) -> None:
    folder.promote(make("former"))
    folder.promote(make("a"))
    arguments = ["--model", make("b")] if command == "promote" else []
    with read_only(folder.path, mode=mode):
        message = line(unspun("models", command, *arguments))
    assert "Permission denied; use an account that may read and change the folder" in message
    assert "the model in use was not changed" in message
    assert in_use(folder) == "a"


@pytest.mark.parametrize("small_disk", [200], indirect=True)  # kB: room for one tiny model, not for two
def test_a_full_disk_leaves_the_model_in_use(unspun: Unspun, make: Make, small_disk: Path) -> None:
    used, following, models = make("a"), make("b"), small_disk / "models"
    assert unspun("models", "--models", models, "promote", "--model", used).status == 0
    message = line(unspun("models", "--models", models, "promote", "--model", following))
    assert "No space left on device" in message
    assert "free some space, and try again; the model in use was not changed" in message
    left = " ".join(sorted(entry.name for entry in models.iterdir()))
    assert re.fullmatch(r"\.lock a-1\.0\.0-[0-9a-f]{8} current history\.jsonl", left)
    [listed] = map(json.loads, unspun("models", "--models", models, "list").out.splitlines())
    assert (listed["name"], listed["in_use"], listed["problem"]) == ("a", True, None)


# --- killed and concurrent commands


def test_the_model_in_use_is_complete_after_a_kill_at_any_step(tmp_path: Path, make: Make) -> None:
    used, following = make("a"), make("b")
    run = subprocess.run(
        [sys.executable, "-m", "tests.service.killed_promotion", str(tmp_path / "kills"), str(used), str(following)],
        cwd=ROOT,
        env={**ENVIRONMENT, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    kills = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(kills) > 50
    assert all(kill["killed"] and kill["broken"] == [] for kill in kills)
    assert {kill["in_use"] for kill in kills} == {"a", "b"}  # before the link was changed, and after
    assert any(kill["debris"] for kill in kills)
    # The next promotion cleans up, and knows which model was in use even if the killed one did not record it.
    models = {kill["later"] for kill in kills}
    assert len(models) == 1
    assert {tuple(kill["afterwards"]) for kill in kills} == {
        (".lock", kills[0]["history"][0], *models, "current", "history.jsonl")
    }
    assert {tuple(kill["history"]) for kill in kills} == {(kills[0]["history"][0], *models)}


def test_concurrent_promotions_run_one_after_another(folder: ModelFolder, make: Make) -> None:
    sources = [make(f"m{i}") for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        changes = list(pool.map(lambda source: ModelFolder(folder.path).promote(source), sources))
    history = folder.history()
    assert {change.model for change in history} == {change.model for change in changes}
    assert [change.previous for change in history] == [None, *(change.model for change in history[:-1])]
    assert folder.in_use == history[-1].model
    assert all(version.problem is None for version in folder.versions())


def test_waiting_for_another_command_is_reported(folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"))
    source = make("b")
    lines: list[str] = []
    waits = threading.Event()

    def tell(line: str) -> None:
        lines.append(line)
        waits.set()

    with (folder.path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=ModelFolder(folder.path, tell=tell).promote, args=(source,))
        thread.start()
        assert waits.wait(60)
        before = in_use(folder)
        fcntl.flock(lock, fcntl.LOCK_UN)
        thread.join(60)
    assert lines == ["models: another command is changing it; waiting for it to finish"]
    assert (before, in_use(folder)) == ("a", "b")


def test_a_lock_that_is_never_released_is_reported(
    folder: ModelFolder, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.promote(make("a"))
    source = make("b")
    monkeypatch.setattr("unspun.service.models.folder.WAIT_SECONDS", 0.1)
    with (folder.path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelsError, match="another command has been changing it"):
            folder.promote(source)


# --- rollback


@pytest.mark.parametrize("case", cases("models_rollbacks.toml"), ids=why)
def test_rollback_follows_the_history(case: dict[str, Any], folder: ModelFolder, make: Make) -> None:
    sources = {name: make(name) for name in "abcd"}
    for name in "dcba":  # all are in the folder from the start
        folder.promote(sources[name])
    (folder.path / "history.jsonl").unlink()
    (folder.path / "current").unlink()
    called = {name[0]: name for name in names(folder)}
    for step in case["done"]:
        what, _, name = step.partition(" ")
        if what in sources:
            folder.promote(sources[what])
        elif what == "back":
            folder.rollback(called[name] if name else None)
        else:
            (folder.path / "current").unlink()
            if what == "link":
                (folder.path / "current").symlink_to(called[name])
    assert in_use(folder) == case["in_use"]


@pytest.mark.parametrize("done", [["a"], ["a", "b", "back"]])
def test_rollback_without_an_earlier_model_is_reported_on_one_line(
    done: list[str], unspun: Unspun, folder: ModelFolder, make: Make
) -> None:
    for step in done:
        folder.rollback() if step == "back" else folder.promote(make(step))
    assert "no model was in use before a-1.0.0" in line(unspun("models", "rollback"))
    assert in_use(folder) == "a"


def test_rollback_to_a_model_elsewhere_is_refused(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"))
    message = line(unspun("models", "rollback", "--model", make("b")))
    assert "run `unspun models promote` to add it" in message


def test_a_broken_link_is_reported_and_repaired(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"))
    gone = folder.promote(make("b")).model
    shutil.rmtree(folder.path / gone)
    listed = unspun("models", "list")
    scored = unspun("score", "--model", "models/current", "-", stdin=b"x", load=None)
    assert f"models/current links to {gone}, which does not exist" in listed.errors[0]
    assert (scored.status, len(scored.errors)) == (1, 1)
    assert "choose another model with `unspun models rollback` or `unspun models promote`" in scored.errors[0]
    assert unspun("models", "rollback").status == 0
    assert in_use(folder) == "a"


def test_a_truncated_line_of_history_is_skipped(folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a"))
    folder.promote(make("b"))
    with (folder.path / "history.jsonl").open("a") as history:
        history.write('{"when": "2026-')
    folder.promote(make("c"))
    folder.rollback()
    assert in_use(folder) == "b"
    assert [change.model[0] for change in folder.history()] == ["a", "b", "c", "b"]


STEPS = st.lists(st.sampled_from(["a", "b", "c", "back"]), max_size=8)


@settings(max_examples=12)
@given(steps=STEPS)
def test_rollback_always_restores_the_model_used_before(steps: list[str], tiny_bundle: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        sources = {letter: variant(tiny_bundle, Path(name) / letter, name=letter) for letter in "abc"}
        folder = ModelFolder(Path(name) / "models")
        stack: list[str] = []
        for step in steps:
            if step != "back":
                folder.promote(sources[step])
                stack += [step] if stack[-1:] != [step] else []
            elif len(stack) > 1:
                folder.rollback()
                stack.pop()
            else:
                with pytest.raises(ModelsError):
                    folder.rollback()
            if stack:
                assert in_use(folder) == stack[-1]


# --- list and show


def test_list_describes_the_models(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    accuracy = {"unseen tools, mean": [{"kind": "spun", "auroc": 0.91}, {"kind": "rewritten", "auroc": 0.71}]}
    source = make("house", version="2.0.0", accuracy=accuracy, created="2026-01-02T03:04:05+00:00")
    folder.promote(make("a"))
    change = folder.promote(source)
    [row] = [row for row in map(json.loads, unspun("models", "list").out.splitlines()) if row["in_use"]]
    assert row == {
        "model": change.model,
        "name": "house",
        "version": "2.0.0",
        "sha256": change.sha256,
        "created": "2026-01-02T03:04:05+00:00",
        "in_use": True,
        "auroc": {"spun": 0.91, "rewritten": 0.71},
        "comparison": None,
        "problem": None,
        "refused": None,
    }


def test_the_table_marks_the_model_in_use(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a", **worse()), force=True)
    folder.promote(make("b"))
    rows = unspun("models", "list", "--format", "table").out.splitlines()
    assert [row.split()[0] for row in rows if "b-1.0.0" in row] == ["*"]
    assert [row for row in rows if "a-1.0.0" in row and "worse than default 1.1.0" in row]


def test_long_texts_of_a_manifest_are_cut_in_tables(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("a", comparison={"with": {"name": "A" * 100_000}}, data={"made_by": "B" * 100_000}))
    broken = make("b")
    folder.promote(broken)
    spoil(folder.path / "current", {"manifest": {"format": "C" * 100_000}})
    assert len(unspun("models", "list", "--format", "table").out) < 5_000
    assert len(unspun("models", "show", "--model", "a-1", "--format", "table").out) < 10_000


def test_an_empty_folder_is_reported_with_advice(unspun: Unspun, here: Path) -> None:
    Path("models").mkdir()
    run = unspun("models", "list")
    assert (run.status, run.out) == (0, "")
    assert run.errors == ["unspun: models: no models yet; `unspun models promote --model BUNDLE` adds one"]


def test_a_copy_keeps_its_creation_time(folder: ModelFolder, make: Make) -> None:
    source = make("house")
    os.utime(source / "manifest.json", (1_000_000_000, 1_000_000_000))
    folder.promote(source)
    assert [version.created for version in folder.versions()] == ["2001-09-09T01:46:40+00:00"]


def test_show_contains_the_manifest_and_the_history(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    source = make("house", **worse())
    folder.promote(source, force=True)
    shown = json.loads(unspun("models", "show").out)
    assert shown["manifest"] == bundle.check(source)[1]
    assert [(change["action"], change["forced"]) for change in shown["history"]] == [("promote", True)]


def test_show_draws_the_decision_accuracy_and_the_comparison(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    accuracy = {"unseen tools, mean": [{"kind": "spun", "auroc": 0.912}]}
    decides = decision(paraphrased=0.0075, suspect=0.25)
    folder.promote(make("house", accuracy=accuracy, decision=decides, **worse()), force=True)
    shown = unspun("models", "show", "--model", "house", "--format", "table").out
    assert all(part in shown for part in ("0.912", "0.75 %", "25.0 %", "comparison", "yes"))
    [row] = [line for line in shown.splitlines() if line.split()[:2] == ["fast", "spun"]]
    assert row.split()[2:5] == ["33.3", "%", "1.000"]


def test_show_leaves_out_an_unreadable_decision(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    """`show` reads only the manifest."""
    shown = unspun("models", "show", "--model", make("house", decision={"tiers": {}}), "--format", "table")
    assert (shown.status, "house" in shown.out, "minimum words" in shown.out) == (0, True, False)


def test_a_model_that_abstains_on_the_test_text_can_be_promoted(folder: ModelFolder, make: Make) -> None:
    """Every text is unfamiliar to it except those that it was trained on."""
    folder.promote(make("house", decision={**decision(), "least_familiar": -9.0}))
    assert in_use(folder) == "house"


def test_show_without_a_folder_describes_the_model_that_ships(unspun: Unspun, here: Path) -> None:
    if not (bundle.DEFAULT / bundle.MANIFEST).exists():
        pytest.skip("model/default is not built")
    assert json.loads(unspun("models", "show").out)["name"] == "default"


def test_score_uses_the_model_from_the_environment(
    unspun: Unspun, folder: ModelFolder, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.promote(make("house"))
    monkeypatch.setenv("UNSPUN_MODEL", "models/current")
    [verdict] = unspun("score", "-", stdin=tiny.ARTICLE.encode(), load=None).verdicts
    assert verdict["model"]["name"] == "house"


def test_scoring_with_the_folder_itself_suggests_the_link(unspun: Unspun, folder: ModelFolder, make: Make) -> None:
    folder.promote(make("house"))
    run = unspun("score", "--model", "models", "-", stdin=b"x", load=None)
    assert run.errors[-1].endswith("this is a folder of models; the one in use is models/current")
