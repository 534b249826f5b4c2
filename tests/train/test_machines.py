"""Whose turn and share it is among several machines; what they train is in `two_machines.py`."""

from __future__ import annotations

import pytest

from train import machines
from train.errors import RunError


@pytest.mark.parametrize("text", ["", "here", "a:1", "a:1,b", "a:1,:2", "a:x,b:2"])
def test_addresses_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(RunError, match="write HOST:PORT"):
        machines.addresses(text)


def test_a_machine_knows_itself_by_its_addresses() -> None:
    away = "192.0.2.77:9"  # of no machine: RFC 5737
    assert machines.number_here([away, "127.0.0.1:9"]) == 2
    for names, words in ((["127.0.0.1:9"] * 2, "several"), ([away] * 2, "none")):
        with pytest.raises(RunError, match=f"this machine is {words} of them"):
            machines.number_here(names)


def test_without_other_machines_a_batch_is_ones_own() -> None:
    assert machines.share_of(16) == slice(0, 16)
    assert machines.is_first()
    machines.require_divisible(7)
