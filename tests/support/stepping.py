"""Stop something that works on files at each of its steps: by SIGKILL, or by an error of the disk."""

import errno
import itertools
import os
import signal
import sys
import warnings

STEPS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
"""Audit events of what can change a file system; each is raised before it happens."""

DISK = ("open", "os.rename", "os.mkdir")
"""Steps that fail on a full disk."""


def kill_at_every_step(prepare, act):
    """Yield the number of each step of `act`, which was done up to there on what `prepare` made, and killed.

    Args:
        prepare: called before each try; makes everything anew.
        act: done in a process of its own.
    """
    for number in itertools.count():
        prepare()
        if _run(act, number, STEPS, lambda: os.kill(os.getpid(), signal.SIGKILL)) != -signal.SIGKILL:
            assert number > 1, "nothing was done"
            return
        yield number


def fail_at_every_step(prepare, act, *, for_good):
    """Yield as above, but the step raises as on a full disk; `for_good`: so does every later one."""
    for number in itertools.count():
        prepare()
        code = _run(act, number, DISK, _no_space, for_good=for_good)
        if code == 0 and not _was_reached(number):
            assert number > 1, "nothing was done"
            return
        yield number


_reached = [0]


def _was_reached(number):
    return _reached[0] > number


def _no_space():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _run(act, number, steps, at_step, *, for_good=False):
    """Run `act` in a child, do something before its step `number`, and return its exit code, or -signal."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads, of which the child uses nothing
        pid = os.fork()
    if pid == 0:
        _child(act, number, steps, at_step, for_good, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        _reached[0] = int(file.read() or b"0")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _child(act, number, steps, at_step, for_good, writer):
    done = 0
    begun = False

    def hook(event, arguments):
        nonlocal done
        if not begun or event not in steps or (event == "open" and not _writes(arguments)):
            return
        done += 1
        if done == number + 1 or (for_good and done > number):
            at_step()

    code = 1
    try:
        sys.addaudithook(hook)
        begun = True
        act()
        code = 0
    finally:
        begun = False
        os.write(writer, str(done).encode())
        os._exit(code)


def _writes(arguments):
    _, mode, flags = arguments
    return (isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
