"""By which route each object came in, from link-map order, needs and preload entries alone."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.sources.libraries.library_summaries import LibrarySummary
from inspector.collect.sources.libraries.routes import Placed, Start, Way, find_ways
from inspector.collect.sources.preload_entries import file_entries, list_entries

LDSO = 0x7F0000


def _object(path: str, order: int, soname: str = "", needed: Sequence[str] = (), **more: int | bytes) -> Placed:
    summary = LibrarySummary(soname.encode(), tuple(name.encode() for name in needed))
    base = more.pop("base", order * 0x1000)
    name = more.pop("name", path.encode() if order else b"")
    namespace = more.pop("namespace", 0)
    assert isinstance(base, int) and isinstance(name, bytes) and isinstance(namespace, int)
    return Placed(path.encode(), summary, base, name, namespace, order)


def _ways(objects: Sequence[Placed], start: Start, links: dict[bytes, bytes] | None = None) -> list[Way]:
    return find_ways(objects, start, lambda path: (links or {}).get(path, path))


START = Start(program=b"/bin/app", interpreter=LDSO)


def test_a_start_up_is_told_apart_from_what_dlopen_brought() -> None:
    ways = _ways(
        [
            _object("/bin/app", 0, needed=["libc.so.6", "libfoo.so.1"]),
            _object("/lib/libfoo.so.1.2", 2, "libfoo.so.1", ["libbar.so"], name=b"/lib/libfoo.so.1"),
            _object("/lib/libc.so.6", 3, "libc.so.6"),
            _object("/lib/libbar.so", 4),
            _object("/lib/ld.so", 5, base=LDSO),
            _object("/opt/libcuda.so.1", 6, "libcuda.so.1", ["libdep.so"]),
            _object("/opt/libdep.so", 7),
        ],
        START,
    )
    assert ways == [
        Way("executable"),
        Way("needed", "/bin/app", "libfoo.so.1"),
        Way("needed", "/bin/app", "libc.so.6"),
        Way("needed", "/lib/libfoo.so.1.2", "libbar.so"),
        Way("interpreter"),
        Way("dlopen", asked="libcuda.so.1"),
        Way("needed", "/opt/libcuda.so.1", "libdep.so"),
    ]


def test_preload_entries_match_by_path_by_link_and_by_name() -> None:
    start = Start(
        b"/bin/app",
        LDSO,
        preloads=[(b"/a.so", "LD_PRELOAD"), (b"/link.so", "LD_PRELOAD"), (b"libn.so", "/etc/ld.so.preload")],
    )
    objects = [_object("/bin/app", 0), _object("/a.so", 1), _object("/b.so", 2), _object("/lib/libn.so", 3)]
    assert _ways(objects, start, {b"/link.so": b"/b.so"})[1:] == [
        Way("preload", "LD_PRELOAD entry /a.so", "/a.so"),
        Way("preload", "LD_PRELOAD entry /link.so", "/link.so"),
        Way("preload", "/etc/ld.so.preload entry libn.so", "libn.so"),
    ]


def test_an_audit_library_lives_in_its_own_namespace() -> None:
    start = Start(b"/bin/app", LDSO, audits=[b"/audit.so"], preloads=[(b"/audit.so", "LD_PRELOAD")])
    objects = [
        _object("/bin/app", 0, needed=["libc.so.6"]),
        _object("/audit.so", 1, namespace=1, needed=["libc.so.6"]),
        _object("/lib/libc.so.6", 2, "libc.so.6", namespace=1),
    ]
    assert _ways(objects, start)[1:] == [
        Way("audit", "LD_AUDIT", "/audit.so"),
        Way("needed", "/audit.so", "libc.so.6"),
    ]


def test_without_a_link_map_the_program_is_known_by_its_path() -> None:
    objects = [
        _object("/bin/app", -1, needed=["libx.so.1"], base=1),
        _object("/lib/libx.so.1.0", -1, "libx.so.1", base=2),
    ]
    assert [way.route for way in _ways(objects, START)] == ["executable", "needed"]


def test_lists_of_entries_are_split_as_the_loader_does() -> None:
    assert list_entries(b"/a.so:/b.so  libc.so::") == [b"/a.so", b"/b.so", b"libc.so"]
    assert file_entries(b"/a.so # why\n\t/b.so:/c.so\n# all\n") == [b"/a.so", b"/b.so", b"/c.so"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3), st.integers(0, 2)),
        max_size=8,
    )
)
def test_every_object_gets_a_way_whatever_the_needs(rows: list[tuple[str, list[str], int]]) -> None:
    objects = [_object(f"/{name}", i, name, needed, namespace=ns) for i, (name, needed, ns) in enumerate(rows)]
    ways = _ways(objects, Start(b"/a", 0))
    assert len(ways) == len(objects)
    assert all(way.by for way in ways if way.route == "needed")


def test_a_program_that_was_named_through_a_link_is_the_program_though_no_link_map_was_read() -> None:
    start = Start(program=b"/bin/true", interpreter=LDSO)
    place = Placed(b"/usr/bin/true", LibrarySummary(), 0x1000)
    assert _ways([place], start, {b"/bin/true": b"/usr/bin/true"}) == [Way("executable")]
