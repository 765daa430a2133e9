"""The batch policy: grows while batches are quick, never holds others up behind what is slow."""

from __future__ import annotations

from workers.batches import Batches


def grown(batches: Batches, times: int) -> None:
    """Run `times` quick full batches of type a, every claim following the last within a second."""
    for step in range(times):
        claim = batches.next_claim(0.001 * step)
        for _ in range(claim.max_tasks):
            batches.took("a", 0.001)
        batches.batch_took(claim.max_tasks, claim.max_tasks, 0.001 * claim.max_tasks)


def test_starts_with_one_of_any_type() -> None:
    claim = Batches(["a", "b"], 50, 0.0).next_claim(0.0)
    assert (claim.task_types, claim.max_tasks) == (["a", "b"], 1)


def test_doubles_while_batches_are_quick_up_to_the_most() -> None:
    batches = Batches(["a"], 50, 0.0)
    sizes = []
    for _ in range(8):
        sizes.append(batches.size)
        batches.took("a", 0.001)
        batches.batch_took(batches.size, batches.size, 0.01)
    assert sizes == [1, 2, 4, 8, 16, 32, 50, 50]


def test_halves_when_a_batch_is_slow_and_never_below_one() -> None:
    batches = Batches(["a"], 50, 0.0)
    grown(batches, 4)
    before = batches.size
    batches.batch_took(before, before, 2.5)
    assert batches.size == before // 2
    for _ in range(10):
        batches.batch_took(1, 1, 3.0)
    assert batches.size == 1


def test_keeps_its_size_between_quick_and_slow_and_when_a_batch_was_not_full() -> None:
    batches = Batches(["a"], 50, 0.0)
    grown(batches, 2)
    size = batches.size
    batches.batch_took(size, size, 1.0)
    assert batches.size == size
    batches.batch_took(size, size - 1, 0.01)
    assert batches.size == size


def test_a_batch_takes_only_types_that_have_been_quick() -> None:
    batches = Batches(["a", "slow", "unknown"], 50, 0.0)
    grown(batches, 4)
    batches.took("slow", 60.0)
    claim = batches.next_claim(0.5)
    assert claim.task_types == ["a"]
    assert claim.max_tasks == batches.size > 1


def test_every_type_has_its_turn_once_a_second() -> None:
    batches = Batches(["a", "slow"], 50, 0.0)
    grown(batches, 4)
    assert batches.next_claim(0.9).task_types == ["a"]
    claim = batches.next_claim(1.1)
    assert (claim.task_types, claim.max_tasks) == (["a", "slow"], 1)
    assert batches.next_claim(1.2).task_types == ["a"]


def test_after_an_empty_claim_the_next_is_open_to_every_type() -> None:
    batches = Batches(["a", "slow"], 50, 0.0)
    grown(batches, 4)
    batches.found_nothing()
    assert batches.next_claim(0.1).task_types == ["a", "slow"]


def test_a_type_that_turns_slow_leaves_the_batches() -> None:
    batches = Batches(["a"], 50, 0.0)
    grown(batches, 5)
    for _ in range(5):
        batches.took("a", 5.0)
    assert batches.next_claim(0.5).max_tasks == 1
