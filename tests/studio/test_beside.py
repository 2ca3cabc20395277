"""Something is made in a thread while something else is made: results, errors, ends and progress."""

import threading
from collections.abc import Callable

import pytest

from lipdub.errors import OutputError
from lipdub.studio.progress import Clock
from lipdub.studio.workers.beside import GivenUp, made_beside


@pytest.mark.parametrize("alone", [True, False])
def test_the_result_is_given_and_the_listener_hears_its_own_thread_only(alone: bool) -> None:
    begun, told = threading.Event(), []
    clock = Clock(lambda *progress: told.append(progress))

    def make(go_on: Callable[[], None]) -> int:
        begun.set()
        with clock.stage("mix"):
            return sum(clock.counted("mix", [1, 2], 2))

    with made_beside(make, alone=alone) as made:
        assert begun.wait(0.01 if alone else 5) != alone
        assert made() == 3
    assert clock.seconds["mix"] > 0
    assert told == ([("mix", 0, 0), ("mix", 1, 2), ("mix", 2, 2)] if alone else [])


@pytest.mark.parametrize("alone", [True, False])
def test_what_it_raises_is_raised(alone: bool) -> None:
    def make(go_on: Callable[[], None]) -> None:
        raise OutputError("the disk is full", file="x")

    with pytest.raises(OutputError, match="full"), made_beside(make, alone=alone) as made:
        made()


def test_its_thread_ends_when_the_block_is_given_up() -> None:
    ended: list[type[BaseException]] = []

    def make(go_on: Callable[[], None]) -> None:
        try:
            while True:
                go_on()
        except GivenUp as why:
            ended.append(type(why))
            raise

    with pytest.raises(KeyboardInterrupt), made_beside(make):
        raise KeyboardInterrupt
    assert ended == [GivenUp]
