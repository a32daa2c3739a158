"""`--bootstrap`: carries the collector to a machine that has Python but not this package; it installs nothing."""

import gzip
import hashlib
import importlib.util
import io
import shlex
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

from inspector.commands.trouble import Trouble, say
from inspector.stream.place import Place, far_command

_PACKAGES = ("inspector", "msgspec", "elftools", "psutil", "watchdog", "capstone", "tomli")
"""What the collector imports, as far as it is installed here; the screen stays here."""
_LEFT_OUT = ("view", "report", "demo", "include", "__pycache__", "tests")
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

_SCRIPT = """
python=
for name in python{version} python3; do
  if "$name" -c 'import sys; sys.exit(sys.version_info[:2] != ({major}, {minor}))' 2>/dev/null; then
    python=$(command -v "$name"); break
  fi
done
if [ -z "$python" ]; then echo no-python; cat >/dev/null; exit 0; fi
folder="${{XDG_CACHE_HOME:-$HOME/.cache}}/shim-inspector/{digest}"
if [ -d "$folder" ] && [ -O "$folder" ]; then cat >/dev/null; else
  [ -e "$folder" ] && {{ echo "$folder belongs to somebody else" >&2; exit 1; }}
  umask 077
  mkdir -p "$folder.$$" && tar xzf - -C "$folder.$$" && mv "$folder.$$" "$folder" || exit 1
fi
echo "$python"; echo "$folder"
"""


def bootstrap(place: Place) -> Place:
    """The same place, where the collector now lies in the user's cache folder; Trouble when it cannot be carried."""
    archive = packed()
    digest = hashlib.sha256(archive).hexdigest()[:16]
    script = _SCRIPT.format(version=_VERSION, major=sys.version_info.major, minor=sys.version_info.minor, digest=digest)
    say(f"carrying the collector to {place} ({len(archive) / 1e6:.1f} MB; {digest})")
    command = far_command(["sh", "-c", script], place)
    done = subprocess.run(command, input=archive, capture_output=True)
    lines = done.stdout.decode(errors="replace").split("\n")
    if done.returncode or len(lines) < 3:
        if lines[:1] == ["no-python"]:
            raise Trouble(
                f"{place} has no Python {_VERSION}, which runs here", "pip install shim-inspector, over there"
            )
        words = done.stderr.decode(errors="backslashreplace").strip().split("\n")[-1]
        raise Trouble(f"the collector could not be carried to {place}: {words}")
    python, folder = lines[-3:-1]
    return replace(place, remote_command=shlex.join([python, f"{folder}/inspector/__main__.py"]))


def packed() -> bytes:
    """The packages as one archive, the same bytes for the same files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name in _PACKAGES:
            found = importlib.util.find_spec(name)
            if found is None or found.origin is None:
                continue
            folder = Path(found.origin).parent
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not set(path.relative_to(folder).parts) & set(_LEFT_OUT):
                    archive.add(path, f"{name}/{path.relative_to(folder)}", filter=_plain)
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry
