"""The list's order, filters and pages, against the same rows sorted here."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from edge_app.clinic.page.worklist import ROWS, SORTS, Question, Worklist, question_of
from edge_app.clinic.store import Store
from edge_app.clinic.summary import STATES

COUNT = 3 * ROWS + 7


@pytest.fixture
def worklist(store: Store) -> Iterator[Worklist]:
    chance = random.Random(1)
    with store.transaction() as database:
        for number in range(1, COUNT + 1):
            state = chance.choice(STATES)
            score = chance.choice((0.25, 0.5, chance.random())) if state == "flagged" else None
            answered = None if state == "waiting" else 2.0
            name = f"Müller {number}" if number % 3 else "100%_\\ sure"
            database.execute(
                "INSERT INTO image (entrance, identity, sha256, file, bytes, sender, differs, "
                "received, about, sought, state, score, answered, urgent) "
                "VALUES ('page', ?, ?, 'f', 1, 's', 0, 1.0, ?, ?, ?, ?, ?, ?)",
                (
                    *(str(number), str(number), name, name.casefold(), state, score, answered),
                    chance.randrange(3),
                ),
            )
    opened = Worklist(store)
    yield opened
    opened.close()


def expected(worklist: Worklist, question: Question) -> list[int]:
    rows = worklist.rows("SELECT * FROM image")
    if question.state:
        rows = [row for row in rows if row["state"] == question.state]
    if question.sought:
        sought = question.sought.casefold()
        rows = [row for row in rows if sought in row["sought"] or sought == str(row["id"])]
    if question.sort == "highest":
        rows = [row for row in rows if row["score"] is not None]
        rows.sort(key=lambda row: (row["score"], row["id"]), reverse=True)
    elif question.sort == "next":
        rows = [row for row in rows if row["answered"] is None]
        rows.sort(key=lambda row: (-row["urgent"], row["id"]))
    else:
        rows.sort(key=lambda row: row["id"], reverse=question.sort == "newest")
    return [row["id"] for row in rows]


@pytest.mark.parametrize("sought", ["", "MÜLLER", "100%_\\", "77", "nobody"])
@pytest.mark.parametrize("state", ["", "flagged", "waiting"])
@pytest.mark.parametrize("sort", SORTS)
def test_pages_follow_each_other_without_gap_or_double_and_lead_back(
    worklist: Worklist, sort: str, state: str, sought: str
) -> None:
    question = Question(state, sought, sort)
    pages = [worklist.page(question)]
    while pages[-1].on:
        pages.append(worklist.page(question._replace(after=pages[-1].on)))
    found = [row["id"] for page in pages for row in page.rows]
    assert found == expected(worklist, question)
    assert all(len(page.rows) == ROWS for page in pages[:-1])
    assert pages[0].back == ""
    back = pages[-1]
    for earlier in reversed(pages[:-1]):
        back = worklist.page(question._replace(before=back.back))
        assert [row["id"] for row in back.rows] == [row["id"] for row in earlier.rows]
    assert back.back == ""


@pytest.mark.parametrize(
    "key", ["x", "1_2_3", "1e999", "nan_1", "0.5_1; DROP TABLE image", "9" * 99]
)
def test_a_key_that_is_none_begins_at_the_beginning(worklist: Worklist, key: str) -> None:
    for sort in SORTS:
        whole = worklist.page(Question(sort=sort))
        assert worklist.page(Question(sort=sort, after=key)).rows == whole.rows


def test_what_cannot_be_asked_is_left_out() -> None:
    assert question_of({"state": "dead", "sort": "random", "q": "  a   b "}) == Question(
        sought="a b"
    )


def test_counts_are_those_of_the_states(worklist: Worklist) -> None:
    counts = worklist.counts()
    assert sum(counts.values()) == COUNT
    assert worklist.waiting() == counts["waiting"]
