"""What to look for, as data: APIs, programs, variables, log formats. Users add files without code."""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .catalog import Profiles
from .loading import USER_DIRECTORY, ProfileError, builtin, from_user
from .schema import Api, EnvironmentKey, LogRule, Profile, Program, Role

__all__ = [
    "Api", "EnvironmentKey", "LogRule", "Profile", "ProfileError", "Profiles", "Program", "Role",
    "builtin_profiles", "load", "user_directory",
]  # fmt: skip


def user_directory() -> Path:
    """Where a person keeps own profiles; it need not exist."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / USER_DIRECTORY


def load(user_places: Iterable[Path] | None = None) -> Profiles:
    """The built-in profiles and those of the user (files or directories; None: the user's directory if it is there).

    Raises ProfileError with a sentence for the user when a file cannot be used.
    """
    if user_places is None:
        own = user_directory()
        return _with([own] if own.is_dir() else [], named=False)
    return _with(user_places)


def _with(places: Iterable[Path], *, named: bool = True) -> Profiles:
    """Our own are read when they are needed; what is wrong with those of a person is said at once."""
    theirs = from_user(places, named=named)
    profiles = Profiles(lambda: [*builtin(), *theirs])
    if theirs:
        profiles.apis  # noqa: B018 - two may define the same
    return profiles


@cache
def builtin_profiles() -> Profiles:
    """The profiles that come with the program, read once."""
    return load([])
