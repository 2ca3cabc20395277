"""Runs commands of ``lipdub`` in one process, one after the other: reads argument lists (JSON), answers what became.

A crash or a hang ends this process only; whoever started it notices and starts another.
"""

import contextlib
import io
import json
import os
import resource
import sys
import warnings

MEMORY = 6 * 1024**3


def main() -> None:
    """Serve until the input ends. Answers are lines of JSON: exit code and what was printed to stderr."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(1), "w")
    from lipdub.cli.main import main as command

    for line in sys.stdin:
        sys.argv = ["lipdub", *json.loads(line)]
        said, code = io.StringIO(), 0
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                command()
            except SystemExit as end:
                code = int(end.code or 0)
        answers.write(json.dumps({"code": code, "said": said.getvalue()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
