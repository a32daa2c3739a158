"""Layouts of libraries in folders, and a program that opens one of them with the real loader."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector.collect.elf.predict import Present

from .workshop import Workshop

OPENER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
extern struct r_debug _r_debug;
static void list(char mark) {
  for (struct link_map *m = _r_debug.r_map; m; m = m->l_next) printf("%c%s\\n", mark, m->l_name);
  fflush(stdout);
}
int main(int argc, char **argv) {
  list('-');
  void *handle = dlopen(argv[1], RTLD_NOW);
  if (!handle) { printf("!%s\\n", dlerror()); return 0; }
  list('+');
  return 0;
}
"""

NODE = "V_1 { global: *; };"
NAMED_NODE = "libprovider.so.1 { global: *; };"
OTHER_NODE = "V_OTHER { global: *; };"
NO_LIBC = ("-nostdlib",)
PROVIDER = "int first(void) { return 1; } int second(void) { return 2; }"
LESSER = "int first(void) { return 1; }"
CONSUMER = "int first(void); int second(void); int consume(void) { return first() + second(); }"

PROVIDERS = ("good", "other-node", "plain", "bare", "lesser", "no-soname", "needs-helper", "named")
"""libprovider.so.1 as it was linked against; with another node; without versions; without any version table; without
`second`; without SONAME; with a need of its own; with a node that is called like its SONAME."""
ODDITIES = ("text", "narrow", "cut", "folder", "short")
CONSUMERS = ("none", "rpath", "runpath", "origin", "both", "weak", "unversioned", "chain", "wants-named")


def build_pool(workshop: Workshop) -> None:
    """Every library that layouts are made of, each once, in folders `pool/NAME`."""
    make = workshop.library
    soname = "libprovider.so.1"
    good = make("pool/good/libprovider.so.1", PROVIDER, soname=soname, script=NODE)
    plain = make(
        "pool/plain/libprovider.so.1",
        PROVIDER + 'int puts(const char *); int p(void) {return puts("");}',
        soname=soname,
    )
    make("pool/other-node/libprovider.so.1", PROVIDER, soname=soname, script=OTHER_NODE)
    make("pool/bare/libprovider.so.1", PROVIDER, soname=soname, flags=NO_LIBC)
    make("pool/lesser/libprovider.so.1", LESSER, soname=soname, script=NODE)
    make("pool/no-soname/libprovider.so.1", PROVIDER, script=NODE)
    helper = make("pool/helper/libhelper.so", "int help(void) { return 3; }", soname="libhelper.so")
    needing = PROVIDER + "int help(void); int third(void) { return help(); }"
    make("pool/needs-helper/libprovider.so.1", needing, soname=soname, script=NODE, links=[helper])
    make("pool/empty-helper/libhelper.so", "int nothing;", soname="libhelper.so")
    named = make("pool/named/libprovider.so.1", PROVIDER, soname=soname, script=NAMED_NODE)
    make("pool/wants-named/libconsumer.so", CONSUMER, links=[named])
    _build_consumers(workshop, good, plain)
    _build_oddities(workshop.folder / "pool", good)
    workshop.program("opener", OPENER)


def _build_consumers(workshop: Workshop, good: Path, plain: Path) -> None:
    folder = workshop.folder
    ways = {
        "none": [],
        "rpath": ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{folder}/a"],
        "runpath": ["-Wl,--enable-new-dtags", f"-Wl,-rpath,{folder}/a:{folder}/b"],
        "origin": ["-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../b:${ORIGIN}/$LIB"],
        "both": ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{folder}/c::{folder}/a"],
    }
    for name, flags in ways.items():
        workshop.library(f"pool/{name}/libconsumer.so", CONSUMER, links=[good], flags=flags)
    weak = "int first(void) __attribute__((weak)); int (*f)(void) = first;"
    workshop.library("pool/weak/libconsumer.so", weak, links=[good])
    workshop.library("pool/unversioned/libconsumer.so", CONSUMER, links=[plain])
    inner = workshop.library("pool/inner/libinner.so", CONSUMER, soname="libinner.so", links=[good])
    chain = ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{folder}/b:{folder}/c"]
    workshop.library(
        "pool/chain/libconsumer.so", "int consume(void); int c(void){return consume();}", links=[inner], flags=chain
    )


def _build_oddities(pool: Path, good: Path) -> None:
    raw = good.read_bytes()
    contents = {"text": b"/* GNU ld script */ INPUT ( libother.so )" * 4, "short": raw[:40], "cut": raw[:0x200]}
    contents["narrow"] = raw[:4] + b"\1" + raw[5:]
    for name, content in contents.items():
        (pool / name).mkdir()
        (pool / name / "libprovider.so.1").write_bytes(content)
    (pool / "folder" / "libprovider.so.1").mkdir(parents=True)


@dataclass(frozen=True)
class Layout:
    """What lies in which folder, and the environment of the program that opens the consumer."""

    consumer: str
    places: Mapping[str, str]
    """Folder (`a`, `a/glibc-hwcaps/x86-64-v2`) -> kind of libprovider.so.1."""
    helper: str
    """Folder of libhelper.so; empty for none."""
    library_path: str
    preload: str = ""
    """Kind of provider that is preloaded; empty for none."""

    def spread(self, workshop: Workshop) -> Path:
        """Lay the files out; the consumer's path."""
        for folder in "abcd":
            shutil.rmtree(workshop.folder / folder, ignore_errors=True)
        for folder, kind in self.places.items():
            _installed(workshop.folder / "pool" / kind / "libprovider.so.1", workshop.folder / folder)
        _installed(workshop.folder / "pool" / "inner" / "libinner.so", workshop.folder / "c")
        if self.helper:
            kind = "helper" if self.helper != "d" else "empty-helper"
            _installed(workshop.folder / "pool" / kind / "libhelper.so", workshop.folder / self.helper)
        return _installed(workshop.folder / "pool" / self.consumer / "libconsumer.so", workshop.folder / "d")

    def environment(self, workshop: Workshop) -> dict[str, str]:
        """For the program that opens the consumer."""
        folders = self.library_path.replace("@", str(workshop.folder))
        environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": folders}
        if self.preload:
            environment["LD_PRELOAD"] = f"{workshop.folder}/pool/{self.preload}/libprovider.so.1"
        return environment


def _installed(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    if not target.exists():
        if source.is_dir():
            target.mkdir()
        else:
            target.hardlink_to(source)
    return target


@dataclass
class Opened:
    """What the real loader did."""

    before: Sequence[Present]
    after: set[str]
    words: str


def really_open(workshop: Workshop, path: str, environment: Mapping[str, str]) -> Opened:
    """Run the opener; the files are our own, so they may be executed."""
    command = [str(workshop.folder / "opener"), path]
    done = subprocess.run(command, env=environment, capture_output=True, cwd=workshop.folder, timeout=20, check=False)
    lines = done.stdout.decode().splitlines()
    words = next((line[1:] for line in lines if line.startswith("!")), "")
    if done.returncode == 127:
        words = done.stderr.decode().strip()
    before = [line[1:] for line in lines if line.startswith("-")]
    after = {line[1:] for line in lines if line.startswith("+")} - set(before)
    files = [str(workshop.folder / "opener"), *(name for name in before if "/" in name)] if before else []
    return Opened([Present(os.fsencode(name), os.fsencode(name)) for name in files], after, words)
