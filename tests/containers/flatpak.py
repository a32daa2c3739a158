"""A flatpak of our own: a runtime with the machine's C library and a program with its driver beside it, installed."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

_PROGRAM = r"""
#include <dlfcn.h>
#include <unistd.h>

int main(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned) = driver ? dlsym(driver, "cuInit") : 0;
    if (init) init(0);
    for (;;) pause();
}
"""
_DRIVER = "int cuInit(unsigned flags) { return 100; }\n"
_REF = "org.shim_inspector.Platform/{machine}/1"
_RUNTIME = "[Runtime]\nname=org.shim_inspector.Platform\nruntime={ref}\nsdk={ref}\n"
_APP = """[Application]
name={app}
runtime={ref}
sdk={ref}
command={program}
[Environment]
LD_LIBRARY_PATH={path}
"""
APP = "org.shim_inspector.Asks"


class Flatpak:
    """Everything of it lies in one folder; CalledProcessError with flatpak's words when it refuses."""

    def __init__(self, folder: Path, *, driver_inside: bool) -> None:
        """With the driver in the sandbox's own /app/lib, or nowhere in it."""
        self._folder = folder
        self.program = f"asks-{secrets.token_hex(3)}"
        """Its name: others of its kind may run at the same time."""
        ref = _REF.format(machine=os.uname().machine)
        self._build_runtime(folder / "runtime", _RUNTIME.format(ref=ref))
        app = folder / "app"
        for place in ("files/bin", "files/lib", "export"):
            (app / place).mkdir(parents=True)
        _compile(_PROGRAM, app / "files/bin" / self.program, "-ldl")
        if driver_inside:
            _compile(_DRIVER, app / "files/lib/libcuda.so.1", "-shared", "-fPIC")
        (app / "metadata").write_text(_APP.format(app=APP, ref=ref, program=self.program, path="/app/lib"))
        for place in ("home", "run"):
            (folder / place).mkdir(mode=0o700)
        self.run("build-export", "--runtime", folder / "repository", folder / "runtime", "1")
        self.run("build-export", folder / "repository", app, "stable")
        self.run("--user", "remote-add", "--no-gpg-verify", "here", f"file://{folder / 'repository'}")
        for each in (ref, APP):
            self.run("--user", "install", "-y", "--noninteractive", "here", each)

    def _build_runtime(self, folder: Path, metadata: str) -> None:
        libraries = folder / "usr/lib" / f"{os.uname().machine}-linux-gnu"
        for place in (libraries, folder / "usr/bin", folder / "files"):
            place.mkdir(parents=True)
        listed = subprocess.run(["ldd", shutil.which("sh") or "/bin/sh"], check=True, capture_output=True, text=True)
        for file in (Path(word) for word in listed.stdout.split() if word.startswith("/")):
            shutil.copy(file, folder / "usr/lib" if file.name.startswith("ld-") else libraries)
        if Path("/lib64").exists():
            shutil.copytree(folder / "usr/lib", folder / "usr/lib64", ignore=shutil.ignore_patterns("*-linux-gnu"))
        (folder / "metadata").write_text(metadata)

    def run(self, *words: str | Path) -> None:
        """A command of flatpak to its end."""
        subprocess.run(
            ["flatpak", *map(str, words)], check=True, capture_output=True, timeout=120, env=self._settings()
        )

    def start(self) -> "subprocess.Popen[bytes]":
        """The program, in its sandbox."""
        return subprocess.Popen(["flatpak", "--user", "run", APP], env=self._settings(), start_new_session=True)

    def _settings(self) -> dict[str, str]:
        own = {"FLATPAK_USER_DIR": "user", "XDG_DATA_HOME": "data", "HOME": "home", "XDG_RUNTIME_DIR": "run"}
        return {**os.environ, **{name: str(self._folder / place) for name, place in own.items()}}


def _compile(source: str, to: Path, *options: str) -> None:
    subprocess.run(["cc", "-O1", "-x", "c", "-o", to, "-", "-x", "none", *options], input=source.encode(), check=True)
