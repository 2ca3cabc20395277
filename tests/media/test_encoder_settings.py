"""Settings of encoders are refused before any work, with the values that are allowed; nothing reaches the terminal."""

import subprocess
import sys
from pathlib import Path

import av
import pytest

from lipdub.errors import OptionError
from lipdub.media.encoder_settings import ALLOWED_SETTINGS, check_encoder_settings, default_settings
from lipdub.media.probe import probe
from lipdub.media.write import WriteOptions, check_output
from lipdub.process.scheduling import usual_scheduling

sys.path.insert(0, str(Path(__file__).parent))
from media_files import make_video

ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}


@pytest.mark.parametrize(
    ("suffix", "options", "told"),
    [(".mp4", {"preset": "nonsense"}, "ultrafast, superfast"), (".mp4", {"crf": -5}, "from 0 .* to 51"),
     (".mp4", {"crf": 52, "codec": "hevc"}, "from 0 .* to 51"), (".mp4", {"crf": 999, "codec": "av1"}, "to 63"),
     (".webm", {"preset": "fast"}, "from -8 to 8"), (".mp4", {"preset": "14", "codec": "av1"}, "from -1 to 13"),
     (".mov", {"crf": 10, "codec": "prores"}, "no crf"), (".mkv", {"preset": "fast", "codec": "ffv1"}, "no preset"),
     (".mp4", {"codec": "wonder"}, "not a picture codec")],
)  # fmt: skip
def test_what_an_encoder_does_not_take_is_refused_before_the_work(tmp_path, suffix, options, told):
    source = make_video(tmp_path / "a.mp4", count=2)
    with pytest.raises(OptionError, match=told):
        check_output(source, tmp_path / f"b{suffix}", WriteOptions(**options))


def test_the_codec_that_will_be_chosen_is_asked(tmp_path):
    master = make_video(tmp_path / "a.mov", codec="prores_ks", pixel_format="yuv422p10le", count=2, options=())
    with pytest.raises(OptionError, match="prores takes no crf"):
        check_output(master, tmp_path / "b.mov", WriteOptions(crf=20))
    check_output(master, tmp_path / "b.mp4", WriteOptions(crf=20, preset="fast"))


@pytest.mark.parametrize("codec", ENCODERS)
def test_every_allowed_value_opens_the_encoder(tmp_path, codec):
    facts = probe(make_video(tmp_path / "a.mp4", count=2)).picture
    choice = ALLOWED_SETTINGS[codec]
    presets = choice.presets if codec in ("vp9",) else (choice.presets[0], choice.presets[-1])
    for crf, preset in ((choice.crf[0], presets[0]), (choice.crf[1], presets[-1])):
        check_encoder_settings(codec, crf, preset)
        context = av.CodecContext.create(ENCODERS[codec], "w")
        context.width, context.height, context.pix_fmt, context.framerate = 128, 96, "yuv420p", 25
        context.time_base = facts.pixel_aspect / 25
        context.options = default_settings(ENCODERS[codec], facts, crf, preset)
        with usual_scheduling():
            context.open()


WORK = """
import sys
from pathlib import Path
import pytest
from lipdub.errors import LipdubError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.write import WriteOptions, write_clip
clip = open_clip(Path(sys.argv[1]))
for name, codec in (("b.mp4", "hevc"), ("c.mp4", "av1"), ("d.mp4", "h264"), ("e.webm", "vp9")):
    write_clip(clip, read_frames(clip), None, Path(sys.argv[1]).with_name(name), WriteOptions(codec=codec))
"""


def test_encoders_and_decoders_are_silent_in_a_fresh_process(tmp_path):
    source = make_video(tmp_path / "a.mp4", count=4)
    data = bytearray(source.read_bytes())
    middle = data.find(b"mdat") + 400
    data[middle : middle + 40] = bytes(range(40))
    source.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", WORK, str(source)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
