"""What a program says was refused to it, as attempts: the only witness of what happened before we attached."""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from inspector.model.failed_loads import FailedLoad, classify
from inspector.model.families import family_of_api, family_of_file, family_of_function
from inspector.model.formatting import name_of
from inspector.model.log_claims import Word, concerns_gpu, writer
from inspector.model.profiles import Profiles
from inspector.model.stages import stage_of
from inspector.model.state import Process, State
from inspector.model.usage import looks_up_freely, uses

from .row import Attempt
from .undefined import lookup_told

_LIBRARY = re.compile(r"[\w./+~@-]*\w\.(?:so(?:\.[\w.]*\w)?|node)\b")
_UNNAMED = "an unnamed call of the "
_FUNCTION = re.compile(r"\b[a-z]+_?[A-Z]\w+|\b[a-z]+smi_\w+")
"""A function's name in a sentence."""


def told(
    state: State, profiles: Profiles, words: Iterable[Word], seen: Sequence[Attempt],
    asked_only: set[tuple[Process, str]],
) -> Iterator[Attempt]:  # fmt: skip
    """Refusals in the program's own words; what was seen otherwise is not told twice.

    `asked_only` are libraries of which a process asked only whether they are loaded already.
    """
    known = asked_only | {
        (attempt.process, name_of(attempt.what))
        for attempt in seen
        if attempt.kind == "load"
        or (attempt.kind == "lookup" and attempt.source != "file")
        or (attempt.kind == "call" and attempt.ok is not None)
    }  # what a call answered that was counted without its result, the program may tell
    known |= {
        (attempt.process, name_of(inner.what)) for attempt in seen for inner in attempt.within if attempt.kind == "load"
    }
    names = {name for _, name in known}
    for word in words:
        process = writer(state, word)
        if process is None or not word.refusal:
            continue
        asked = _asked(state, profiles, process, word)
        if asked is not None:
            if (process, asked.what) not in known:
                known.add((process, asked.what))
                yield asked
            continue
        for lacked in _names_lacked(state, profiles, process, word):
            if (process, lacked.what) not in known:
                known.add((process, lacked.what))
                yield lacked
        if word.refusal in ("call", "load", "lookup") and _was_observed(process, word, known, names):
            continue
        attempt = _attempt(state, profiles, process, word)
        if attempt is not None:
            yield _of_counted(attempt, seen) or attempt


def _asked(state: State, profiles: Profiles, process: Process, word: Word) -> Attempt | None:
    """A name that a mapped library was asked for in vain: the words of dlerror(3) read like those of a load."""
    if word.refusal != "load" or not word.answer:
        return None
    words = word.answer if word.answer.startswith(word.name) else f"{word.name}: {word.answer}"
    told = lookup_told(state, process, profiles, words, "program")
    return None if told is None else replace(told, at=word.at, word=word, reading=word.reading, sampled=True)


def _names_lacked(state: State, profiles: Profiles, process: Process, word: Word) -> Iterator[Attempt]:
    """Functions that an error names, and that no file that is mapped has: `Failed to get cuGetProcAddress_v2`."""
    if word.refusal not in ("error", "own-error"):
        return
    for name in _FUNCTION.findall(word.text):
        told = lookup_told(state, process, profiles, f"{name}: undefined symbol: {name}", "program")
        if told is not None:
            yield replace(told, at=word.at, word=word, reading=word.reading, sampled=True)


def _of_counted(told: Attempt, seen: Sequence[Attempt]) -> Attempt | None:
    """A call that was counted, with the answer that only the program tells."""
    unread = [
        one for one in seen
        if one.kind == told.kind == "call" and one.ok is None and one.process is told.process
        and (one.what == told.what or (_is_unnamed(told) and one.family == told.family))
    ]  # fmt: skip
    counted = unread[0] if unread else None
    if counted is not None and _is_unnamed(told) and len(unread) > 1:  # it speaks of the last
        last = _last_call(told, seen)
        counted = last if last in unread else None
    if counted is None:
        return None
    inner = [one for one in seen if one.kind == "load" and one.ok is False and one.asker == counted.provider]
    return replace(counted, ok=told.ok, answer=told.answer, code=told.code, source="program", word=told.word,
                   reading=told.reading, within=inner)  # fmt: skip


def _last_call(told: Attempt, seen: Sequence[Attempt]) -> Attempt | None:
    """The newest call of its API in the process: a program that goes on after an error makes another one."""
    calls = [one for one in seen if one.kind == "call" and one.process is told.process and one.family == told.family]
    return max(calls, key=lambda one: one.at, default=None)


def _was_observed(process: Process, word: Word, known: set[tuple[Process, str]], names: set[str]) -> bool:
    """The same was seen in the process itself, or in any where the writer is not certain."""
    name = name_of(word.name)
    if not name:
        return False  # runtimes look up the empty name as well
    return (process, name) in known or (not word.pid and name in names)


def _nobody_else(state: State, profiles: Profiles, process: Process, api: str) -> bool:
    """A shim tells of a call where no file could have made it but itself, or a provider of another API."""
    use = uses(state, process, profiles).get(api)
    alone = use is not None and bool(use.providers) and not use.consumers
    if use is not None and any(one.library.route == "dlopen" for one in use.providers):
        return False  # who opened it looks up what it calls
    return alone and not looks_up_freely(state, process)


def _is_unnamed(told: Attempt) -> bool:
    """The program names the number, and not the function."""
    return told.what.startswith(_UNNAMED)


def _unnamed_call(state: State, profiles: Profiles, process: Process, word: Word) -> Attempt:
    """An error of an API of which the program names the number, and not the function; of several that know the number
    it is one that is mapped.
    """
    apis = [api for api in profiles.apis.values() if word.code in api.results]
    apis = [api for api in apis if family_of_api(profiles, api.name) == word.family]
    lowered = word.text.lower()
    general = [api for kind in ("runtime", "driver") for api in apis if api.name.endswith(kind)]
    known = uses(state, process, profiles)
    apis = [*general, *(api for api in apis if api not in general)]
    apis.sort(key=lambda api: api.name not in known or not known[api.name].providers)
    named = (api for api in apis if re.search(rf"\b{api.name.rpartition('-')[2]}", lowered))
    api = next(named, next(iter(apis), None))
    unknown = word.answer if word.code == -1 and word.answer else str(word.code)
    answer = profiles.result(api.name, word.code) if api is not None else unknown
    return Attempt(
        process, "call", f"{_UNNAMED}{api.title if api is not None else word.family}", False, word.at, code=word.code,
        api=api.name if api is not None else "", family=word.family, stage="asked", answer=answer, source="program",
        reading=word.reading, word=word,
    )  # fmt: skip


def _attempt(state: State, profiles: Profiles, process: Process, word: Word) -> Attempt | None:
    """The refusal as its kind tells it; None where it is none of an API."""
    if word.refusal == "call":
        return _call(state, profiles, process, word)
    unbound = word.refusal == "load" and word.answer.startswith(f"undefined symbol: {word.name}")
    if word.refusal == "lookup" or (unbound and family_of_function(profiles, word.name)):
        return _lookup(profiles, process, word, provider="" if unbound else word.answer)
    if word.refusal == "load":
        loaded = _load(profiles, process, word)
        return loaded or (_words(process, word, "error") if concerns_gpu(word) else None)
    return _words(process, word, word.refusal)


def _words(process: Process, word: Word, refused: str) -> Attempt:
    return Attempt(
        process, "words", word.text.strip(), False, word.at, answer=refused, source="program",
        reading=word.reading, word=word, family=word.family,
    )  # fmt: skip


def _call(state: State, profiles: Profiles, process: Process, word: Word) -> Attempt | None:
    if word.family and not family_of_function(profiles, word.name):
        return _unnamed_call(state, profiles, process, word)
    api = profiles.api_of_function(word.name) or ""
    family = family_of_function(profiles, word.name)
    if not family or (api and profiles.role(api, word.name) in ("error", "lookup", "table")):
        return None
    if api and word.code and profiles.normal(api, word.name, word.code, at_exit=True) is not None:
        return None
    return Attempt(
        process, "call", word.name, word.code == 0, word.at, api=api, family=family,
        stage=stage_of(profiles, api, word.name), code=word.code,
        answer=profiles.result(api, word.code) if word.code != -1 else word.answer,
        source="program", reading=word.reading, word=word, own_ends=_nobody_else(state, profiles, process, api),
    )  # fmt: skip


def _lookup(profiles: Profiles, process: Process, word: Word, provider: str) -> Attempt:
    return Attempt(
        process, "lookup", word.name, False, word.at, family=family_of_function(profiles, word.name),
        stage="resolved", api=profiles.api_of_function(word.name) or "", provider=provider,
        answer=word.text.strip(), source="program", reading=word.reading, word=word, decisive=True,
    )  # fmt: skip


def _load(profiles: Profiles, process: Process, word: Word) -> Attempt | None:
    family = family_of_file(profiles, word.name)
    missing = classify(word.answer or word.text, word.name)[1]
    family = family or family_of_file(profiles, missing)
    asked = word.name
    if not family and word.family:  # `/app/libbackend-cuda.so: libneeded.so.2: cannot open shared object file`
        named = (one for one in _LIBRARY.findall(word.text) if name_of(one) != name_of(word.name))
        asked = next((one for one in named if word.family in one.lower()), "")
        family = word.family if asked else ""
    if not family:
        return None
    words = f"{word.name}: {word.answer}" if word.answer and word.name not in word.answer else word.answer
    words = words or word.text.strip()
    cause, missing, symbol, version = classify(words, asked)
    if cause == "other" and _in_vain(word):
        cause, missing = "absent", word.name
    failure = FailedLoad(
        process, asked, cause, words, missing=missing, symbol=symbol, version=version, told=True
    )  # fmt: skip
    return Attempt(
        process, "load", asked, False, word.at, family=family, stage="loaded", failure=failure, answer=words,
        source="program", reading=word.reading, word=word, api=profiles.api_of_soname(asked) or "",
    )  # fmt: skip


def _in_vain(word: Word) -> bool:
    """It says that the file itself was looked for and not found, and not what is wrong with it."""
    name = re.escape(word.name)
    looked = rf"\b(?:find|locate)\s+(?:(?:the|a|shared|library|object|file)[\s:]+){{0,4}}\\?['\"`(]?{name}"
    absent = rf"{name}['\")\]]{{0,2}}\s+(?:\w+\s+){{0,2}}?not\s+(?:be\s+)?found\b"
    return re.search(f"{looked}|{absent}", word.text, re.IGNORECASE) is not None
