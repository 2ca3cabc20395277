"""Answers that are given again."""

import threading

import pytest
from tests.web.jobs.made_jobs import SetClock

from lipdub.errors import InputError
from lipdub.web.jobs.idempotency import Answer, Answers
from lipdub.web.jobs.job import KeyInUse, KeyUsedOtherwise
from lipdub.web.jobs.table import DAY, JobTable


def test_the_same_key_and_request_get_the_first_answer_for_a_day(table: JobTable, clock: SetClock) -> None:
    answers, asked = Answers(table), []

    def answer() -> Answer:
        asked.append(1)
        return Answer(201, f"number {len(asked)}", {"Location": "/x"})

    first = answers.repeated("k", "digest", answer)
    clock.now += DAY - 1
    assert answers.repeated("k", "digest", answer) == first
    with pytest.raises(KeyUsedOtherwise):
        answers.repeated("k", "other", answer)
    assert answers.repeated("l", "other", answer).body == "number 2"
    clock.now += 2
    assert answers.repeated("k", "other", answer).body == "number 3"


def test_a_request_that_fails_leaves_the_key_as_new(table: JobTable) -> None:
    def fails() -> Answer:
        raise InputError("no")

    with pytest.raises(InputError):
        Answers(table).repeated("k", "one", fails)
    assert Answers(table).repeated("k", "two", lambda: Answer(200, "")).status == 200


def test_while_the_first_is_being_answered_the_second_is_told_so(table: JobTable, clock: SetClock) -> None:
    answers, inside, go_on = Answers(table), threading.Event(), threading.Event()

    def slow() -> Answer:
        inside.set()
        assert go_on.wait(60)
        return Answer(200, "first")

    thread = threading.Thread(target=answers.repeated, args=("k", "one", slow))
    thread.start()
    assert inside.wait(60)
    with pytest.raises(KeyInUse):
        answers.repeated("k", "one", slow)
    with pytest.raises(KeyUsedOtherwise):
        answers.repeated("k", "two", slow)
    go_on.set()
    thread.join()
    assert answers.repeated("k", "one", slow).body == "first"


def test_a_request_whose_server_died_can_be_sent_again(table: JobTable, clock: SetClock) -> None:
    answers = Answers(table)
    assert answers._begun("k", "one") is None
    clock.now += 601
    assert answers.repeated("k", "one", lambda: Answer(200, "again")).body == "again"
