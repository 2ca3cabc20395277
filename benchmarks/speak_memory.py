"""Measures the memory of ``lipdub speak`` for scripts of several lengths: it must not grow with the text.

    python benchmarks/speak_memory.py                                   # nanotts, 5, 20 and 60 minutes
    python benchmarks/speak_memory.py --voice kokoro --minutes 3,10

Every script is spoken by a process of its own, with an empty cache; no line is said twice. The highest resident memory
of each is printed, and its ratio to that of the first.
"""

import argparse
import os
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from lipdub import weights

_WHO = ("La vecina", "El panadero", "Mi hermana", "Un viajero", "La directora", "Nuestro primo", "El médico")
_DOES = ("compra", "vende", "recuerda", "pinta", "busca", "describe", "esconde", "repara")
_WHAT = ("una mesa antigua", "tres relojes", "el mapa del puerto", "un libro sin título", "dos lámparas verdes")
_WHERE = ("en la plaza", "detrás de la iglesia", "cerca del río", "antes de comer", "sin decir nada", "con cuidado")
_SLOT = 3
"""Seconds for each line."""


def script(minutes: float) -> str:
    """A script in SRT of so many minutes, in Spanish, each line another one."""
    sentences = [" ".join(words) + "." for words in product(_WHO, _DOES, _WHAT, _WHERE)]
    lines = []
    for number in range(round(minutes * 60 / _SLOT)):
        start = number * _SLOT
        text = sentences[number * 37 % len(sentences)]
        lines.append(f"{number + 1}\n{_stamp(start)},000 --> {_stamp(start + _SLOT - 1)},800\n{text}\n")
    return "\n".join(lines)


def _stamp(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def highest_memory(minutes: float, voice: str) -> tuple[float, float]:
    """Megabytes of resident memory at most while a script of so many minutes is spoken, and the processor's seconds."""
    with tempfile.TemporaryDirectory(prefix="speak-memory-") as name:
        folder = Path(name)
        (folder / "cache").mkdir()
        os.symlink(weights.cache_folder().resolve(), folder / "cache" / "weights")
        (folder / "talk.es.srt").write_text(script(minutes), "utf-8")
        command = [sys.executable, "-m", "lipdub", "speak", str(folder / "talk.es.srt")]
        command += ["-o", str(folder / "talk.flac"), "--voice", voice]
        process = os.posix_spawn(
            sys.executable,
            command,
            os.environ | {"LIPDUB_CACHE": str(folder / "cache")},
            file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)],
        )
        _, status, used = os.wait4(process, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    unit = 1024 if sys.platform == "linux" else 1
    return used.ru_maxrss * unit / 1e6, used.ru_utime + used.ru_stime


def main() -> None:
    """Speak the scripts one after the other and print a line for each."""
    given = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    given.add_argument("--voice", default="nanotts")
    given.add_argument("--minutes", default="5,20,60", help="lengths of the scripts, with commas")
    asked = given.parse_args()
    first = 0.0
    for minutes in map(float, asked.minutes.split(",")):
        begun = time.monotonic()
        memory, busy = highest_memory(minutes, asked.voice)
        first = first or memory
        print(
            f"{asked.voice} {minutes:6.1f} min  {memory:6.0f} MB  x{memory / first:.2f}"
            f"  {busy / (minutes * 60):.3f} s of the processor for each second of the script,"
            f" {time.monotonic() - begun:.0f} s in all",
            flush=True,
        )


if __name__ == "__main__":
    main()
