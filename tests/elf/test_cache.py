"""ld.so.cache and ld.so itself: what they say where to look."""

import struct
import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.cache import CacheEntry, LoaderCache, parse_cache
from inspector.collect.elf.loader import LoaderFacts, processor_levels, read_loader
from inspector.collect.elf.processors.x86 import X86

FLAGS = X86.loader.cache_flags
CACHE = Path("/etc/ld.so.cache")
HWCAPS = [b"x86-64-v3", b"x86-64-v2"]


def build_cache(rows: list[tuple[bytes, bytes, int, int]]) -> bytes:
    """A cache file with these names, paths, flags and hwcap words."""
    head = 48 + 24 * len(rows)
    strings = b""
    entries = b""
    for name, path, flags, hwcap in rows:
        entries += struct.pack("<iIIIQ", flags, head + len(strings), head + len(strings) + len(name) + 1, 0, hwcap)
        strings += name + b"\0" + path + b"\0"
    places = []
    for folder in HWCAPS:
        places.append(head + len(strings))
        strings += folder + b"\0"
    strings += bytes(-len(strings) % 4)
    at = head + len(strings)
    extension = struct.pack("<II", 0xEAA42174, 1) + struct.pack("<IIII", 1, 0, at + 24, 8) + struct.pack("<II", *places)
    header = b"glibc-ld.so.cache1.1" + struct.pack("<IIBxxxI12x", len(rows), len(strings), 2, at)
    return header + entries + strings + extension


def test_the_cache_of_this_system_says_what_ldconfig_prints() -> None:
    cache = parse_cache(CACHE.read_bytes())
    output = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    printed = {tuple(line.split(" => ")) for line in output.splitlines() if " => " in line}
    ours = {(entry.name.decode(), entry.path.decode()) for entries in cache.entries.values() for entry in entries}
    assert ours == {(left.split()[0], right) for left, right in printed}
    assert cache.problem == ""


def test_a_folder_for_this_processor_wins_over_the_plain_one() -> None:
    best, plain = b"/lib/glibc-hwcaps/x86-64-v3/liba.so", b"/lib/liba.so"
    cache = parse_cache(build_cache([(b"liba.so", best, FLAGS, 1 << 62), (b"liba.so", plain, FLAGS, 0)]))
    assert cache.find(b"liba.so", HWCAPS) == best
    assert cache.find(b"liba.so", [b"x86-64-v2"]) == plain
    assert cache.find(b"libb.so", HWCAPS) is None


def test_a_library_of_another_processor_is_not_taken() -> None:
    rows = [(b"liba.so", b"/lib32/liba.so", 0x0003, 0), (b"liba.so", b"/lib64/liba.so", FLAGS, 0)]
    assert parse_cache(build_cache(rows)).find(b"liba.so", ()) == b"/lib64/liba.so"
    assert parse_cache(build_cache(rows[:1])).find(b"liba.so", ()) is None


def test_the_old_format_in_front_is_skipped() -> None:
    old = struct.pack("<12sI", b"ld.so-1.7.0\0", 1) + bytes(12)
    raw = old + bytes(-len(old) % 8) + build_cache([(b"liba.so", b"/lib/liba.so", FLAGS, 0)])
    assert parse_cache(raw).find(b"liba.so", ()) == b"/lib/liba.so"


def test_a_cache_that_is_none_or_torn_is_empty_and_says_why() -> None:
    assert parse_cache(b"") == LoaderCache(problem="empty")
    assert "not a cache" in parse_cache(b"hello").problem
    assert "truncated" in parse_cache(CACHE.read_bytes()[:500]).problem
    assert "truncated" in parse_cache(b"glibc-ld.so.cache1.1").problem


@settings(max_examples=150, deadline=None)
@given(
    writes=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=5),
    cut=st.integers(0, 400) | st.none(),
)
def test_any_damage_gives_entries_or_a_reason(writes: list[tuple[int, bytes]], cut: int | None) -> None:
    rows = [(b"liba.so.%d" % n, b"/lib/liba.so.%d" % n, FLAGS, (n % 2) << 62) for n in range(5)]
    raw = bytearray(build_cache(rows))
    for place, content in writes:
        raw[place : place + len(content)] = content
    cache = parse_cache(bytes(raw[:cut]))
    assert all(isinstance(entry, CacheEntry) for entries in cache.entries.values() for entry in entries)
    assert cache.problem == "" or not cache.entries


def test_the_loader_of_this_system_tells_its_folders() -> None:
    facts = read_loader(b"/lib64/ld-linux-x86-64.so.2")
    text = subprocess.run(["/lib64/ld-linux-x86-64.so.2", "--help"], capture_output=True, text=True, check=True).stdout
    listed = [line.split()[0] for line in text.splitlines() if line.endswith("(system search path)")]
    assert [folder.decode() for folder in facts.system_folders] == listed
    searched = [line.split()[0] for line in text.splitlines() if line.startswith("  x86-64-v") and "searched" in line]
    assert [level.decode() for level in facts.hwcaps] == searched
    assert facts.lib.decode() in listed[0]


def test_a_loader_that_cannot_be_read_has_the_usual_folders() -> None:
    assert read_loader(b"/none").system_folders == LoaderFacts().system_folders


def test_a_processor_with_a_gap_has_the_levels_below_it(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx512f avx512bw avx512cd avx512dq avx512vl\n")
    assert processor_levels(cpuinfo) == (b"x86-64-v2",)
    assert processor_levels(tmp_path / "none") == ()


def test_older_loaders_look_into_more_subfolders() -> None:
    assert LoaderFacts(hwcaps=(b"x86-64-v2",)).subfolders == (b"glibc-hwcaps/x86-64-v2",)
    older = LoaderFacts(legacy_subfolders=True).subfolders
    assert older == (b"tls/x86_64/x86_64", b"tls/x86_64", b"tls", b"x86_64/x86_64", b"x86_64")
