"""What a program lacks to use a GPU: a build with code for it, a backend, a library of the API."""

import re
from errno import ENOENT

from inspector.model import commands_by_hand, evidence
from inspector.model.attempts.wording import word_row
from inspector.model.decision import CONTRADICTING, Decision, covered
from inspector.model.evidence import short
from inspector.model.failed_loads import is_load
from inspector.model.families import MANAGEMENT, family_of_file
from inspector.model.formatting import listed, name_of, stem
from inspector.model.state import Process
from inspector.model.worker import is_tool
from inspector.stream.libraries import PackageRead

from .conclusion import Conclusion, hit_of, next_start
from .context import Context
from .rule import Hit

_GUESS = re.compile(r"\b(possible|possibly|maybe|may be|might|perhaps)\b", re.I)


_SEVERAL = 3
"""Functions of an API that a file names at least, where it uses it: one alone may stand in a message."""
_TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/")
_SCRIPTS = re.compile(r"python|perl|ruby|node_modules|site-packages|/share/|/locale|/proc/|/sys/|\.d(?:/|$)")
"""Folders in which interpreters look for their own modules, and those of settings (`/lib/modprobe.d`)."""


class NotBuiltForGpu(Conclusion):
    id = "cpu-only-build"
    place = "reachable"
    meaning = "The program or a package of it was built without a part for the GPU."
    proof = "The package's files lie there and the part for the GPU does not, or the program says so itself."
    cure = "Install the build that has GPU code."
    reasons = ("told", "dropped", "nobody-asked", "unknown", "nothing-called", "software")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        """Behind it stands that nobody asked, or that the program says so."""
        if decision.reason == "software":  # another API may be what it was built for
            return self._told(context, decision, ("", decision.progress.family if decision.progress else ""))
        for process in context.state.processes:
            for package in process.packages.values():
                able = _can_use(context, package)
                asked = _refused_beside(process, package)
                if _being_unpacked(process, package, decision):
                    continue
                if package.gpu_part is False and (asked or not able or decision.verdict != "cpu"):
                    return self._of_package(context, decision, process, package, able, asked)
        return self._told(context, decision)

    def _of_package(
        self, context: Context, decision: Decision, process: Process, package: PackageRead, able: list[str],
        asked: list[str],
    ) -> Hit:  # fmt: skip
        looked = f"; looked for it in {listed(package.looked, 2)}" if package.looked else ""
        known = context.profiles.package(package.package)
        cure = known.remedy if known is not None else f"install the build of {package.package} for a GPU"
        if "/node_modules/" in package.path:  # what is advised is of Python's package
            cure = f"install the part of {package.package} for a GPU: its own install script, or a package of its own"
        row = evidence.of_file(process, package.path, f"{package.package}: {package.path}{looked}")
        without = f"came without its part for a GPU ({listed(map(name_of, asked or package.looked), 2)})"
        lacks = without if able else "is a CPU-only build"
        other = f"none of its parts for a GPU lies beside it; by itself it can use {listed(able, 2)}"
        return hit_of(
            decision, f"{package.package} of {short(process)} {lacks}",
            f"{package.path} is there, and {other if able else 'no file of it can use a GPU'}{looked}.", cure,
            severity="error", process=process, confidence="likely", evidence=[row, *decision.evidence],
            command=commands_by_hand.listing(process, package.path.rpartition("/")[0]),
            subject=package.package, root=f"{package.package} {lacks}",
        )  # fmt: skip

    def _told(self, context: Context, decision: Decision, families: tuple[str, ...] = ()) -> Hit | None:
        told = (
            word for word in context.analysis.words
            if word.refusal == "not-built" and (not families or word.family in families)
        )  # fmt: skip
        said = next((word for word in told if not _GUESS.search(word.text)), None)
        if said is None or (decision.verdict != "cpu" and decision.reason != "unknown"):
            return None
        return hit_of(
            decision, f"the program says this build has no GPU code: {said.text.strip()[:200]}",
            "It was compiled or packaged without it; nothing failed.", "install the build that has GPU code",
            severity="error", confidence="likely", evidence=[word_row(context.state, said), *decision.evidence],
            subject="not built", root=said.text.strip()[:200],
        )  # fmt: skip


def _being_unpacked(process: Process, package: PackageRead, decision: Decision) -> bool:
    """A program that runs on unpacked it for itself: what does not lie beside it yet may come when it is asked for."""
    return not process.ended and decision.word is None and package.path.startswith(_TEMPORARY)


def _refused_beside(process: Process, package: PackageRead) -> list[str]:
    """Libraries of the package's own folder that were asked for in vain."""
    folder = package.path.rpartition("/")[0] + "/"
    return [one.name for one in process.lookups if one.found is False and one.name.startswith(folder) and is_load(one)]


def _can_use(context: Context, package: PackageRead) -> list[str]:
    """APIs to compute with of which the package's main file names several functions: it holds that part itself."""
    images = (image for image in context.state.images.values() if image.path == package.path)
    apis = next((context.state.apis[image.file] for image in images if image.file in context.state.apis), None)
    known = context.profiles.apis
    return [] if apis is None else [
        api for api, how in apis.consumes.items()
        if api in known and known[api].mode is not None and len({*how.names, *how.imports}) >= _SEVERAL
    ]  # fmt: skip


class MemoryMissing(Conclusion):
    id = "device-memory-missing"
    place = "returned"
    meaning = "The program says that the device had too little memory for it, and that it went on on the CPU."
    proof = "The program's own lines, of this start; the refused call itself was not seen."
    cure = "Free memory of the device, or ask for less: a smaller model, batch, context or fewer layers."
    reasons = ("told", "dropped")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        refused = next((one for one in decision.chain if one.answer == "no-memory"), None)
        if refused is None:
            return None
        words = refused.what[:200]
        return hit_of(
            decision, f"the device had too little memory for {short(refused.process)}, and it went on: {words}",
            "Memory of a device is asked for when it was found; the refusal itself was not seen.",
            "see who holds the device's memory; free it, or ask for less (a smaller model, batch or context)",
            severity="error", confidence="guess" if decision.confidence == "guess" else "likely",
            process=refused.process, subject="memory", command=next_start(context, decision), root=words,
        )  # fmt: skip


class BackendMissing(Conclusion):
    id = "backend-missing"
    place = "reachable"
    meaning = "A program looked into its directories for a backend, and none that lies there could ask for a GPU."
    proof = "The directories that it read, the libraries that it loaded, and that none of them has to do with an API."
    cure = "Put the GPU backend into that directory: install the package or the part of it that has it."
    reasons = ("told", "dropped", "nobody-asked")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if any(context.analysis.computing()) or not covered(context.state, context.state.processes, CONTRADICTING):
            return None
        for process in reversed(context.state.processes):
            folders = list(dict.fromkeys(one.path.rstrip("/.") for one in process.folders if holds_libraries(one.path)))
            sought = _backends_sought(context, process)
            if not (folders or sought) or is_tool(process) or (decision.reason == "nobody-asked" and not sought):
                continue
            folders = list(dict.fromkeys(path.rpartition("/")[0] for path in sought)) or folders
            names = list(dict.fromkeys(map(name_of, sought)))
            looked = f" It looked for {listed(names, 4)}, and none is there." if names else ""
            near = [one.path for one in process.candidates.values() if one.kind == "provider"]
            there = f" {near[0]} is available." if near else ""
            said = f" The program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
            return hit_of(
                decision, f"no GPU backend in {listed(folders, 2)}: "
                f"nothing that {short(process)} found there can use a GPU",
                f"It read the directory but loaded nothing that uses a GPU API.{looked}{there}{said}",
                f"put the GPU backend into {folders[0]}", severity="error", confidence="likely", process=process,
                command=commands_by_hand.listing(process, folders[0]), subject=folders[0],
                root=f"{folders[0]} has no GPU backend",
            )  # fmt: skip
        return None


def _backends_sought(context: Context, process: Process) -> list[str]:
    """Files that could use a GPU, by their names, and that it looked for in vain, whatever call it did that with."""
    asked = [one.subject for one in process.refused_calls if one.errno == ENOENT]
    asked += [one.path for one in process.opens if one.errno == ENOENT]
    return [
        path for path in asked
        if "/" in path
        and family_of_file(context.profiles, path) not in ("", *MANAGEMENT)
        and context.profiles.api_of_soname(path) is None
    ]  # fmt: skip


def holds_libraries(path: str) -> bool:
    """A folder by whose name one keeps libraries there."""
    parts = path.lower().rstrip("/.").split("/")
    if _SCRIPTS.search(path):
        return False
    return any(part in ("lib", "lib64") or "backend" in part or "plugin" in part for part in parts[1:])


class ProviderMissing(Conclusion):
    id = "provider-missing"
    place = "mapped"
    meaning = "A program could use an API, says that it found no device, and no library of that API was ever loaded."
    proof = "Its file names functions of the API; every load was seen, and none was of a library that provides it."
    cure = "Put the library in a directory on the program's library path."
    reasons = ("told", "dropped")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if any(context.analysis.computing()) or not covered(context.state, context.state.processes, CONTRADICTING):
            return None
        for process in context.state.processes:
            lacking = [use for use in context.computing(process) if use.consumers and not use.providers]
            if not lacking or is_tool(process):
                continue
            api = next((use.api for use in lacking if use.api == "cuda-driver"), lacking[0].api)
            name = context.profiles.apis[api].sonames[0]
            if any(stem(one.library) == stem(name) for one in context.state.functions.values()):
                continue  # it is on this machine, and nobody asked for it
            folders = list(dict.fromkeys(folder.path for folder in process.folders if "lib" in folder.path))
            read = f" Directories it read: {listed(folders, 4)}." if folders else ""
            how = lacking[0].consumers[0].how
            said = f" The program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
            return hit_of(
                decision, f"{short(process)} could use {listed(use.api for use in lacking)}, and no library of it was "
                f"loaded or asked for: {name} is not on its search path",
                f"{name_of(lacking[0].consumers[0].path)} {how.words if how is not None else 'names it'}; a program "
                f"that lists directories for a library opens nothing where there is none.{read}{said}",
                f"put {name} in a directory on its library path", severity="error", confidence="likely",
                process=process, command=commands_by_hand.search(process, f"{name}*"),
                subject=name, root=f"{name} is not on the search path of {short(process)}",
            )  # fmt: skip
        return None


CONCLUSIONS: tuple[Conclusion, ...] = (NotBuiltForGpu(), MemoryMissing(), BackendMissing(), ProviderMissing())
