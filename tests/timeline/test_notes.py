from lipdub.timeline.notes import MOST, Notes, listed, short


def test_few_notes_are_told_one_by_one_and_many_together():
    few, many = Notes(), Notes()
    for number in range(1, 12_346):
        for notes in (few, many):
            if notes is many or number <= MOST:
                notes.add("{} cues are empty; left out", f"cue {number}: it is empty; left out", f"cue {number}")
    assert list(few) == [f"cue {n}: it is empty; left out" for n in (1, 2, 3)]
    assert list(many) == ["12,345 cues are empty; left out, e.g. cue 1, cue 2, cue 3"]
    assert (len(few), len(many)) == (3, 1)


def test_kinds_keep_their_order():
    notes = Notes()
    for kind in ("a", "b", "a"):
        notes.add(f"{{}} {kind}", kind, kind)
    assert list(notes) == ["a", "a", "b"]


def test_long_texts_and_lists_are_cut():
    assert short("a  b\nc") == "a b c"
    assert len(short("word " * 1_000_000)) <= 100
    assert short("word " * 100).endswith("…")
    assert listed(["a", "b"]) == "a, b"
    assert listed(str(n) for n in range(1000)).endswith(" and 990 more")
