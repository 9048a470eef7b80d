"""One stage of a trial as a process of its own: it ends with whoever started it, and never runs
beside another of the same trial.

    python -m flows.search.stage_process LOCK PARENT train --models ...

A worker that is killed leaves the stage that it started behind.  The stage notices that its parent
has gone and interrupts itself as a user would, so that a training keeps its finished epochs and no
tool goes on; whoever carries out the trial anew waits at the lock until that is over.
"""

import fcntl
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

_LOOK_S = 0.5  # between two looks at the parent
_PATIENCE_S = 30.0  # after the interruption, until the process ends itself in any case


def main(arguments: list[str]) -> None:
    """Run the command after LOCK and PARENT in this process."""
    lock, parent, *command = arguments
    # a search in the background of a shell is born deaf to interruptions, and so are its children
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    with Path(lock).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        sys.argv = ["flows", *command]
        runpy.run_module("flows", run_name="__main__", alter_sys=True)


def _end_with(parent: int) -> None:
    """Interrupt this process when its parent is no longer the one it was started by."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_PATIENCE_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
