"""The GitHub Action and the pre-commit hook, on a sample repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.service.fake_detector import load_fake
from tests.service.support import CLEAR, ENVIRONMENT, ROOT, SPUN, SUSPECT
from unspun.service import pull_request

ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
EXAMPLES = ROOT / "seeds/examples"

if shutil.which("git") is None:
    pytest.skip("git: apt-get install git", allow_module_level=True)


def git(*arguments: str) -> str:
    """Run git in the current folder, without the settings of the machine."""
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *names, *arguments], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(files: dict[str, str | bytes | None]) -> str:
    """Write or delete files, commit them, and return the commit."""
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text.encode() if isinstance(text, str) else text)
    git("add", "--all")
    git("commit", "--quiet", "--message", "change")
    return git("rev-parse", "HEAD")


@pytest.fixture
def base(here: Path) -> str:
    """Make a repository in the current folder, with two articles, and return its commit; a branch is checked out."""
    git("init", "--quiet", "--initial-branch", "main")
    found = commit({"old.md": SPUN, "gone.md": CLEAR, "README.txt": CLEAR})
    git("checkout", "--quiet", "-b", "topic")
    return found


@pytest.fixture
def check(base: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the check, with a detector that needs no model and outside of GitHub Actions."""
    monkeypatch.setattr(pull_request, "load_detector", load_fake)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(pull_request.main, arguments)


def ids(table: str) -> list[str]:
    """Return the documents in a table of verdicts."""
    words = ("paraphrased", "suspect", "clear", "abstained", "failed")
    return [line.split()[-1] for line in table.splitlines() if line.startswith(words)]


def test_only_articles_that_were_added_or_changed_are_checked(check: Any, base: str) -> None:
    commit(
        {"new/Ünïcode name.md": SPUN, "old.md": CLEAR + CLEAR, "gone.md": None, "code.py": "x = 1\n", "note.TXT": CLEAR}
    )
    assert pull_request.changed_files(base, ()) == ["new/Ünïcode name.md", "note.TXT", "old.md"]


def test_what_changed_on_the_main_branch_meanwhile_is_not_checked(check: Any, base: str) -> None:
    commit({"new.md": CLEAR})
    git("checkout", "--quiet", "main")
    later = commit({"other.md": SPUN})
    git("checkout", "--quiet", "topic")
    assert pull_request.changed_files(later, ()) == ["new.md"]


def test_patterns_choose_files_and_an_exclamation_mark_leaves_some_out(check: Any, base: str) -> None:
    commit({"a/one.md": CLEAR, "a/drafts/two.md": CLEAR, "b/three.md": CLEAR, "a/four.adoc": CLEAR})
    assert pull_request.changed_files(base, ("a/", "!a/drafts/")) == ["a/four.adoc", "a/one.md"]
    assert pull_request.changed_files(base, ("!a/",)) == ["b/three.md"]


@pytest.mark.parametrize("start", ["", "0" * 40], ids=["no base", "a new branch"])
def test_without_a_base_all_articles_are_checked(start: str, check: Any) -> None:
    assert pull_request.changed_files(start, ()) == ["README.txt", "gone.md", "old.md"]


def test_a_base_that_the_clone_lacks_is_fetched(
    check: Any, base: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit({"new.md": CLEAR})
    clone = tmp_path_factory.mktemp("clone")
    git("clone", "--quiet", "--depth", "1", "--branch", "topic", f"file://{Path.cwd()}", str(clone))
    os.chdir(clone)  # the fixture `here` changes back
    assert pull_request.changed_files(base, ()) == ["new.md"]


def test_a_base_that_nobody_has_is_reported(check: Any, base: str) -> None:
    run = check("--base", "1" * 40)
    assert run.exit_code == 1
    assert "git does not know the commit 1111" in run.stderr
    assert "`fetch-depth: 0`" in run.stderr


def test_in_a_folder_of_the_repository_its_articles_are_checked(check: Any, base: str) -> None:
    commit({"a/one.md": CLEAR, "b/two.md": CLEAR})
    os.chdir("a")  # the fixture `here` changes back
    assert pull_request.changed_files(base, ()) == ["one.md"]


def test_outside_of_a_repository_git_says_so(check: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    os.chdir(tmp_path_factory.mktemp("outside"))
    run = check("--base", "main")
    assert run.exit_code == 1
    assert "unspun: git rev-parse: fatal: not a git repository" in run.stderr


def test_a_link_is_not_followed(check: Any, base: str) -> None:
    Path("link.md").symlink_to("/etc/hostname")
    commit({"new.md": CLEAR})
    assert pull_request.changed_files(base, ()) == ["new.md"]


def test_a_change_without_articles_passes_and_loads_no_model(check: Any, base: str) -> None:
    commit({"code.py": "x = 1\n"})
    run = check("--base", base, "--model", "missing")
    assert run.exit_code == 0
    assert run.stderr == "unspun: no articles were added or changed\n"


@pytest.mark.parametrize(
    ("files", "fail_on", "status", "line"),
    [
        (
            {"a.md": SPUN, "b.md": SUSPECT},
            "suspect",
            4,
            "--fail-on suspect: 1 paraphrased, 1 suspect",
        ),
        ({"b.md": SUSPECT, "c.md": CLEAR}, "paraphrased", 0, "2 documents checked"),
        ({"a.md": SPUN}, "never", 0, "1 document checked"),
        (
            {"a.md": SPUN, "d.md": b"\x89PNG\r\n\x00\x00"},
            "suspect",
            3,
            "--fail-on suspect: 1 paraphrased; 1 document could not be read, so the exit status is 3, not 4",
        ),
    ],
    ids=["suspect", "only paraphrased", "never", "unreadable"],
)
def test_the_exit_status_is_that_of_score(
    files: dict[str, str | bytes | None], fail_on: str, status: int, line: str, check: Any, base: str
) -> None:
    commit(files)
    run = check("--base", base, "--fail-on", fail_on)
    assert run.exit_code == status
    assert run.stderr.splitlines()[-1] == f"unspun: {line}"


def test_in_github_actions_there_are_annotations_a_summary_and_outputs(
    check: Any, base: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit({"a,b.md": f"# A title\n\n{SPUN}", "b.md": SUSPECT, "d.md": b"\x89PNG\r\n\x00\x00"})
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for name in ("STEP_SUMMARY", "OUTPUT"):
        monkeypatch.setenv(f"GITHUB_{name}", str(here / name))
    run = check("--base", base, "--report", "report.html")
    commands = [line for line in run.stdout.splitlines() if line.startswith("::")]
    assert commands == [
        "::error file=a%2Cb.md,line=3,title=unspun%3A paraphrased::score 97 %25, spun; about 1 in 480 human texts of "
        "this length looks like this; odd words: imaginative and prescient → vision, vitality → energy",
        "::warning file=b.md,line=1,title=unspun%3A suspect::score 50 %25, spun; about 1 in 33 human texts of this "
        "length looks like this; odd words: vitality → energy",
        "::error file=d.md,title=unspun%3A could not be read::" + commands[-1].rpartition("::")[2],
    ]
    assert (here / "OUTPUT").read_text() == "paraphrased=1\nsuspect=1\nfailures=1\n"
    summary = (here / "STEP_SUMMARY").read_text()
    assert "| a&#44;b.md | Paraphrased | 97 % | spun | 16 |" in summary
    assert "imaginative and prescient" in Path("report.html").read_text("utf-8")


def test_no_text_can_add_a_command(check: Any, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    commit({"a%0A::warning::b\n::error::c.md": SPUN})
    run = check("--base", base)
    assert [line for line in run.stdout.splitlines() if line.startswith("::error::")] == []
    assert "file=a%250A%3A%3Awarning%3A%3Ab%0A%3A%3Aerror%3A%3Ac.md," in run.stdout


# --- the files that GitHub and pre-commit read


@pytest.mark.integration  # loads the model
def test_the_action_runs_on_a_repository(base: str, here: Path) -> None:
    spun, human = (next((EXAMPLES / kind).glob("06-*")).read_text("utf-8") for kind in ("spun", "human"))
    commit({"articles/spun.md": spun, "articles/human.md": human, "drafts/spun.md": spun})
    inputs = {name: str(entry["default"]) for name, entry in ACTION["inputs"].items()}
    inputs |= {"base": base, "files": "  *.md  \n\n!drafts/\n", "report": "report.html"}
    step = ACTION["runs"]["steps"][-1]
    given = {name: value for name, value in step["env"].items() if name != "PYTHON"}
    variables = {name: inputs[value.removeprefix("${{ inputs.").removesuffix(" }}")] for name, value in given.items()}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        env={**ENVIRONMENT, **variables, "PYTHON": sys.executable, "GITHUB_ACTIONS": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert "::error file=articles/spun.md,line=" in done.stdout
    assert done.stderr.splitlines()[-1] == "unspun: --fail-on paraphrased: 1 paraphrased"
    assert Path("report.html").exists()


def test_the_action_is_as_github_wants_it() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_input_of_the_action_is_used_through_a_variable() -> None:
    # Written into a script, an input could add commands to it.
    assert "${{" not in "".join(step.get("run", "") for step in ACTION["runs"]["steps"])
    used = {value for step in ACTION["runs"]["steps"] for value in step.get("env", {}).values()}
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} <= used


@pytest.mark.integration  # loads the model
def test_the_hook_runs_in_pre_commit(base: str, here: Path) -> None:
    pytest.importorskip("pre_commit", reason="pre-commit: pip install pre-commit")
    spun, human = (next((EXAMPLES / kind).glob("06-*")).read_text("utf-8") for kind in ("spun", "human"))
    # As pre-commit would run it, but with the unspun that is installed here.
    hooks = [{**hook, "language": "system"} for hook in HOOKS]
    commit({".pre-commit-config.yaml": yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks}]})})
    found = {}
    for name, text in (("human", human), ("spun", spun)):
        Path(f"{name} article.md").write_text(text)
        git("add", "--all")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**ENVIRONMENT, "PATH": path, "PRE_COMMIT_HOME": str(here / ".cache")}
        found[name] = subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--color", "never"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        git("commit", "--quiet", "--message", name)
    assert found["human"].returncode == 0, found["human"].stdout
    assert found["spun"].returncode == 1
    assert "exit code: 4" in found["spun"].stdout
    assert "unspun: --fail-on paraphrased: 1 paraphrased" in found["spun"].stdout


def test_pre_commit_accepts_the_hooks() -> None:
    clientlib = pytest.importorskip("pre_commit.clientlib", reason="pre-commit: pip install pre-commit")
    assert [hook["id"] for hook in clientlib.load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))] == ["unspun"]
