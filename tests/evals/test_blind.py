import itertools
import json
import random
from argparse import Namespace

import numpy as np
import pytest
from evals.blind import exhibits_of, score
from hypothesis import given
from hypothesis import strategies as st


@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1, max_size=8),
    each=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_what_is_shown_is_performed_and_nothing_is_shown_twice(rows, each, seed):
    performed = np.concatenate([np.full(length, acting) for acting, length in rows])
    some = exhibits_of("a", performed, 100, each, random.Random(seed))
    assert len(some) <= 2 * each
    assert abs(sum(e.dubbed for e in some) - len(some) / 2) <= 0.5  # half of them each
    for shown in some:
        assert performed[shown.first - 100 : shown.stop - 100].all()
        assert shown.stop - shown.first == (8 if shown.name == "strips" else 1)
    spans = sorted((e.first, e.stop) for e in some)
    assert all(later - earlier >= 12 for (_, earlier), (later, _) in itertools.pairwise(spans))


def test_answers_are_counted_by_kind_and_by_what_it_was(tmp_path, capsys):
    (tmp_path / "key.json").write_text(
        json.dumps(
            {
                "stills/001": {"clip": "a", "first": 3, "is": "dub"},
                "stills/002": {"clip": "a", "first": 90, "is": "film"},
                "strips/003": {"clip": "b", "first": 0, "is": "dub"},
            }
        )
    )
    (tmp_path / "answers.csv").write_text("stills/001,dub\nstills/002, dub\nstrips/003,dub\n")
    assert score(Namespace(answers=tmp_path / "answers.csv", key=tmp_path / "key.json")) == 0
    told = {line[:16].strip(): line[16:].split(" right")[0].split() for line in capsys.readouterr().out.splitlines()}
    assert told["stills"] == ["1", "of", "2"]
    assert told["stills, film"] == ["0", "of", "1"]
    assert told["strips, b"] == ["1", "of", "1"]


def test_an_answer_to_a_picture_that_is_not_there_is_an_error(tmp_path):
    (tmp_path / "key.json").write_text("{}")
    (tmp_path / "answers.csv").write_text("stills/001,dub\n")
    with pytest.raises(KeyError):
        score(Namespace(answers=tmp_path / "answers.csv", key=tmp_path / "key.json"))
