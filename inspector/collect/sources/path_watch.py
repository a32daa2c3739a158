"""Being told when a path changes: inotify through watchdog where it can be had, a look four times a second elsewhere.

Only single directories are watched, never trees, and a bounded number of them. A directory in which so much happens
that following it would cost a noticeable part of a CPU is looked at instead, until it is calm again.
"""

import errno
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from inspector.collect.access import mounts
from inspector.stream.session import LimitNoted

from .contract import EventSink, Loop
from .poll_rate import Ticker

if TYPE_CHECKING:
    from .inotify import Following, Inotify

MOST_FOLDERS = 48
"""Directories under inotify at once; each costs a thread of ours and a watch of the user's."""
POLL_SECONDS = 0.25
"""Between two looks at what inotify does not tell of."""
CHECK_SECONDS = 1.0
"""Between two looks at whether inotify is still to be trusted with a directory."""
_LEAST_GAP = 20_000_000
"""ns between two calls for events; what comes in between is told with the next event or look."""
_NOISY = 60
"""Events within CHECK_SECONDS after which a directory is no longer followed: to look at it costs less."""
NOISY_SECONDS = 0.1
"""Between two looks at such a directory."""
_CALM_LOOKS = 20
"""Looks without a change after which it is followed again."""
_State = tuple[int, int, int, int] | None


class _Folder(msgspec.Struct):
    """One directory and the paths in it that somebody wants to hear of."""

    place: str
    """The directory as inotify is told it: without links, but for those of /proc/PID/root."""
    interests: dict[str, list[Callable[[], None]]] = msgspec.field(default_factory=dict)
    states: dict[str, _State] = msgspec.field(default_factory=dict)
    watch: "Following | None" = None
    events: int = 0
    """Since the last look; written by watchdog's thread."""
    noisy: bool = False
    """It is not followed because too much happens in it."""
    calm: int = 0
    """Looks without a change while it is not followed."""
    identity: tuple[int, int] | None = None
    """Of the directory when it was followed: one that was made anew tells nothing of itself."""


class PathWatch:
    """Calls back in the loop's thread when a path appears, changes, is replaced or goes away."""

    def __init__(self, loop: Loop, sink: EventSink) -> None:
        self._loop = loop
        self._sink = sink
        self._folders: dict[str, _Folder] = {}
        self._inotify: Inotify | None = None
        self._refused = False
        self._noted = False
        self._lock = threading.Lock()
        self._dirty: set[str] = set()
        self._handed = False
        self._told = 0
        self._ticker = Ticker(loop, POLL_SECONDS, self._look)
        self._noisy = Ticker(loop, NOISY_SECONDS, self._look_at_noisy)
        loop.every(CHECK_SECONDS, self._check)

    def on_change(self, path: str, callback: Callable[[], None]) -> None:
        """Call back after each change of this path, at most 50 times a second; the directory need not exist yet."""
        folder = self._folder(os.path.dirname(path) or "/")
        name = os.path.basename(path)
        folder.interests.setdefault(name, []).append(callback)
        folder.states[name] = _state(f"{folder.place}/{name}")

    def follows(self, path: str) -> bool:
        """Whether inotify tells of this path, so that there are no looks at it."""
        folder = self._folders.get(os.path.dirname(path) or "/")
        return folder is not None and folder.watch is not None

    def forget(self, path: str) -> None:
        """No more calls for this path."""
        folder = self._folders.get(os.path.dirname(path) or "/")
        if folder is not None:
            folder.interests.pop(os.path.basename(path), None)
            folder.states.pop(os.path.basename(path), None)
            if not folder.interests:
                self._unfollow(folder)
                del self._folders[os.path.dirname(path) or "/"]

    def close(self) -> None:
        """End watchdog's threads; from now on there are only looks."""
        self._refused = True
        for folder in self._folders.values():
            folder.watch = None
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _folder(self, directory: str) -> _Folder:
        if directory not in self._folders:
            place = (
                directory
                if directory.startswith("/proc/") or _identity(directory) is None
                else os.path.realpath(directory)
            )
            self._folders[directory] = _Folder(place)
            self._follow(self._folders[directory])
            self._ticker.wake()
        return self._folders[directory]

    def _follow(self, folder: _Folder) -> None:
        followed = sum(one.watch is not None for one in self._folders.values())
        if self._refused or _identity(folder.place) is None or not os.path.isdir(folder.place):
            return
        if followed >= MOST_FOLDERS:
            self._note(f"{MOST_FOLDERS} directories are followed already", "")
            return
        folder.identity, folder.noisy = _identity(folder.place), False
        try:
            folder.watch = self._started().follow(folder.place, lambda path: self._heard(folder, path))
        except OSError as error:
            self._refuse(error)

    def _started(self) -> "Inotify":
        if self._inotify is None:
            from .inotify import Inotify  # 20 ms, and many other things come first

            self._inotify = Inotify()
        return self._inotify

    def _unfollow(self, folder: _Folder) -> None:
        if folder.watch is not None and self._inotify is not None:
            self._inotify.unwatch(folder.watch)
        folder.watch = None

    def _refuse(self, error: OSError) -> None:
        """inotify(7): ENOSPC is the user's limit of watches, EMFILE that of instances."""
        if error.errno == errno.ENOSPC:
            self._refused = True
            self._note("the limit on inotify watches is reached", "sudo sysctl fs.inotify.max_user_watches=524288")
        elif error.errno == errno.EMFILE:
            self._refused = True
            self._note("the limit on inotify instances is reached", "sudo sysctl fs.inotify.max_user_instances=512")

    def _note(self, why: str, grant: str) -> None:
        if not self._noted:
            self._noted = True
            what = f"some file changes are noticed within {POLL_SECONDS} s, not at once"
            self._sink.send(LimitNoted(at=self._loop.now(), what=what, why=why, grant=grant))

    def _heard(self, folder: _Folder, path: str) -> None:
        """An event came for this path (watchdog's thread)."""
        folder.events += 1
        if os.path.basename(path) not in folder.interests:
            return
        with self._lock:
            self._dirty.add(f"{folder.place}\0{os.path.basename(path)}")
            handed, self._handed = self._handed, True
        if not handed:
            self._loop.soon(self._deliver)

    def _deliver(self) -> None:
        if self._loop.now() - self._told >= _LEAST_GAP:
            self._tell_dirty()
        else:
            self._handed = False
            self._ticker.wake()

    def _tell_dirty(self) -> None:
        with self._lock:
            dirty, self._dirty, self._handed = self._dirty, set(), False
        self._told = self._loop.now()
        for folder in list(self._folders.values()):
            for name in [name for name in folder.interests if f"{folder.place}\0{name}" in dirty]:
                self._tell(folder, name)

    def _look(self) -> bool:
        """Deliver what waits, look at everything that inotify does not tell of; False when it tells of all."""
        if self._dirty:
            self._tell_dirty()
        return self._look_at([folder for folder in self._folders.values() if not folder.noisy])

    def _look_at_noisy(self) -> bool:
        return self._look_at([folder for folder in self._folders.values() if folder.noisy])

    def _look_at(self, folders: list[_Folder]) -> bool:
        """Compare those that inotify does not tell of; False when there are none."""
        unwatched = [folder for folder in folders if folder.watch is None]
        for folder in unwatched:
            self._reconsider(folder, self._compare(folder))
        return any(folder.watch is None for folder in unwatched)

    def _check(self) -> None:
        """Rest from directories that are noisy, or that others have taken the place of."""
        for folder in self._folders.values():
            noisy = folder.events > _NOISY
            if folder.watch is not None and (noisy or folder.identity != _identity(folder.place)):
                self._unfollow(folder)
                folder.calm, folder.noisy = 0, noisy
            folder.events = 0
        if self._look_at_noisy():
            self._noisy.wake()
        if self._look():
            self._ticker.wake()

    def _compare(self, folder: _Folder) -> bool:
        changed = [name for name in folder.interests if _state(f"{folder.place}/{name}") != folder.states.get(name)]
        for name in changed:
            self._tell(folder, name)
        return bool(changed)

    def _reconsider(self, folder: _Folder, changed: bool) -> None:
        folder.calm = 0 if changed else folder.calm + 1
        if folder.calm >= _CALM_LOOKS and folder.interests:
            folder.calm = 0
            self._follow(folder)

    def _tell(self, folder: _Folder, name: str) -> None:
        folder.states[name] = _state(f"{folder.place}/{name}")
        for callback in folder.interests.get(name, [])[:]:
            callback()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = mounts.aside(path, lambda: os.stat(path))
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _state(path: str) -> _State:
    try:
        status = mounts.aside(path, lambda: os.lstat(path))
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
