"""Opening an encoder leaves the priorities of threads as they are."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lipdub.media.encoder import encoder_opens
from lipdub.process.scheduling import usual_scheduling

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux has it")


def policies() -> set[int]:
    return {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}


def may_be_urgent() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


@pytest.mark.parametrize("encoder", ["libsvtav1", "libx264", "libx265", "libvpx-vp9"])
def test_trying_an_encoder(encoder: str) -> None:
    assert encoder_opens(encoder)
    assert policies() == {os.SCHED_OTHER}


@pytest.mark.skipif(not may_be_urgent(), reason="only root may have urgent threads")
def test_threads_that_begin_inside_and_the_calling_one_are_set_back() -> None:
    leave, begun = threading.Event(), threading.Event()
    seen: list[int] = []

    def work() -> None:
        seen.append(os.sched_getscheduler(0))
        begun.set()
        leave.wait(10)

    other = threading.Thread(target=work)
    with usual_scheduling():
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        other.start()
        begun.wait(10)
    assert seen == [os.SCHED_FIFO]
    assert policies() == {os.SCHED_OTHER}
    leave.set()
    other.join()


WRITE = """
import os, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.media.output_options import WriteOptions
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.write import write_clip

folder = Path(sys.argv[1])
write_synthetic_clip(folder / "a.mp4", [np.full((96, 128, 3), i * 9, np.uint8) for i in range(12)], Fraction(25))
clip, told = open_clip(folder / "a.mp4"), set()

def frames():
    for frame in read_frames(clip):
        yield frame
        told.update(os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task"))

write_clip(clip, frames(), None, folder / "b.mp4", WriteOptions(codec="av1", preset="12"))
print(told, os.sched_getscheduler(0))
"""


def test_writing_av1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "{0} 0\n"
