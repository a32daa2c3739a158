"""A driver that is older than what the runtime or the program wants."""

from collections.abc import Iterator

from inspector.model import evidence
from inspector.model.formatting import name_of
from inspector.model.state import Process

from .context import Case, Context
from .rule import Cause, Hit, Pattern


def dotted(version: int) -> str:
    """`12.9` for 12090, as CUDA numbers its versions."""
    return f"{version // 1000}.{version % 1000 // 10}"


class DriverTooOld(Cause):
    id = "driver-too-old"
    place = "returned"
    meaning = "The driver library reports a version below what the runtime or the program wants."
    proof = "The version that the driver wrote, against the release of the runtime that is mapped."
    cure = "Install a newer driver, or use an older runtime."

    def explain(self, case: Case) -> Hit | None:
        if case.leaf.kind not in ("call", "words", "end"):
            return None
        for use in case.family_uses or case.context.computing(case.process):
            for calls in use.with_role("version"):
                for sample in calls.samples:
                    version = sample.values.get("version")
                    if sample.result == 0 and isinstance(version, int):
                        hit = self._of_version(case, calls.function.library, calls.name, version)
                        if hit is not None:
                            return hit
        return None

    def _of_version(self, case: Case, library: str, function: str, version: int) -> Hit | None:
        wanted, by = _runtime(case.context, case.process)
        if not wanted or version >= wanted or (version == 0 and name_of(library).startswith(by)):
            return None  # 0 is what a runtime says when it found no driver at all, see cudaDriverGetVersion
        if case.leaf.kind == "call" and case.leaf.ok is False and case.leaf.came_back and not self._fits(case):
            return None
        title = f"the driver library says {dotted(version)}, {by} wants {dotted(wanted)} or newer"
        return Hit(
            title=title,
            cause=f"{by} refuses an older driver with 35, before it asks for any device.{_follows(case)}",
            next_step=f"make {name_of(library)} report at least {dotted(wanted)} ({wanted}), or use an older runtime",
            command=case.again(),
            process=case.process,
            confidence=case.sure,
            evidence=[evidence.of_file(case.process, library, f"{function} returned {version} ({dotted(version)})"),
                      *case.rows()],
            at=case.leaf.at,
            subject=f"{version}:{wanted}",
            root=title,
        )  # fmt: skip

    def _fits(self, case: Case) -> bool:
        leaf = case.leaf
        return case.context.profiles.is_called(leaf.api, leaf.code, "INSUFFICIENTDRIVER", "SYSTEMDRIVERMISMATCH")


def driver_there(case: Case) -> tuple[str, str]:
    """Of the two reasons for 35, no driver or an old one, which it can be here; and the name of a driver that is not
    there. Both empty where that is no question.
    """
    leaf, profiles = case.leaf, case.context.profiles
    runtime = profiles.apis.get(leaf.api)
    if runtime is None or not runtime.drives or not profiles.is_called(leaf.api, leaf.code, "INSUFFICIENTDRIVER"):
        return "", ""
    driver = profiles.apis[runtime.drives[-1]]
    every = case.context.uses(case.process)
    mapped = [one for one in every[driver.name].providers if not one.gone] if driver.name in every else []
    if not mapped:
        return f" No {driver.sonames[0]} is mapped here: it was not found, or could not be loaded.", driver.sonames[0]
    said = [
        one.values["version"] for calls in every[driver.name].with_role("version") for one in calls.samples
        if one.result == 0 and isinstance(one.values.get("version"), int)
    ]  # fmt: skip
    version = f", and says version {dotted(int(said[-1]))}" if said else ""
    return f" {mapped[0].path} is mapped{version}: it was found, and did not serve this runtime.", ""


def _follows(case: Case) -> str:
    leaf = case.leaf
    return f" Consequence: {leaf.what} = {leaf.answer}." if leaf.kind == "call" else ""


def _runtime(context: Context, process: Process) -> tuple[int, str]:
    """The least driver version that the runtime in this process accepts: its own release's first."""
    for use in context.computing(process):
        for calls in use.with_role("version"):
            for sample in calls.samples:
                value = sample.values.get("runtime")
                if isinstance(value, int) and value:
                    return value // 1000 * 1000, name_of(calls.function.library)
    for use in context.computing(process):
        for provider in use.providers:
            soname = (provider.image.soname if provider.image else None) or ""
            release = soname.rpartition(".so.")[2].split(".")[0]
            if soname.startswith("libcudart.so.") and release.isdigit():
                return int(release) * 1000, soname
    return 0, ""


class DriverTooOldByLog(Pattern):
    """The program itself says that the driver is too old."""

    id = "driver-too-old"
    place = "returned"
    meaning = DriverTooOld.meaning
    proof = DriverTooOld.proof
    cure = DriverTooOld.cure

    def find(self, context: Context) -> Iterator[Hit]:
        for reading in context.start.of("driver-too-old"):
            driver, required = reading.groups.get("driver", "?"), reading.groups.get("required", "")
            yield Hit(
                title=f"driver {driver} is too old" + (f", required: {required}" if required else ""),
                cause="The program itself says so.",
                next_step="install a newer driver, or use the variant for older ones",
                command="nvidia-smi",
                confidence="proven",
                evidence=[evidence.of_reading(context.state, reading)],
                at=reading.at,
                subject=f"{driver}:{required}",
            )


CAUSES: tuple[Cause, ...] = (DriverTooOld(),)
PATTERNS: tuple[Pattern, ...] = (DriverTooOldByLog(),)
