"""`__main__.py` of inspector.pyz: unpack what this machine needs, once, and run it.

Written so that even Python 2.7 reads it, to be told in words what is missing.
"""

import os
import stat
import sys
import zipfile


def main():
    """Refuse in words what cannot run; else run the program from the user's own cache folder."""
    if sys.version_info < (3, 10):
        sys.exit("inspector needs Python 3.10 or newer; this is %d.%d (python3 -V tells)" % sys.version_info[:2])
    machine = os.uname()[4]
    if sys.platform != "linux" or machine != "x86_64":
        sys.exit(
            "this file is for Linux on x86-64, here is %s on %s: pip install shim-inspector" % (sys.platform, machine)
        )
    archive = os.path.dirname(os.path.abspath(__file__))
    folder = unpacked(archive)
    sys.path[0] = folder
    from inspector.cli import main as run

    sys.exit(run())


def unpacked(archive):
    """The folder with the unpacked program, made at the first start."""
    with zipfile.ZipFile(archive) as packed:
        libc = "musl" if any("musl" in suffix for suffix in suffixes()) else "glibc"
        name = "%s-%d%d-%s" % (packed.read("digest").decode(), sys.version_info[0], sys.version_info[1], libc)
        for parent in caches():
            folder = os.path.join(parent, name)
            if is_ours(folder):
                return folder
            try:
                return unpack(packed, libc, folder)
            except OSError:
                continue
    sys.exit("inspector cannot unpack itself: no folder of yours can be written; XDG_CACHE_HOME=FOLDER names one")


def caches():
    """Folders that only this user can write: by the user's own entry, since sudo may leave another one's HOME."""
    import pwd
    import tempfile

    named = os.environ.get("XDG_CACHE_HOME")
    if named and os.geteuid() == os.getuid() and "SUDO_UID" not in os.environ:
        yield os.path.join(named, "shim-inspector")
    try:
        yield os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, ".cache", "shim-inspector")
    except KeyError:
        pass
    yield os.path.join(tempfile.gettempdir(), "shim-inspector-%d" % os.geteuid())


def is_ours(folder):
    """A folder that nobody else could have prepared: it and the one above belong to us and are closed to others."""
    return is_closed(os.path.dirname(folder)) and is_closed(folder)


def unpack(packed, libc, folder):
    """All at once or not at all: another start may do the same at this moment."""
    import shutil
    import tempfile

    parent = os.path.dirname(folder)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    if not is_closed(parent):
        raise OSError("others may write " + parent)
    if sys.stderr.isatty():
        sys.stderr.write("unpacking into %s\n" % folder)
    fresh = tempfile.mkdtemp(prefix="unpacking-", dir=parent)
    try:
        for entry in packed.infolist():
            root, _, inner = entry.filename.partition("/")
            if root in ("any", libc) and wanted(inner):
                path = os.path.join(fresh, inner)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(packed.read(entry))
        os.rename(fresh, folder)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if not is_ours(folder):
            raise
    return folder


def is_closed(folder):
    """It is a folder, no link, belongs to us, and only we can write it."""
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def wanted(name):
    """Extension modules of other Pythons stay packed."""
    tags = [suffix for suffix in suffixes() if ".cpython-" in suffix]
    return ".cpython-" not in name or any(name.endswith(tag) for tag in tags)


def suffixes():
    """How extension modules of this Python are named."""
    from importlib.machinery import EXTENSION_SUFFIXES

    return EXTENSION_SUFFIXES


if __name__ == "__main__":
    main()
