"""Counters of several processes of one application: one file each, added up by whoever is asked.

A file is replaced whole every few seconds while something changes, by the thread of `_drain`. What a process counted that
is dead stays counted: whoever adds up moves it to one common file, under a lock, and its gauges go.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from . import _drain, _families

log = logging.getLogger("seawall")

_PREFIX = "seawall-"
_DEAD = "seawall.dead.json"
_LOCK = "seawall.lock"

#: A process whose like cannot be asked for (of another container) is dead if it has not written for so many seconds.
SILENT = 60.0
#: So many seconds are waited for another process that adds up.
PATIENCE = 1.0
#: An unchanged file is touched every so many seconds.
TOUCH = 15.0


class Directory:
    """Where the processes of one application meet."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._written = ""
        self._at = 0.0
        self._name = _name_of(os.getpid())
        self._tidied = False
        #: Held while this process's file is written, so that no older one comes after a newer.
        self._turn = threading.Lock()

    def write(self) -> _families.Values:
        """Brings this process's file up to date; what is in it."""
        with self._turn:
            values = _families.values()
            # What has nothing to do with Redis needs no file.
            if self._written or any(values.values()):
                self._write(_dump(values))
            return values

    def _write(self, text: str) -> None:
        now = time.monotonic()
        path = os.path.join(self.path, self._name)
        if text == self._written:
            if now - self._at >= TOUCH:
                self._at = now
                with contextlib.suppress(FileNotFoundError):
                    os.utime(path)
                    return
                _replace(path, text)
            return
        _replace(path, text)
        self._written, self._at = text, now

    def read(self) -> _families.Values:
        """The sum of all processes: this one as it is now, the others as they last wrote."""
        # What is told is written first: whoever is asked next tells no less, or Prometheus would take it for a restart.
        try:
            sum = self.write()
        except OSError:
            sum = _families.values()
        with self._locked(PATIENCE) as writable:
            self._add_up(sum, writable)
        return sum

    def tidy(self) -> None:
        """Once, after this process's first file is there: moves what the dead left. Where nobody ever asks, there would be
        a file for each process that ever was.
        """
        if self._tidied or not self._written:
            return
        self._tidied = True
        with self._locked(0.0) as writable:
            if writable:
                self._add_up({}, writable)

    def _add_up(self, sum: _families.Values, writable: bool) -> None:
        dead, folded = _load_dead(os.path.join(self.path, _DEAD))
        anew = False
        for entry in sorted(os.scandir(self.path), key=lambda entry: entry.name):
            name = entry.name
            if writable and name.startswith("seawall") and name.endswith(".new") and _is_silent(entry):
                # Of a process that died while it wrote.
                _remove(entry.path)
            if not (name.startswith(_PREFIX) and name.endswith(".json")) or name == self._name:
                continue
            if name in folded:
                # Added already, by somebody who died before he could remove it.
                _remove(entry.path)
                continue
            values = _load(entry.path)
            if values is None:
                continue
            if not _is_dead(entry):
                _families.merge(sum, values)
            elif writable:
                _families.merge(dead, values, counters_only=True)
                folded.append(name)
                anew = True
            else:
                _families.merge(sum, values, counters_only=True)
        if anew:
            _replace(os.path.join(self.path, _DEAD), json.dumps({"folded": folded, "values": _plain(dead)}))
            for name in folded:
                _remove(os.path.join(self.path, name))
        _families.merge(sum, dead, counters_only=True)

    @contextlib.contextmanager
    def _locked(self, patience: float) -> Iterator[bool]:
        try:
            lock = os.open(os.path.join(self.path, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            # To be read, but not written.
            yield False
            return
        try:
            yield _flock(lock, patience)
        finally:
            os.close(lock)


def _flock(lock: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= until:
                # Who holds it is stopped: nothing is moved this time.
                return False
            time.sleep(0.01)


def _dump(values: _families.Values) -> str:
    return json.dumps({"values": _plain(values)})


def _plain(values: _families.Values) -> dict[str, Any]:
    return {name: [[list(labels), value] for labels, value in samples.items()] for name, samples in values.items()}


def _values(plain: Any) -> _families.Values:
    return {
        name: {tuple((key, text) for key, text in labels): value for labels, value in samples}
        for name, samples in plain.items()
    }


def _load(path: str) -> _families.Values | None:
    try:
        with open(path, encoding="utf-8") as file:
            return _values(json.load(file)["values"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # Gone meanwhile, or not ours.
        return None


def _load_dead(path: str) -> tuple[_families.Values, list[str]]:
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
            folder = os.path.dirname(path)
            # A name is remembered as long as its file is there.
            folded = [str(name) for name in kept["folded"] if os.path.exists(os.path.join(folder, str(name)))]
            return _values(kept["values"]), folded
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}, []


def _replace(path: str, text: str) -> None:
    beside = f"{path}.{os.getpid()}.new"
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, path)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.remove(path)


# -- who lives --


def _name_of(pid: int) -> str:
    return f"{_PREFIX}{pid}-{_born(pid) or 0}-{_namespace()}.json"


def _born(pid: int) -> int | None:
    """When it began, in the kernel's ticks; ``None``: there is none, or it waits to be buried."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if words[0] in (b"Z", b"X") else int(words[19])


def _namespace() -> int:
    """Processes of another container have other numbers."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _is_dead(entry: os.DirEntry[str]) -> bool:
    try:
        pid, born, namespace = (int(word) for word in entry.name[len(_PREFIX) : -len(".json")].split("-"))
        if namespace == _namespace():
            return _born(pid) != born
        return _is_silent(entry)
    except ValueError:
        return True


def _is_silent(entry: os.DirEntry[str]) -> bool:
    try:
        return time.time() - entry.stat().st_mtime > SILENT
    except OSError:
        return True


# -- where --

_here: Directory | None = None


def directory() -> Directory | None:
    """Where this process shares its counters; ``None``: it does not."""
    return _here


def start(path: str) -> None:
    """From now on, here and in forked children."""
    global _here
    _here = Directory(path)
    _drain.tick = _tick
    _drain.nudge()


def _tick(last: bool) -> None:
    if _here is not None:
        try:
            _here.write()
            _here.tidy()
        except OSError as error:
            from . import events

            # Once a minute.
            if events._ration.ask("metrics.unshared", time.monotonic() // 60) is not None:
                log.warning("metrics.unshared directory=%s error=%s", _here.path, error.strerror)


def default_path(name: str) -> str:
    """``/dev/shm/seawall-<uid>/metrics-<name>``, or in the temporary directory where there is no shared memory."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
    return os.path.join(base, f"seawall-{os.getuid()}", f"metrics-{name}")


def make(path: str) -> None:
    """Makes a directory of our own for nobody else; refuses one that somebody else made."""
    for part in (os.path.dirname(path), path):
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o700)
        found = os.lstat(part)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(f"{part} is not a directory of this user's: remove it, or name a directory")


def from_environment() -> None:
    """``SEAWALL_METRICS_DIR``, or the directory that prometheus_client's processes share."""
    for variable in ("SEAWALL_METRICS_DIR", "PROMETHEUS_MULTIPROC_DIR"):
        path = os.environ.get(variable)
        if not path:
            continue
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            log.warning("metrics.unshared directory=%s error=%s", path, error.strerror)
            return
        start(path)
        return


def _after_fork() -> None:
    global _here
    if _here is not None:
        _here = Directory(_here.path)


os.register_at_fork(after_in_child=_after_fork)
