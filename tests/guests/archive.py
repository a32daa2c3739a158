"""This machine's own apt, with lists and a cache of its own, to fetch packages and sources of any release of Debian."""

import re
from pathlib import Path

from .build_cache import ImageError, run_command

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Archive:
    """One release of Debian, seen through an empty folder that keeps everything; raises ImageError.

    `processor`, as Debian names it, is ours when it is empty.
    """

    def __init__(self, release: str, room: Path, processor: str = "") -> None:
        for part in ("lists/partial", "cache/archives/partial"):
            (room / part).mkdir(parents=True)
        sources = room / "sources.list"
        source = f"[signed-by={_KEYRING}] {archive_address()} {release} main\n"
        sources.write_text(f"deb {source}deb-src {source}")
        options: dict[str, object] = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": room / "lists",
            "Dir::Cache": room / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::http::Timeout": 20,
            "Acquire::Retries": 2,
        }
        if processor:
            options["APT::Architecture"] = options["APT::Architectures"] = processor
        self._options = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        self._room = room
        self.run("apt-get", "-q", "update")

    def run(self, program: str, *words: str) -> str:
        """What apt-get or apt-cache prints, run in the folder."""
        return run_command(program, *self._options, *words, cwd=self._room)


def archive_address() -> str:
    """Where this machine's apt has Debian from."""
    form = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    listed = run_command("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    for line in listed.splitlines():
        uri, _, rest = line.partition(" ")
        if re.fullmatch(r"\w+ main", rest):  # not its updates
            return uri
    raise ImageError("apt here knows no archive of Debian (main): run this on Debian, after apt-get update")
