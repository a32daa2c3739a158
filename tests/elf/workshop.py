"""Small real libraries, built with the system's C compiler: what the tests read, break and predict loads of."""

import subprocess
from collections.abc import Sequence
from pathlib import Path


class Workshop:
    """A folder of sources and the libraries built from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def library(
        self,
        file: str,
        code: str,
        *,
        soname: str = "",
        links: Sequence[Path] = (),
        script: str = "",
        flags: Sequence[str] = (),
    ) -> Path:
        """A shared library `file` with a SONAME, DT_NEEDED entries (`links`) and a version script."""
        output = self.folder / file
        output.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["-shared", "-fPIC", *flags]
        if soname:
            arguments.append(f"-Wl,-soname,{soname}")
        if script:
            path = output.with_suffix(".map")
            path.write_text(script)
            arguments.append(f"-Wl,--version-script={path}")
        return self._build(output, code, arguments, links)

    def program(self, file: str, code: str, *, links: Sequence[Path] = (), flags: Sequence[str] = ()) -> Path:
        """An executable."""
        return self._build(self.folder / file, code, flags, links)

    def _build(self, output: Path, code: str, flags: Sequence[str], links: Sequence[Path]) -> Path:
        output.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-O1", "-w", "-x", "c", "-", "-x", "none", "-Wl,--no-as-needed", "-o", str(output)]
        done = subprocess.run(
            [*command, *map(str, links), *flags], input=code.encode(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return output
