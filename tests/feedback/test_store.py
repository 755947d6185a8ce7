"""The label store on SQLite and on a real PostgreSQL: labels come back as stored, once each, and none is lost."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.feedback.making import label_of
from unspun.service.feedback.database import StoreError
from unspun.service.feedback.labels import Label
from unspun.service.feedback.store import PAGE, REPEAT_SECONDS, Store, labelled_texts

ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


def test_a_label_comes_back_unchanged(store: Store) -> None:
    label = label_of(keep_text=True, source="desk", comment="By its author.", verdict="abstained", reason="too_short")
    assert store.add(label) == (label, True)
    assert store.get(label.id) == label


def test_a_text_is_stored_only_if_it_is_kept(store: Store) -> None:
    label = label_of("A text that nobody else has.")
    store.add(label)
    found = store.get(label.id)
    assert found is not None
    assert found.text is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY_TEXT, source=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200))
def test_any_text_and_source_come_back(text: str, source: str | None, store: Store) -> None:
    label = label_of(text, keep_text=True, source=source)
    store.add_many([label])
    found = store.get(label.id)
    assert found is not None
    assert (found.text, found.source) == (text, (source or "").strip() or None)


def test_an_unknown_id_has_no_label(store: Store) -> None:
    store.add(label_of())
    assert store.get("0" * 32) is None


@pytest.mark.parametrize("change", ["add", "delete"])
def test_a_change_that_comes_too_late_is_not_made(store: Store, change: str) -> None:
    """The request has been answered by then: a database may hang, and go on later."""
    there, new = label_of("One."), label_of("Two.")
    store.add(there)
    make: dict[str, Callable[[float], object]] = {
        "add": lambda deadline: store.add(new, deadline=deadline),
        "delete": lambda deadline: store.delete([there.id], deadline=deadline),
    }
    with pytest.raises(StoreError, match="did not answer in time"):
        make[change](time.monotonic())
    assert list(store.labels()) == [there]


def test_deleting_a_label_leaves_the_others(store: Store) -> None:
    gone, stays = label_of("One."), label_of("Two.")
    store.add_many([gone, stays])
    assert store.delete([gone.id, "0" * 32]) == {gone.id}
    assert list(store.labels()) == [stays]


def test_a_deleted_text_is_erased_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.db"
    store = Store(str(file))
    label = label_of("Unmistakable sentence. " * 400, keep_text=True)
    store.add(label)
    assert b"Unmistakable" in file.read_bytes()
    store.delete([label.id])
    assert b"Unmistakable" not in file.read_bytes()


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    Store(str(tmp_path / "labels.db")).add(label_of())
    assert stat.S_IMODE((tmp_path / "labels.db").stat().st_mode) == 0o600


# --- duplicates


def test_a_second_click_does_not_store_a_second_label(store: Store) -> None:
    first, _ = store.add(label_of(source="desk"))
    assert store.add(label_of(source="desk", after=REPEAT_SECONDS - 1)) == (first, False)
    assert list(store.labels()) == [first]


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Another text."},
        {"word": "spun"},
        {"source": "desk"},
        {"comment": "Sure."},
        {"keep_text": True},
        {"after": REPEAT_SECONDS + 1},
    ],
    ids=lambda other: "".join(other),
)
def test_a_label_that_differs_is_stored(other: dict[str, object], store: Store) -> None:
    store.add(label_of())
    assert store.add(label_of(**other))[1]  # type: ignore[arg-type]
    assert len(list(store.labels())) == 2


def test_the_same_click_in_many_threads_is_stored_once(url: str) -> None:
    stores = [Store(url, migrates=True) for _ in range(4)]
    stores[0].database.migrate()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: stores[i % 4].add(label_of()), range(24)))
    assert sum(new for _, new in answers) == 1
    assert len({label.id for label, _ in answers}) == 1
    for store in stores:
        store.database.close()


# --- many at once


def test_concurrent_labels_are_all_stored(url: str) -> None:
    """Also in a new database, in which only one of them creates the tables."""
    stores = [Store(url, migrates=True) for _ in range(4)]
    labels = [label_of(f"Text {i}.", keep_text=True) for i in range(120)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda item: stores[item[0] % 4].add(item[1]), enumerate(labels)))
    assert all(new for _, new in answers)
    assert {label.id for label in stores[0].labels()} == {label.id for label in labels}
    for store in stores:
        store.database.close()


def test_all_pages_are_read_in_order_of_time(store: Store) -> None:
    labels = [label_of(f"Text {i}.", after=i // 3) for i in range(2 * PAGE + 1)]
    store.add_many(reversed(labels))
    found = list(store.labels())
    assert found == sorted(labels, key=lambda label: (label.created, label.id))


def test_a_label_can_be_added_while_others_are_read(store: Store) -> None:
    store.add_many(label_of(f"Text {i}.") for i in range(PAGE + 1))
    reading = store.labels()
    next(reading)
    late = label_of("Late.", after=60)
    assert store.add(late)[1]
    assert late in list(reading)


# --- files of labels


def test_adding_the_same_labels_twice_adds_nothing(store: Store) -> None:
    labels = [label_of("One."), label_of("Two.")]
    assert store.add_many(labels) == 2
    assert store.add_many(labels) == 0


def test_labels_without_their_own_ids_are_recognised_by_their_content(store: Store) -> None:
    def lines() -> list[Label]:
        return [label_of("One.", after=3600), label_of("One.", "spun", after=3600)]

    first, second = lines(), lines()
    assert store.add_many(first, unnamed={label.id for label in first}) == 2
    assert store.add_many(second, unnamed={label.id for label in second}) == 0


def test_a_file_is_stored_completely_or_not_at_all(store: Store) -> None:
    def breaks_off() -> object:
        yield label_of("One.")
        raise RuntimeError("the file ended")

    with pytest.raises(RuntimeError):
        store.add_many(breaks_off())  # type: ignore[arg-type]
    assert list(store.labels()) == []


# --- texts to train on


def test_only_kept_texts_are_returned_each_once(url: str, store: Store) -> None:
    kept = label_of("Kept.", "spun", keep_text=True, source="desk")
    store.add_many([kept, label_of("Kept.", "spun", after=3600, keep_text=True), label_of("Hash only.")])
    found = labelled_texts(url)
    assert found.without_text == 1
    assert [(one.id, one.text, one.label, one.source) for one in found.labels] == [(kept.id, "Kept.", "spun", "desk")]
    assert found.contradicting == []


def test_contradicting_labels_are_reported_and_left_out(url: str, store: Store) -> None:
    said, denied = label_of("Disputed.", "human", keep_text=True), label_of("Disputed.", "spun", after=1)
    store.add_many([said, denied, label_of("Agreed.", keep_text=True)])
    found = labelled_texts(url)
    assert [one.text for one in found.labels] == ["Agreed."]
    assert [one.labels for one in found.contradicting] == [(said, denied)]
