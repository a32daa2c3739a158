"""What a unit's files say together: which files count, which assignment wins, what is damaged."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.systemd.show import parse_show, show_unit
from inspector.collect.systemd.unit import expand, read_unit, unescape
from inspector.collect.systemd.unit_load_path import find_unit, instance_of

SYSTEMD = "/lib/systemd/systemd"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def _write(root: Path, name: str, *lines: str) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[Service]\n" + "\n".join(lines) + "\n")
    return str(path)


def test_drop_ins_are_read_by_file_name_and_the_nearer_folder_hides_the_farther(root: Path) -> None:
    unit = _write(root, "usr/lib/systemd/system/ollama-x.service", "Environment=A=unit")
    vendor = _write(root, "usr/lib/systemd/system/ollama-x.service.d/10-a.conf", "Environment=A=vendor")
    local = _write(root, "etc/systemd/system/ollama-x.service.d/10-a.conf", "Environment=A=local")
    prefix = _write(root, "etc/systemd/system/ollama-.service.d/05-p.conf", "Environment=A=prefix")
    kind = _write(root, "etc/systemd/system/service.d/20-type.conf", "Environment=B=type")
    backup = _write(root, "etc/systemd/system/ollama-x.service.d/10-a.conf.bak", "Environment=A=backup")
    found = read_unit("ollama-x.service", str(root))
    assert [path for path, _ in found.files] == [unit, prefix, local, kind]
    assert [(one.key, one.value) for one in found.settings][-2:] == [("A", "local"), ("B", "type")]
    assert f"{backup} is ignored: its name does not end in .conf" in found.trouble
    assert f"{vendor} is ignored: {local} has the same name and comes first" in found.trouble
    assert any(words.startswith("A is set 3 times in 3 files") and words.endswith("wins") for words in found.trouble)


def test_the_unit_file_of_the_highest_folder_is_the_unit(root: Path) -> None:
    _write(root, "usr/lib/systemd/system/ollama.service", "Environment=A=vendor")
    path = _write(root, "etc/systemd/system/ollama.service", "Environment=A=local")
    assert find_unit("ollama.service", str(root)).files == [path]


def test_an_instance_is_read_from_its_template(root: Path) -> None:
    path = _write(root, "etc/systemd/system/llm@.service", "Environment=MODEL=%i UNIT=%n LITERAL=%% ODD=%Q")
    drop_in = _write(root, "etc/systemd/system/llm@a-b.service.d/x.conf", "Environment=PLACE=%I")
    found = read_unit("llm@a-b.service", str(root))
    assert [one for one, _ in found.files] == [path, drop_in]
    assert {one.key: one.value for one in found.settings} == {
        "MODEL": "a-b",
        "UNIT": "llm@a-b.service",
        "LITERAL": "%",
        "ODD": "%Q",
        "PLACE": "a/b",
    }


def test_drop_ins_of_an_alias_apply_to_the_unit(root: Path) -> None:
    _write(root, "etc/systemd/system/real.service", "Environment=A=1")
    (root / "etc/systemd/system/alias.service").symlink_to("real.service")
    drop_in = _write(root, "etc/systemd/system/real.service.d/x.conf", "Environment=A=2")
    assert find_unit("alias.service", str(root)).files[1:] == [drop_in]


def test_later_assignments_win_and_an_empty_one_forgets_all_before(root: Path) -> None:
    path = _write(
        root,
        "etc/systemd/system/a.service",
        "Environment=LD_PRELOAD=/old.so KEEP=0",
        "Environment=",
        'Environment="LD_PRELOAD=/a.so /b.so"',
        "Environment=LD_PRELOAD=/c.so",
    )
    found = read_unit("a.service", str(root))
    assert [(one.key, one.value, one.line) for one in found.settings] == [
        ("LD_PRELOAD", "/a.so /b.so", 4),
        ("LD_PRELOAD", "/c.so", 5),
    ]
    assert found.trouble == [f"LD_PRELOAD is set 2 times in 1 files: {path}:5 wins"]


def test_files_of_variables_win_over_the_unit_whatever_their_place(root: Path) -> None:
    _write(
        root,
        "etc/systemd/system/a.service",
        "EnvironmentFile=/etc/default/a",
        "EnvironmentFile=-/etc/default/absent",
        "EnvironmentFile=/etc/default/missing",
        "Environment=A=unit B=unit",
        "UnsetEnvironment=B",
    )
    (root / "etc/default").mkdir()
    (root / "etc/default/a").write_text("A=file\nnonsense\n")
    found = read_unit("a.service", str(root))
    assert [(one.key, one.value, one.path) for one in found.settings][-1] == ("A", "file", "/etc/default/a")
    assert "B" not in {one.key for one in found.settings}
    assert any("/etc/default/missing" in words and "does not start" in words for words in found.trouble)
    assert "UnsetEnvironment= removes B" in found.trouble
    assert "/etc/default/a:2: a line that is not an assignment is ignored" in found.trouble


def test_a_file_of_variables_that_is_a_fifo_is_not_waited_for(root: Path) -> None:
    _write(root, "etc/systemd/system/a.service", "EnvironmentFile=/vars", "Environment=A=unit")
    os.mkfifo(root / "vars")
    found = read_unit("a.service", str(root))
    assert [one.value for one in found.settings] == ["unit"]
    assert any("/vars" in words and "not a regular file" in words for words in found.trouble)


def test_damage_of_a_hand_edited_drop_in_is_told_with_its_place(root: Path) -> None:
    path = _write(
        root,
        "etc/systemd/system/a.service",
        "Environment=LD_PRELOAD=/a.so /b.so",
        'Environment="API_KEY=abc def" "X=1',
        "Environment=HF_TOKEN=abc def",
    )
    assert read_unit("a.service", str(root)).trouble == [
        f"{path}:2: '/b.so' is not an assignment and is ignored: quote the whole assignment of LD_PRELOAD",
        f'{path}:3: a quote " is never closed: the rest of the line is ignored',
        f"{path}:4: a word is not an assignment and is ignored: quote the whole assignment of HF_TOKEN",
    ]


def test_what_makes_the_unit_see_another_machine_is_listed(root: Path) -> None:
    _write(
        root,
        "etc/systemd/system/a.service",
        "PrivateTmp=yes",
        "PrivateDevices=no",
        "ReadWritePaths=/a",
        "ReadWritePaths=/b",
        "ProtectSystem=full",
        "ProtectSystem=strict",
        "StandardError=append:/tmp/%p.log",
        "CapabilityBoundingSet=",
    )
    found = read_unit("a.service", str(root))
    assert found.sandbox == ["PrivateTmp=yes", "ReadWritePaths=/a /b", "ProtectSystem=strict"]
    assert found.stderr == "append:/tmp/a.log"


def test_masked_unreadable_and_absent_units_give_words_and_no_error(root: Path) -> None:
    (root / "etc/systemd/system/m.service").symlink_to("/dev/null")
    (root / "etc/systemd/system/d.service").symlink_to("nowhere")
    (root / "etc/systemd/system/n.service").write_bytes(b"[Service]\nEnvironment=A=\xff\0\n")
    assert "is masked" in read_unit("m.service", str(root)).trouble[0]
    assert "cannot be read: no such file" in read_unit("d.service", str(root)).trouble[0]
    assert "NUL bytes" in read_unit("n.service", str(root)).trouble[0]
    absent = read_unit("absent.service", str(root))
    assert (absent.files, absent.settings, absent.trouble) == ([], [], [])


def test_names_are_unescaped_as_systemd_escapes_them() -> None:
    assert unescape("dev-sda1") == "dev/sda1"
    assert unescape(r"a\x2db") == "a-b"
    assert instance_of("a@b.service") == ("a@.service", "b")
    assert instance_of("a@.service") == ("a@.service", "")
    assert expand("%p-%i-%", "a@b.service") == "a-b-%"


def test_what_systemd_says_is_in_force_is_read() -> None:
    found = parse_show(
        'Environment=A=1 "B=two words"\nMainPID=812\nNeedDaemonReload=yes\nActiveEnterTimestampMonotonic=5000000\n'
        "LoadState=loaded\n"
    )
    assert found is not None
    assert found.environment == {"A": "1", "B": "two words"}
    assert (found.main_pid, found.needs_reload) == (812, True)
    assert found.started > 0
    assert parse_show("LoadState=not-found\n") is None
    assert parse_show("") is None


def test_systemctl_that_is_absent_slow_or_failing_is_quiet(tmp_path: Path) -> None:
    for name, body in {"slow": "sleep 20", "failing": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
        assert show_unit("a.service", str(tmp_path / name), str(tmp_path)) is None
    assert show_unit("a.service", str(tmp_path / "absent"), str(tmp_path)) is None
    assert show_unit("a.service", "true", str(tmp_path / "absent")) is None


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that another user can read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_our_reading_agrees_with_systemd_itself(shared: Path) -> None:
    """`systemd --test` prints every unit that it would load (systemd(1)); it refuses to run as root."""
    if not Path(SYSTEMD).exists() or (os.geteuid() == 0 and shutil.which("setpriv") is None):
        pytest.skip("needs systemd's own program, and setpriv to run it as another user")
    folder = shared / "etc/systemd/system"
    _write(folder, "foo-a.service.d/20.conf", "Environment=A=drop-in")
    _write(folder, "foo-.service.d/10.conf", "Environment=PREFIX=1", "Environment=A=prefix")
    (folder / "vars").write_text('# x\nFROM=\'a file\'\nB=half"quoted"  \nlonely\nLAST="a\\\nb" c\n')
    _write(
        folder,
        "foo-a.service",
        "ExecStart=/bin/true",
        f"EnvironmentFile={folder}/vars",
        r"""Environment=A=1 "B=two words" 'C=x y' D="q r" E=a\x41b F=pre"mid dle"post""",
        "Environment=LD_PRELOAD=/a.so /b.so G=2",
        'Environment="X=1 Y=2',
        r"Environment=Y=1 Z=a\qb W=3",
        "Environment=H=%n I=%% K=%p N=%N",
        "Environment=1BAD=3 OK=1",
        "Environment=CONT=1 \\\n# comment\n  CONT2=2 \\\n  CONT3=3",
        "Environment=M=a\\\nb",
        r"Environment=S=end\\",
        "Environment=T='it''s' U=\"a'b\" V=",
        "  Environment=LEAD=1  ",
    )
    home = shared / "home"
    home.mkdir()
    home.chmod(0o777)
    demote = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    answer = subprocess.run(
        [*demote, "timeout", "20", SYSTEMD, "--user", "--test", "--unit=foo-a.service"],
        env={
            "SYSTEMD_UNIT_PATH": f"{folder}:",
            "XDG_RUNTIME_DIR": str(home),
            "HOME": str(home),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        check=False,
    )
    block = re.search(r"-> Unit foo-a\.service:\n(.*?)(?:\n-> Unit|\Z)", answer.stdout, re.DOTALL)
    if block is None:
        pytest.skip(f"systemd --test does not work here: {answer.stderr[-200:]}")
    theirs = dict(re.findall(r"^\t+Environment: (\w+)=(.*)$", block[1], re.MULTILINE))
    settings = read_unit("foo-a.service", str(shared)).settings
    assert {one.key: one.value for one in settings if one.path != str(folder / "vars")} == theirs
