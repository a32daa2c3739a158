"""Small real programs and libraries to be observed, built once a session, and their lives."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_SHIM = "int shim_one(void) { return 1; }\nint shim_two(void) { return 2; }\n"
_PROGRAM = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

/* Carries out its arguments in order; `line` waits for a line on stdin and answers `ok`. */
int main(int argc, char **argv) {
    void *handle = NULL;
    char line[64];
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (!strcmp(word, "line")) {
            if (!fgets(line, sizeof line, stdin)) return 0;
            puts("ok"); fflush(stdout);
        } else if (!strncmp(word, "load:", 5)) {
            handle = dlopen(word + 5, RTLD_NOW);
            if (!handle) { fprintf(stderr, "%s\n", dlerror()); return 9; }
        } else if (!strcmp(word, "unload")) {
            dlclose(handle);
        } else if (!strncmp(word, "sleep:", 6)) {
            usleep(1000 * atoi(word + 6));
        } else if (!strncmp(word, "fork:", 5)) {
            if (fork() == 0) { usleep(1000 * atoi(word + 5)); _exit(5); }
            wait(NULL);
        } else if (!strncmp(word, "exit:", 5)) {
            return atoi(word + 5);
        } else if (!strcmp(word, "crash")) {
            *(volatile int *)8 = 1;
        }
    }
    return 0;
}
"""


@dataclass(frozen=True)
class Workshop:
    """What was built."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "program"

    @property
    def static(self) -> Path:
        return self.folder / "static-program"

    @property
    def shim(self) -> Path:
        return self.folder / "libshim.so.1"

    @property
    def top(self) -> Path:
        """A library that needs the shim."""
        return self.folder / "libtop.so"

    def shim_at(self, path: Path) -> Path:
        """A copy of the shim elsewhere."""
        path.write_bytes(self.shim.read_bytes())
        return path


def build(folder: Path) -> Workshop:
    """Compile everything."""
    (folder / "shim.c").write_text(_SHIM)
    (folder / "program.c").write_text(_PROGRAM)
    for command in (
        ["-shared", "-fPIC", "-Wl,-soname,libshim.so.1", "-o", "libshim.so.1", "shim.c"],
        ["-shared", "-fPIC", "-o", "libtop.so", "shim.c", "-Wl,--no-as-needed", "libshim.so.1", "-Wl,-rpath,$ORIGIN"],
        ["-o", "program", "program.c", "-ldl"],
        ["-static", "-o", "static-program", "-Wno-error", "-w", "program.c"],
    ):
        subprocess.run(["gcc", *command], cwd=folder, check=True, capture_output=True)
    return Workshop(folder)


class Life:
    """One running program, steered by lines, always ended with the test."""

    def __init__(self, *command: str | bytes | Path, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [*command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=None if env is None else dict(env)
        )

    def __enter__(self) -> "Life":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def step(self) -> None:
        """Let it go over the next `line`; returns when it has."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"ok\n"

    def lives(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> int:
        self._process.kill()
        return self._process.wait()

    def code(self) -> int:
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait(30)
