"""Which patients are in which split."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_app.evaluation.splits import assign, split_by_patient

patient_lists = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=200)


@given(patient_lists, st.floats(0, 1), st.randoms())
def test_the_chosen_patients_depend_on_who_there_is_and_nothing_else(
    patients: list[str], share: float, random: object
) -> None:
    chosen = split_by_patient(patients, share, "salt")
    assert chosen <= set(patients)
    assert len(chosen) == round(share * len(set(patients)))
    again = patients + patients[: len(patients) // 2]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert split_by_patient(again, share, "salt") == chosen


@given(patient_lists, st.text(min_size=1, max_size=8))
def test_one_more_patient_moves_at_most_one_other(patients: list[str], newcomer: str) -> None:
    before = split_by_patient(patients, 0.2, "salt")
    after = split_by_patient([*patients, newcomer], 0.2, "salt")
    assert len(before - after) <= 1
    assert len(after - before) <= 1


def test_salts_choose_independently() -> None:
    patients = [str(i) for i in range(2000)]
    one, other = (split_by_patient(patients, 0.2, salt) for salt in ("test", "validation"))
    assert 40 < len(one & other) < 120  # 80 expected, standard deviation 7


@given(patient_lists, st.sets(st.integers(0, 199)))
def test_an_official_list_decides_who_is_test(patients: list[str], tested: set[int]) -> None:
    is_test = [place in tested for place in range(len(patients))]
    splits = assign(patients, is_test)
    assert [split == "test" for split in splits] == is_test


@given(patient_lists)
def test_without_a_list_no_patient_is_in_two_splits(patients: list[str]) -> None:
    pairs = set(zip(patients, assign(patients, None), strict=True))
    assert len(pairs) == len(set(patients))
