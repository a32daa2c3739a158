"""Small files that are kept from run to run in a folder that only the user can write."""

import os
import stat
from pathlib import Path

from inspector.stream.files import stranger_on_the_way


def folder() -> Path:
    """XDG_CACHE_HOME/shim-inspector, or below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "shim-inspector"


def write(name: str, content: bytes) -> None:
    """Replace one file as a whole; silently nothing where the folder cannot be written or is not ours alone."""
    place = folder()
    if stranger_on_the_way(place) is not None:
        return
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours_alone(os.stat(place)) or stranger_on_the_way(place) is not None:
            return
        fresh = place / f".{name}.{os.getpid()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
        os.replace(fresh, place / name)
    except OSError:
        return


def read(name: str, most: int) -> bytes:
    """At most so many bytes of one; OSError when there is none, or when somebody else could have written it."""
    path = folder() / name
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _is_ours_alone(status) or not _is_ours_alone(os.stat(folder())):
            raise PermissionError(path)
        return file.read(most)


def _is_ours_alone(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
