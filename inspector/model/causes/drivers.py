"""Why the loader of an API (Vulkan, OpenCL, EGL) has nothing behind it: which places it was given, which it read."""

from collections.abc import Iterator
from errno import ENOENT, ENOTDIR
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from inspector.model import commands_by_hand, evidence
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import row_of
from inspector.model.coverage import of_use
from inspector.model.crashes import jumped_to_null
from inspector.model.drivers import DRIVER_ENTRIES, drivers_behind, without_entry
from inspector.model.evidence import short
from inspector.model.families import family_of_api
from inspector.model.formatting import errno_name, listed, name_of, stem
from inspector.model.log_claims import concerns_gpu, own_error, says_not_built
from inspector.model.profiles.schema import Profile
from inspector.model.usage import Use
from inspector.model.verdict import Evidence

from .context import Case
from .rule import Cause, Hit

_ABSENT = "not there"
_NOWHERE = (ENOENT, ENOTDIR)


class NoDriverLoaded(Cause):
    id = "no-driver-loaded"
    place = "reachable"
    meaning = "The loader of Vulkan, OpenCL or OpenGL is there, and it loaded no driver: no ICD file led it to one."
    proof = "Its first call was refused, or nothing followed it, and no driver was mapped into the process."
    cure = "Install the device's driver with its ICD file, or fix the variable that names another place."

    def explain(self, case: Case) -> Hit | None:
        leaf, profiles = case.leaf, case.context.profiles
        if leaf.kind == "end" or (leaf.kind == "words" and leaf.answer in ("own-error", "no-device")):
            return self._of_words(case)
        if leaf.kind == "signal":
            return self._of_death(case)
        if leaf.kind != "call" or not leaf.came_back or not profiles.is_loader(leaf.api):
            return None
        unnamed = leaf.source == "program" and leaf.stage == "asked"
        if (leaf.stage != "initialised" and not unnamed) or not drivers_behind(case.process, leaf.api, profiles).none:
            return None
        answered = f"{leaf.what} = {leaf.answer}" if leaf.code else f"nothing followed {leaf.what}"
        return self._hit(case, leaf.api, name_of(leaf.provider), answered)

    def _of_words(self, case: Case) -> Hit | None:
        """The last words of the program are an error about the GPU, or it says that it found none, and its one loader
        brought in no driver.
        """
        profiles, found_none = case.context.profiles, case.leaf.answer == "no-device"
        said = case.leaf.word if found_none else own_error(case.state, case.context.analysis.words)
        loaders = _asked_loaders(case)
        if said is None or says_not_built(said) or not concerns_gpu(said) or len(loaders) != 1:
            return None
        api, library = loaders[0].api, name_of(loaders[0].providers[0].path)
        if (
            said.family not in ("", family_of_api(profiles, api))
            or not drivers_behind(case.process, api, profiles).none
        ):
            return None
        hit = self._hit(case, api, library, f"the program says: {said.text.strip()[:160]}")
        return replace(hit, confidence="likely", doubt="What its loader returned was not read.") if hit else None

    def _of_death(self, case: Case) -> Hit | None:
        """It called a function that it did not get, after the one loader that it asked had found nothing in a place
        that a variable names: without one, drivers may lack for a display alone.
        """
        loaders, profiles = _asked_loaders(case), case.context.profiles
        if not jumped_to_null(case.leaf.signal):
            return None
        if len(loaders) != 1 or not drivers_behind(case.process, loaders[0].api, profiles).none:
            return None
        api = loaders[0].api
        profile = next((one for one in profiles.profiles if one.api is not None and one.api.name == api), None)
        if profile is None or not any(_chosen(case, profile)):
            return None
        fell = f"it fell with {case.leaf.what}"
        hit = self._hit(case, api, name_of(loaders[0].providers[0].path), fell)
        return replace(hit, confidence="likely", doubt="What its loader returned was not read.") if hit else None

    def _hit(self, case: Case, api: str, library: str, answered: str) -> Hit | None:
        leaf, profiles = case.leaf, case.context.profiles
        profile = next((one for one in profiles.profiles if one.api is not None and one.api.name == api), None)
        if profile is None:
            return None
        loader, lacked = library or profile.title, _refused_drivers(case, api)
        looked = _Looked(
            chosen=list(_chosen(case, profile)),
            read=dict(_read(case, profile)),
            empty=[path for path in without_entry(case.process, api) if stem(path) != stem(library)],
            entry=DRIVER_ENTRIES.get(api) or "",
        )
        advice = profiles.advice(api, leaf.code)
        told = f" {listed((one.answer for one in lacked), 2)}." if lacked else ""
        return Hit(
            title=f"no driver is behind {loader} in {short(case.process)}: {answered}",
            cause=f"The loader finds drivers through ICD files, and none led to a "
            f"driver{f': {advice}' if advice else ''}.{looked.words(told)}",
            next_step=looked.step(),
            command=looked.command(case),
            process=case.process,
            confidence=case.sure,
            evidence=[*looked.chosen, *looked.read.values(), *[row_of(case.state, one) for one in lacked],
                      *case.rows()],
            doubt="" if leaf.code else f"The result was not read: {leaf.answer}.",
            at=leaf.at,
            subject=f"no driver:{api}",
            root=f"{loader} loaded no driver{looked.why()}",
        )  # fmt: skip


def _asked_loaders(case: Case) -> list[Use]:
    """Loaders of drivers that the process has, without those that were asked for nothing."""
    profiles = case.context.profiles
    own = [use for use in case.context.uses(case.process).values() if profiles.is_loader(use.api) and use.providers]
    return [use for use in own if use.total_calls or not of_use(case.state, use).complete]


class _Looked(Struct, frozen=True):
    """Where a loader looked for drivers, and what it found there."""

    chosen: list[Evidence]
    """Variables that name another place."""
    read: dict[str, Evidence]
    """ICD files and their folders, whether they were there or not."""
    empty: list[str]
    """Files that were named as drivers and have no entry of one."""
    entry: str
    """The function that each driver of this API has."""

    @property
    def refused(self) -> str:
        """The first place that is there and could not be opened, with the reason."""
        return next((text for text in self.read if text.endswith(")") and _ABSENT not in text), "")

    @property
    def first(self) -> str:
        """The place to look at by hand: that of a variable before those of the system."""
        return next((row.text.partition("=")[2] for row in self.chosen), next(iter(self.read), ""))

    @property
    def lacks(self) -> str:
        """`libm.so.6 has no vk_icdGetInstanceProcAddr`."""
        return f"{listed(self.empty, 2)} {'has' if len(self.empty) == 1 else 'have'} no {self.entry}"

    def words(self, lacked: str) -> str:
        """All of it as sentences; `lacked` tells of libraries that were refused."""
        told = f" {listed((row.text for row in self.chosen), 3)}." if self.chosen else ""
        told += lacked
        told += f" {self.lacks}: no driver of this API." if self.empty else ""
        return told + (f" It looked at {listed(self.read, 4)}." if self.read else "")

    def why(self) -> str:
        """What stands behind it in a few words."""
        if self.empty:
            return f": {self.lacks}"
        if self.refused:
            return f": {self.refused} could not be opened"
        return f": {self.chosen[0].text}" if self.chosen else ""

    def step(self) -> str:
        """What to do."""
        if self.refused:
            return f"fix what keeps the program from opening {self.refused}"
        if self.first.endswith(".json"):
            return "fix the file that the variable names (its JSON, the library in it), or remove the variable"
        if self.chosen:
            return "remove that variable, or set it to a driver that exists"
        return "install the device's driver with its ICD file"

    def command(self, case: Case) -> str:
        """What shows the place, else the program without the variable."""
        if self.first.startswith("/"):
            if self.first.endswith(".json"):
                return commands_by_hand.manifest(case.process, self.first)
            return commands_by_hand.listing(case.process, self.first.partition(" (")[0])
        without = [word for row in self.chosen for word in ("-u", row.text.partition("=")[0])]
        return (case.rerun(*without) if without else "") or case.again()


def _chosen(case: Case, profile: Profile) -> Iterator[Evidence]:
    """Variables that name another place for drivers."""
    search = {one.key for one in profile.environment if one.kind == "search"}
    for key, value in (case.context.environment(case.process) or {}).items():
        if key in search:
            yield evidence.of_environment(case.process, key, f"{key}={value}")


def _read(case: Case, profile: Profile) -> Iterator[tuple[str, Evidence]]:
    """ICD files and their folders that the process opened or listed, whether they were there or not."""
    places = [glob for glob in profile.devices if not glob.startswith(("/dev/", "/sys/"))]
    named = (row.text.partition("=")[2].rstrip("/") for row in _chosen(case, profile))
    places += [glob for path in named if path.startswith("/") for glob in (path, f"{path}/", f"{path}/*")]
    for opened in case.process.opens:
        if any(fnmatchcase(opened.path, glob) for glob in places):
            why = _ABSENT if opened.errno in _NOWHERE else errno_name(opened.errno)
            text = f"{opened.path} ({why})" if opened.errno else opened.path
            yield text, evidence.of_open(case.state, case.process, opened, f"it looked at {text}")
    for folder in case.process.folders:
        if any(fnmatchcase(folder.path.rstrip("/"), glob) for glob in places):
            yield folder.path, evidence.of_file(case.process, folder.path, f"it read the names in {folder.path}")


def _refused_drivers(case: Case, api: str) -> list[Attempt]:
    """Libraries of the API that the loader was refused, as it was seen or as the program tells it."""
    family = family_of_api(case.context.profiles, api)
    refused = case.context.analysis.unexcused("load")
    return [one for one in refused if one.process is case.process and one.family == family and one not in case.chain]


CAUSES: tuple[Cause, ...] = (NoDriverLoaded(),)
