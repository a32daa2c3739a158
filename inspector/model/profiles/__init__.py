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


def load(named: Iterable[Path] | None = None, *, own: bool = False) -> Profiles:
    """The built-in profiles, those that a person `named` (files or directories), and those of the user's directory.

    The latter with `own`, or when none were named: what lies there must be root's or the user's, whoever may have said
    where it is. Raises ProfileError with a sentence for the user when a file cannot be used.
    """
    place = user_directory()
    there = (own or named is None) and os.access(place, os.R_OK | os.X_OK)
    theirs = [*from_user([place] if there else [], named=False), *from_user(named or [])]
    profiles = Profiles(lambda: [*builtin(), *theirs])  # our own are read when they are needed
    if theirs:
        profiles.apis  # noqa: B018 - two may define the same
    return profiles


@cache
def builtin_profiles() -> Profiles:
    """The profiles that come with the program, read once."""
    return load([])
