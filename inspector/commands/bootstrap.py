"""`--bootstrap`: carries the collector to a machine that has Python but not this package; it installs nothing."""

import shlex

import msgspec

from inspector.commands.bounded import run_bounded
from inspector.commands.carried import MACHINES, NEWEST, OLDEST, FarPython, identity, packed
from inspector.commands.errors import UserError, say
from inspector.stream.transport import Transport, far_command

_ASK = """
tell='
import os, sys
try:
    libc = "glibc" if os.confstr("CS_GNU_LIBC_VERSION") else "musl"
except (ValueError, OSError):
    libc = "musl"
if "t" not in sys.abiflags:
    print("python %d %d %s %s %s" % (sys.version_info[:2] + (os.uname()[4], libc, sys.executable)))
'
for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do "$name" -c "$tell" 2>/dev/null; done
for folder in "${XDG_CACHE_HOME:-$HOME/.cache}/shim-inspector"/*; do
  [ -d "$folder" ] && [ -O "$folder" ] && echo "folder $folder"
done
echo asked
"""
"""Every Python over there, and what earlier calls left in the user's cache folder."""
_UNPACK = """
folder="${XDG_CACHE_HOME:-$HOME/.cache}/shim-inspector/NAME"
[ -e "$folder" ] && { echo "$folder belongs to somebody else" >&2; exit 1; }
umask 077
mkdir -p "$folder.$$" && tar xzf - -C "$folder.$$" && mv "$folder.$$" "$folder" && echo "$folder"
"""
_ANSWER_SECONDS = 60.0
"""How long the other side may take to say anything."""
_SLOWEST_LINK = 20_000
"""Bytes a second: what is copied slower than this stands still."""


class _Answer(msgspec.Struct, frozen=True):
    """What the other side said of itself."""

    pythons: list[FarPython]
    folders: list[str]


def bootstrap(place: Transport) -> Transport:
    """The same place, where the collector now lies in the user's cache folder; UserError when it cannot be carried."""
    answer = _ask(place)
    python = chosen(answer.pythons, place)
    name = identity(python)
    folder = next((one for one in answer.folders if one.endswith(f"/{name}")), "") or _carry(
        packed(python), name, place
    )
    return place._replace(remote_command=shlex.join([python.executable, f"{folder}/inspector/__main__.py"]))


def chosen(pythons: list[FarPython], place: Transport) -> FarPython:
    """The one that takes least to serve: like ours, else the newest; UserError when the collector runs on none."""
    able = [one for one in pythons if OLDEST <= one.version <= NEWEST]
    served = [one for one in able if one.machine in MACHINES]
    if served:
        return max(served, key=lambda one: (one.is_like_ours, one.version))
    if able:
        raise UserError(f"{place} has the processor {able[0].machine}; the collector runs on {' and '.join(MACHINES)}")
    found = ", ".join(dict.fromkeys(one.number for one in pythons))
    has = f"has Python {found} only" if found else "has no Python"
    wanted = ".".join(map(str, OLDEST)), ".".join(map(str, NEWEST))
    raise UserError(f"{place} {has}; the collector needs one from {' to '.join(wanted)}", "python3 -V, over there")


def _ask(place: Transport) -> _Answer:
    lines = _run(_ASK, place).splitlines()
    words = [line.split(" ", 5) for line in lines if line.startswith("python ")]
    pythons = [
        FarPython(each[5], (int(each[1]), int(each[2])), each[3], each[4])
        for each in words
        if len(each) == 6 and each[1].isdigit() and each[2].isdigit()
    ]
    return _Answer(pythons, [line.removeprefix("folder ") for line in lines if line.startswith("folder ")])


def _carry(archive: bytes, name: str, place: Transport) -> str:
    """The folder in which it lies then."""
    say(f"copying the collector to {place} ({len(archive) / 1e6:.1f} MB; {name})")
    return _run(_UNPACK.replace("NAME", name), place, archive).rstrip("\n").rpartition("\n")[2]


def _run(script: str, place: Transport, stdin: bytes = b"") -> str:
    """What a script prints over there; UserError with its last words when it fails, or takes too long."""
    command, seconds = far_command(["sh", "-c", script], place), _ANSWER_SECONDS + len(stdin) / _SLOWEST_LINK
    try:
        done = run_bounded(command, seconds, stdin)
    except TimeoutError:
        by_hand = shlex.join(far_command(["true"], place))
        why = f"no answer in {seconds:.0f} s"
        raise UserError(f"the collector could not be copied to {place}: {why}", by_hand) from None
    printed = done.stdout.decode(errors="surrogateescape")
    if done.returncode or not printed:
        words = done.stderr.decode(errors="backslashreplace").strip().split("\n")[-1]
        raise UserError(f"the collector could not be copied to {place}: {words}")
    return printed
