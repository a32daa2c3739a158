"""All profiles together: names of results and roles, effects of variables, and the watch plan for the collector."""

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from inspector.model.log_parsing import MARKS
from inspector.stream.lazy_pattern import lazy
from inspector.stream.requests import ApiPlan, BackendPlan, FunctionPlan, PackagePlan, Plan, prefix_pattern

from .loading import ProfileError
from .schema import DECIDING, Api, EnvironmentKey, FunctionGroup, Package, Profile, Program, ProgramOption, Role

_VARIANT = lazy(r"(_v\d+)?(_ptsz|_ptds)?$")


class Profiles:
    """What is known about APIs, programs, variables and logs; a later profile replaces an earlier one of its name."""

    def __init__(self, read: Callable[[], Iterable[Profile]]) -> None:
        """`read` gives the profiles when they are first asked for, which is after the first paint of a screen."""
        self._read = read

    @cached_property
    def profiles(self) -> tuple[Profile, ...]:
        """In order of precedence."""
        return tuple({profile.name: profile for profile in self._read()}.values())

    @cached_property
    def apis(self) -> dict[str, Api]:
        """By name; ProfileError where two profiles define one."""
        found: dict[str, Api] = {}
        for profile in self.profiles:
            if profile.api is None:
                continue
            if profile.api.name in found:
                raise ProfileError(
                    f"profile {profile.name} defines API {profile.api.name}, which another one defines too"
                )
            found[profile.api.name] = profile.api
        return found

    # -- APIs ------------------------------------------------------------------------------------------------------

    @cached_property
    def _groups(self) -> dict[tuple[str, str], FunctionGroup]:
        return {
            (api.name, name): group for api in self.apis.values() for group in api.functions for name in group.names
        }

    @cached_property
    def _sonames(self) -> dict[str, str]:
        return {soname: api.name for api in self.apis.values() for soname in api.sonames}

    @cached_property
    def _name_test(self) -> re.Pattern[str]:
        alternatives = []
        for number, api in enumerate(self.apis.values()):
            alternatives.append(f"(?P<api{number}>{prefix_pattern(api.prefixes)})")
        return re.compile("|".join(alternatives) or "(?!)")

    def role(self, api: str, function: str) -> Role:
        """What a function is for; `other` when no profile says it."""
        return _role(self, api, function)

    def api_of_function(self, name: str) -> str | None:
        """The API that a function name belongs to, by its prefix."""
        return _api_of_function(self, name)

    def api_of_soname(self, name: str) -> str | None:
        """The API that a file name or SONAME stands for: `libcuda.so.1`, also a path that ends in one."""
        return self._sonames.get(name.rsplit("/", 1)[-1])

    def is_loader(self, api: str) -> bool:
        """Whether the library of an API is only a loader, behind which drivers stand (Vulkan, OpenCL)."""
        known = self.apis.get(api)
        return known is not None and bool(known.software)

    def result_name(self, api: str, code: int) -> str:
        """`CUDA_ERROR_NO_DEVICE` for 100 of cuda-driver; the number where no name is known."""
        known = self.apis.get(api)
        return known.results.get(code, str(code)) if known else str(code)

    def result(self, api: str, code: int) -> str:
        """`100 (CUDA_ERROR_NO_DEVICE)`."""
        name = self.result_name(api, code)
        return name if name == str(code) else f"{code} ({name})"

    def is_called(self, api: str, code: int, *endings: str) -> bool:
        """Whether the name of a result ends in one of these words, `NODEVICE` say, however the API writes it."""
        return ends_in(self.result_name(api, code), *endings)

    def restricts(self, key: str, api: str) -> bool:
        """Whether a variable decides which devices programs of this API see."""
        known, used = self.environment_key(key), self.apis.get(api)
        if known is None or used is None or known.kind != "visible-devices" or used.mode is None:
            return False
        return known.mode in (None, used.mode)

    def advice(self, api: str, code: int) -> str:
        """What this result usually means; empty when nothing is known."""
        known = self.apis.get(api)
        return known.advice.get(code, "") if known else ""

    def normal(self, api: str, function: str, code: int, *, at_exit: bool = False) -> str | None:
        """Why a result other than 0 is no fault, None when it is one."""
        known = self.apis.get(api)
        for rule in known.normal if known else ():
            if code not in rule.codes or (rule.functions and function not in rule.functions):
                continue
            if at_exit or not rule.at_exit:
                return rule.why
        return None

    def attribute_name(self, api: str, number: int) -> str:
        """`COMPUTE_CAPABILITY_MAJOR` for 75."""
        known = self.apis.get(api)
        return known.attributes.get(number, f"attribute {number}") if known else f"attribute {number}"

    def table_name(self, api: str, table: str) -> str | None:
        """What people call a private export table, None when it is unknown."""
        known = self.apis.get(api)
        return (
            next((name for prefix, name in known.tables.items() if table.lower().startswith(prefix)), None)
            if known
            else None
        )

    def table_needed(self, api: str, table: str) -> bool:
        """Whether the consumer gives up without this table."""
        known = self.apis.get(api)
        return known is not None and any(table.lower().startswith(prefix) for prefix in known.needed_tables)

    def required(self, api: str, consumer_soname: str) -> Iterator[tuple[str, str]]:
        """Names that a consumer of this SONAME asks for at run time, with who asks in words."""
        known = self.apis.get(api)
        for rule in known.required if known else ():
            if any(fnmatchcase(consumer_soname, glob) for glob in rule.sonames):
                yield from ((name, rule.by) for name in rule.names)

    # -- programs and variables ------------------------------------------------------------------------------------

    @cached_property
    def _keys(self) -> dict[str, EnvironmentKey]:
        return {key.key: key for profile in self.profiles for key in profile.environment}

    def environment_key(self, key: str) -> EnvironmentKey | None:
        """What is known about a variable: its own entry, or that of the longest prefix or ending."""
        if key in self._keys:
            return self._keys[key]
        parts = [
            name for name in self._keys
            if (name.endswith("*") and key.startswith(name[:-1])) or (name.startswith("*") and key.endswith(name[1:]))
        ]  # fmt: skip
        return self._keys[max(parts, key=len)] if parts else None

    def program(self, name: str) -> Program | None:
        """What is known about a program of this file name."""
        found = [program for profile in self.profiles for program in profile.programs if program.name == name]
        return max(found, key=lambda program: len(program.discovery)) if found else None

    def package(self, name: str) -> Package | None:
        """What is known about the builds of a package."""
        return next((one for profile in self.profiles for one in profile.packages if one.name == name), None)

    @cached_property
    def options(self) -> dict[str, ProgramOption]:
        """By each of its names."""
        return {name: option for profile in self.profiles for option in profile.options for name in option.names}

    # -- watch plan ------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """What the collector is asked to look for: all profiles merged."""
        profiles = self.profiles
        return Plan(
            apis=[_api_plan(api) for api in self.apis.values()],
            environment=sorted(self._keys),
            log_files=_merged(profile.log_files for profile in profiles),
            log_marks=_merged([*_marks(profiles), map(re.escape, MARKS)]),
            backends=[_backend_plan(profile) for profile in profiles if profile.backends is not None],
            devices=_merged(profile.devices for profile in profiles),
            places=[place for profile in profiles for place in profile.places],
            nodes=[node for profile in profiles for node in profile.nodes],
            packages=[
                PackagePlan(name=package.name, marks=package.marks, gpu=package.gpu, cpu=package.cpu)
                for profile in profiles
                for package in profile.packages
            ],
            ports=sorted({port for profile in profiles for port in profile.ports}),
            program_names=_merged([program.name for program in profile.programs] for profile in profiles),
        )


@lru_cache(maxsize=8192)
def _role(profiles: Profiles, api: str, function: str) -> Role:
    groups = profiles._groups
    group = groups.get((api, function)) or groups.get((api, _VARIANT().sub("", function)))
    return group.role if group else "other"


@lru_cache(maxsize=65536)
def _api_of_function(profiles: Profiles, name: str) -> str | None:
    match = profiles._name_test.match(name)
    if match is None or match.lastgroup is None:
        return None
    return list(profiles.apis)[int(match.lastgroup[3:])]


def ends_in(name: str, *endings: str) -> bool:
    """Whether a result's name ends in one of these: `CUDA_ERROR_NO_DEVICE`, `cudaErrorNoDevice` in `NODEVICE`."""
    return name.upper().replace("_", "").endswith(endings)


def _marks(profiles: Iterable[Profile]) -> Iterator[list[str]]:
    return ([re.escape(rule.contains) for rule in profile.logs] for profile in profiles)


def _merged(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(item for items in lists for item in items))


def _api_plan(api: Api) -> ApiPlan:
    functions = [
        FunctionPlan(
            name=name,
            returns=group.returns,
            decides=group.role in DECIDING and not group.hot,
            hot=group.hot,
            arguments=group.arguments,
            values=group.values,
        )
        for group in api.functions
        for name in group.names
    ]
    return ApiPlan(
        api=api.name,
        sonames=api.sonames,
        prefixes=api.prefixes,
        functions=functions,
        answers=api.answers,
        private=api.private,
    )


def _backend_plan(profile: Profile) -> BackendPlan:
    backends = profile.backends
    assert backends is not None
    return BackendPlan(
        profile=profile.name,
        beside=backends.beside,
        environment=backends.environment,
        globs=backends.globs,
        library_path=backends.library_path,
    )
