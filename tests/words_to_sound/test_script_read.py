import json
import os
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import InputError
from lipdub.sound_to_mouth.prior import Prior
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.place_untimed import place_untimed_lines
from lipdub.words_to_sound.script.read import ReadOptions, read_script
from lipdub.words_to_sound.translate.glossary import read_glossary

F = Fraction


@pytest.fixture
def script(tmp_path):
    def write(text, name="a.srt", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def srt(*cues):
    return "\n".join(f"{n}\n{times}\n{text}\n" for n, (times, text) in enumerate(cues, 1))


def one(text, times="00:00:01,000 --> 00:00:03,000"):
    return srt((times, text))


def said(read):
    return [(line.text, line.span.start, line.span.end) for line in read.lines]


def test_subrip_times_are_exact(script):
    read = read_script(
        script(srt(("00:00:01,001 --> 00:00:02,500", "Hello\nthere."), ("00:00:03,000 --> 00:01:04,999", "Bye.")))
    )
    assert said(read) == [("Hello there.", F(1001, 1000), F(5, 2)), ("Bye.", F(3), F(64999, 1000))]
    assert read.notes == ()
    assert read.timed


def test_the_clip_may_begin_elsewhere(script):
    read = read_script(script(one("Hi there")), ReadOptions("en", start=F(7, 5), end=F(4)))
    assert read.lines == (Line("Hi there", Span(F(12, 5), F(4)), "en", id="1"),)
    assert any("past the end of the clip" in note for note in read.notes)


def test_sloppy_subrip_is_read(script):
    rows = (
        "\ufeff",
        "1",
        "0:00:01.5 --> 0:00:02,25  X1:40",
        "One",
        "",
        "two",
        "",
        "",
        "2",
        "00:00:03,000-->00:00:04",
        "2024",
    )
    text = "\r\n".join(rows)
    assert said(read_script(script(text))) == [("One two", F(3, 2), F(9, 4)), ("2024", F(3), F(4))]


def test_numbers_stay_text_unless_they_number_the_next_cue(script):
    rows = (
        "1",
        "",
        "00:00:01,000 --> 00:00:02,000",
        "In",
        "1984",
        "",
        "00:00:03,000 --> 00:00:04,000",
        "yes",
        "",
        "3",
        "",
    )
    text = "\n".join((*rows, "00:00:05,000 --> 00:00:06,000", "7"))
    assert [line.text for line in read_script(script(text)).lines] == ["In 1984", "yes", "7"]


def test_webvtt_with_voices_notes_and_settings(script):
    text = (
        "WEBVTT - a title\n\nSTYLE\n::cue { color: red }\n\nNOTE nobody says\nthis\n\nfirst\n"
        "00:01.000 --> 00:03.000 line:80%\n<v.loud Anna Lee>Tom &amp; <i>Jerry</i></v>\n<v Bob>Who?\n\n"
        "01:00:00.000 --> 01:00:02.000\n<c.red>It <00:01.500>is me</c>\n"
    )
    read = read_script(script(text, "a.vtt"))
    assert [(line.text, line.speaker) for line in read.lines] == [
        ("Tom & Jerry", "Anna Lee"),
        ("Who?", "Bob"),
        ("It is me", ""),
    ]
    assert read.lines[0].span.end == read.lines[1].span.start < read.lines[1].span.end == 3
    assert read.lines[2].span == Span(F(3600), F(3602))


def test_substation_names_speakers_and_skips_comments_and_drawings(script):
    text = (
        "[Script Info]\nTitle: x\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,hidden\n"
        "Dialogue: 0,0:00:01.07,0:00:02.50,Default,Anna,0,0,0,,{\\i1}Well,{\\i0} hello,\\Nyou\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 5 5{\\p0}\n"
    )
    read = read_script(script(text, "a.ass"))
    assert read.lines == (Line("Well, hello, you", Span(F(107, 100), F(5, 2)), "", "Anna", id="1"),)
    assert any("1 rows 'Comment" in note for note in read.notes)
    assert any("cue 2 is empty" in note for note in read.notes)


def test_speakers_before_a_colon(script):
    read = read_script(
        script(
            srt(
                ("00:00:01,000 --> 00:00:02,000", "ANNA: Come here!"),
                ("00:00:03,000 --> 00:00:04,000", "Bob: No."),
                ("00:00:05,000 --> 00:00:06,000", "Bob: Remember: it is 12:30."),
                ("00:00:07,000 --> 00:00:08,000", "One thing: hurry."),
                ("00:00:09,000 --> 00:00:10,000", "- ANNA: Why?\n- BOB: Because."),
                ("00:00:11,000 --> 00:00:12,000", "Good."),
            )
        )
    )
    assert [(line.speaker, line.text) for line in read.lines] == [
        ("ANNA", "Come here!"),
        ("Bob", "No."),
        ("Bob", "Remember: it is 12:30."),
        ("", "One thing: hurry."),
        ("ANNA", "Why?"),
        ("BOB", "Because."),
        ("", "Good."),
    ]
    assert "'Bob' before a colon: taken for speakers' names, which are not spoken" in read.notes


def test_dashes_divide_a_cue_between_two_speakers_by_length(script):
    read = read_script(script(one("- Are you coming,\nmy dear?\n– Yes!")))
    assert [line.text for line in read.lines] == ["Are you coming, my dear?", "Yes!"]
    assert read.lines[0].span == Span(F(1), 1 + 2 * F(24, 28))
    assert "became 2 lines" in read.notes[0]
    assert [line.text for line in read_script(script(one("- Only me"))).lines] == ["Only me"]
    assert [line.text for line in read_script(script(one("-5 degrees,\nwell-known"))).lines] == [
        "5 degrees, well-known"
    ]


@pytest.mark.parametrize(
    ("text", "left", "dropped"),
    [
        ("[door slams] Who is it?", "Who is it?", ["[door slams]"]),
        ("(laughs) Stop it. (sighs)", "Stop it.", ["(laughs)", "(sighs)"]),
        ("He (my brother) knows it", "He (my brother) knows it", []),
        ("♪ la la la ♪\nStop singing!", "Stop singing!", ["♪ la la la ♪"]),
        ("ANNA: (angry) Go!", "Go!", ["(angry)"]),
        ("（笑）行こう", "行こう", ["（笑）"]),
        ("{\\an8}<b>Up</b> here, <font color='red'>now</font>", "Up here, now", []),
        ("3 < 5 and x > 2", "3 < 5 and x > 2", []),
        ("\u202b\u200fשלום עולם\u202c", "שלום עולם", []),
        ("می\u200cخواهم", "می\u200cخواهم", []),
    ],
)
def test_what_is_not_spoken_is_left_out_and_noted(script, text, left, dropped):
    read = read_script(
        script(srt(("00:00:01,000 --> 00:00:03,000", text), ("00:00:08,000 --> 00:00:09,000", "[music]")))
    )
    assert [line.text for line in read.lines] == [left]
    assert read.notes == (
        *(f"cue 1: '{d}' is not spoken; left out" for d in dropped),
        "cue 2: '[music]' is not spoken; left out",
    )


def test_impossible_times_are_corrected_and_noted(script):
    read = read_script(
        script(
            srt(
                ("00:00:10,000 --> 00:00:12,000", "late but early in the file"),
                ("00:00:01,000 --> 00:00:03,000", "cut for the next"),
                ("00:00:02,500 --> 00:00:04,000", "the next"),
                ("00:00:05,000 --> 00:00:05,000", "no length"),
                ("00:00:07,000 --> 00:00:06,000", "backwards"),
                ("00:00:08,000 --> 00:00:09,000", ""),
                ("00:00:10,000 --> 00:00:12,000", "late but early in the file"),
                ("00:00:20,000 --> 00:00:31,000", "to the end"),
                ("00:00:40,000 --> 00:00:41,000", "too late"),
                ("-00:00:01,000 --> 00:00:00,500", "before"),
            )
        ),
        ReadOptions(end=F(30)),
    )
    assert said(read) == [
        ("before", 0, F(1, 2)),
        ("cut for the next", 1, F(5, 2)),
        ("the next", F(5, 2), 4),
        ("no length", 5, 6),
        ("backwards", 7, 8),
        ("late but early in the file", 10, 12),
        ("to the end", 20, 30),
    ]
    told = "\n".join(read.notes)
    assert "not in order" in told
    assert "overlaps cue 2" in told
    assert "has no duration" in told
    assert "ends before it begins" in told
    assert "cue 6 is empty" in told
    assert "there twice" in told
    assert "lasts past the end" in told
    assert "'too late' left out" in told
    assert "begins before time 0" in told


def test_two_who_speak_at_once_stay_and_two_cues_at_once_share(script):
    both = srt(("00:00:01,000 --> 00:00:03,000", "ANNA: Now"), ("00:00:02,000 --> 00:00:04,000", "BOB: Never"))
    assert [line.span.end for line in read_script(script(both)).lines] == [3, 4]
    same = srt(("00:00:01,000 --> 00:00:03,000", "Now"), ("00:00:01,000 --> 00:00:03,000", "Not"))
    assert [line.span for line in read_script(script(same)).lines] == [Span(F(1), F(2)), Span(F(2), F(3))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(script, encoding):
    text = "\ufeff" if encoding in ("utf-16-le",) else ""
    read = read_script(script(text + one("Señor Müller – “œuvre”"), encoding=encoding))
    assert [line.text for line in read.lines] == ["Señor Müller – “œuvre”"]
    assert (encoding == "cp1252") == any("Windows-1252" in note for note in read.notes)


def test_json_of_lipdub_and_of_whisper(script):
    word = {"text": "Hi.", "start": "1/3", "end": "1/2", "confidence": 0.5}
    line = {"text": "Hi.", "start": "1/3", "end": "2", "speaker": "A", "language": "en", "words": [word]}
    ours = {"lipdub": "script", "version": 1, "lines": [line]}
    assert read_script(script(json.dumps(ours), "a.json")).lines == (
        Line("Hi.", Span(F(1, 3), F(2)), "en", "A", (Word("Hi.", Span(F(1, 3), F(1, 2)), 0.5),), "1"),
    )
    words = [
        {"word": " Hola", "start": 0.1, "end": 0.5, "probability": 0.9},
        {"word": " amigo", "start": 0.5, "end": 1.1, "score": 1},
    ]
    one = {"start": 0.1, "end": 1.1000000000000001, "text": " Hola amigo", "words": words}
    two = {
        "start": 2,
        "end": 3,
        "text": " Adiós 5",
        "words": [{"word": "Adiós", "start": 2, "end": 2.5}, {"word": "5"}],
    }
    whisper = {"language": "spanish", "segments": [one, two]}
    first, second = read_script(script(json.dumps(whisper), "b.json")).lines
    assert first.span == Span(F(1, 10), F(11, 10))
    assert [w.text for w in first.words] == ["Hola", "amigo"]
    assert (first.language, second.words) == ("es", ())


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.srt", "nothing here", "holds no cues"),
        ("a.srt", "1\n00:00:01,000 --> nonsense\nHi\n", r"row 2, '00:00:01,000 --> nonsense', does not hold two times"),
        ("a.vtt", "WEBVTT\n\n00:xx --> 00:01.000\nHi\n", "row 3"),
        ("a.ass", "[Events]\nDialogue: 0,zero,0:00:01.00,D,,0,0,0,,Hi\n", "row 2 is not a complete"),
        ("a.ass", "[Script Info]\n", "no rows 'Dialogue"),
        ("a.json", "{", "is not valid JSON"),
        ("a.json", '{"a": 1}', "neither 'lines' nor 'segments'"),
        ("a.json", '{"segments": [{"start": 0, "text": "x"}]}', "line 1 has no valid"),
        ("a.json", '{"segments": [{"start": "1/0", "end": 1, "text": "x"}]}', "line 1 has no valid"),
        ("a.json", '{"segments": [7]}', "line 1 has no valid"),
        ("a.json", '{"segments": [{"start": NaN, "end": 1, "text": "x"}]}', "line 1 has no valid"),
        ("a.txt", "\n\n", "nothing to say"),
        ("a.srt", one("[music]"), "nothing to say"),
        ("a.mp4", b"\0\0\0\1" * 10, "."),
        ("a.xyz", "hello", "'.xyz' is not a known kind of script"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_file_and_place(script, name, text, told):
    with pytest.raises(InputError, match=told) as refused:
        read_script(script(text, name))
    assert refused.value.file is not None
    assert refused.value.remedy


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_script(tmp_path / "none.srt")


def test_rows_that_are_not_part_of_a_cue_are_noted(script):
    read = read_script(script("made by hand\n\n" + one("Hi.")))
    assert read.notes == ("'made by hand' before the first cue is not part of a cue; left out",)


def test_hundreds_of_cues_are_read(script):
    cues = []
    for k in range(600):
        h, m, s = k * 2 // 3600, k * 2 % 3600 // 60, k * 2 % 60
        cues.append((f"{h:02}:{m:02}:{s:02},000 --> {h:02}:{m:02}:{s + 1:02},900", f"Line number {k}, quite as ever."))
    assert len(read_script(script(srt(*cues))).lines) == 600


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(tmp_path_factory, text):
    for name in ("x.srt", "x.vtt", "x.ass", "x.json", "x.txt"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_text(one(text) if name == "x.srt" else text, encoding="utf-8", errors="replace", newline="")
        try:
            read = read_script(path)
        except InputError:
            continue
        assert all(line.text for line in read.lines)


def test_plain_text_is_placed_where_somebody_speaks(script):
    read = read_script(script("Hello there, my friend.\n\nANNA: Hi!\n", "a.txt"))
    assert not read.timed
    assert [(line.text, line.speaker) for line in read.lines] == [("Hello there, my friend.", ""), ("Hi!", "ANNA")]
    first, second = place_untimed_lines(read.lines, (Span(F(1), F(3)), Span(F(5), F(11, 2))))
    assert (first.span, second.span) == (Span(F(1), F(3)), Span(F(5), F(11, 2)))
    with pytest.raises(InputError, match="no speech"):
        place_untimed_lines(read.lines, ())


@given(
    st.lists(st.text("abc ", min_size=1, max_size=40), min_size=1, max_size=12),
    st.lists(st.integers(0, 300), min_size=2, max_size=12, unique=True),
)
def test_placed_lines_are_in_order_inside_speech(texts, edges):
    edges = sorted(edges)
    speech = [Span(F(a), F(b)) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    lines = place_untimed_lines([Line(t, Span(F(0), F(0))) for t in texts], speech)
    assert [line.text for line in lines] == texts
    assert all(line.span.duration > 0 for line in lines)
    assert all(a.span.end <= b.span.start for a, b in pairwise(lines))
    assert (lines[0].span.start, lines[-1].span.end) == (speech[0].start, speech[-1].end)


@pytest.mark.parametrize(
    ("name", "cue"),
    [
        ("sounds.srt", "{n}\n00:00:0{s},000 --> 00:00:0{t},000\n[door {n}]\n\n"),
        ("empty.srt", "{n}\n00:00:0{s},000 --> 00:00:0{t},000\n\n"),
        ("backwards.srt", "{n}\n00:00:0{t},000 --> 00:00:0{s},000\nWord {n}\n\n"),
        ("late.srt", "{n}\n01:00:0{s},000 --> 01:00:0{t},000\nWord {n}\n\n"),
        ("early.srt", "{n}\n-01:00:0{s},000 --> -00:59:0{t},000\nWord {n}\n\n"),
        ("names.srt", "{n}\n00:00:0{s},000 --> 00:00:0{t},000\nName{n}: word\n\n"),
        ("stray.vtt", "00:00:0{s}.000 --> 00:00:0{t}.000\nWord {n}\n\nstray {n}\nrow\n\n"),
    ],
)
def test_notes_stay_few_however_bad_the_script(script, name, cue):
    whole = "".join(cue.format(n=n, s=n % 5, t=n % 5 + 1) for n in range(1, 2001))
    good = "1\n00:00:00,000 --> 00:00:09,000\nHello there.\n\n"
    head = "WEBVTT\n\n" if name.endswith("vtt") else good
    read = read_script(script(head + whole, name), ReadOptions("en", end=Fraction(60)))
    assert 1 <= len(read.notes) <= 12
    assert sum(map(len, read.notes)) < 2000
    told = " ".join(read.notes)
    assert "2,000" in told or "1,990 more" in told


@pytest.mark.parametrize("text", ['{"lines": ' + "[" * 100_000, "[" * 100_000, '{"a":' * 100_000])
def test_json_nested_too_deeply_is_refused(script, text):
    with pytest.raises(InputError, match="deeply"):
        read_script(script(text, "deep.json"))
    with pytest.raises(InputError):
        read_script(script(text, "deep.sub"))


@pytest.mark.parametrize(
    "time",
    ["1e999999999", '"1e999999999"', '"1/0"', "1" + "0" * 30, "NaN", "Infinity", "-1e399", '"' + "9" * 5000 + '"'],
)
def test_very_large_times_are_refused_at_once(script, time):
    with pytest.raises(InputError, match=r"line 1|JSON"):
        read_script(script(f'{{"lines": [{{"start": 0, "end": {time}, "text": "Hello"}}]}}', "far.json"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_refused_at_once(tmp_path):
    pipe = tmp_path / "talk.en.srt"
    os.mkfifo(pipe)
    for reader in (read_script, read_glossary, Prior.load):
        with pytest.raises(InputError, match="pipe, a socket or a device"):
            reader(pipe)
