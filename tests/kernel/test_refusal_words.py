"""What stands in the way, and what helps, in words: machines that a test cannot have, by their files of /proc."""

import errno
import os

import pytest

from inspector.collect.kernel import memlock, refusals, registers
from inspector.collect.kernel.bpf import BpfError, ProgramKind, load_program
from inspector.collect.kernel.refusals import Need, Refusal, closed_memory, explain
from inspector.stream.syscall_numbers import numbers

ALL, NONE = "000001ffffffffff", "0000000000000000"
LOCKDOWN = "/sys/kernel/security/lockdown"
PARANOID = "/proc/sys/kernel/perf_event_paranoid"
REFUSED = BpfError(errno.EPERM, "bpf")


class Machine:
    """What one machine says of itself, and who asks."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.files = {PARANOID: "2\n", LOCKDOWN: "[none] integrity confidentiality\n"}
        self.patch, self.processor = patch, "x86_64"
        self.release, self.version = "6.1.0-40-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)"
        patch.setattr(refusals, "_read", lambda path: self.files.get(path, ""))
        patch.setattr(refusals, "foreign_pid_namespace", lambda: "")
        patch.setattr(refusals, "_may_read_kernel", lambda: True)
        patch.setattr(refusals, "_has_ring_buffers", lambda: True)
        patch.setattr(os.path, "exists", lambda path: False)
        patch.setattr(os, "uname", lambda: os.uname_result(("Linux", "vm", self.release, self.version, self.processor)))
        patch.setattr(memlock, "is_tight", lambda: False)
        patch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        self.asked_by(0, ALL)

    def asked_by(self, uid: int, capabilities: str, *, seccomp: int = 0) -> None:
        """Who runs us."""
        self.patch.setattr(os, "geteuid", lambda: uid)
        self.files["/proc/self/status"] = f"CapEff:\t{capabilities}\nSeccomp:\t{seccomp}\n"
        self.files["/proc/self/uid_map"] = "         0          0 4294967295\n"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_lockdown_is_named_and_not_the_rights_of_root(machine: Machine) -> None:
    machine.files[LOCKDOWN] = "none integrity [confidentiality]\n"
    for error in (REFUSED, BpfError(errno.EINVAL, "bpf")):
        told = explain(error, Need.PROGRAMS)
        assert told.why == "the kernel is locked down (confidentiality): no program may read its memory"
        assert told.grant == "boot without lockdown=confidentiality"


@pytest.mark.parametrize(
    ("uid", "capabilities", "grant"),
    [(1000, NONE, "sudo sysctl kernel.perf_event_paranoid=0"), (0, NONE, "sysctl kernel.perf_event_paranoid=0")],
)
def test_the_paranoid_level_is_named_with_the_value_that_opens_it(
    machine: Machine, uid: int, capabilities: str, grant: str
) -> None:
    machine.files[PARANOID] = "4\n"
    machine.asked_by(uid, capabilities)
    assert explain(PermissionError(errno.EACCES, ""), Need.EVERYONES_RECORDS) == Refusal(
        "kernel.perf_event_paranoid is 4", grant
    )


def test_root_of_a_container_is_told_how_to_start_it_and_not_to_use_sudo(machine: Machine) -> None:
    machine.asked_by(0, NONE)
    machine.files["/run/systemd/container"] = "docker"
    for need in (Need.PROGRAMS, Need.EVERYONES_RECORDS):
        assert explain(REFUSED, need).grant == "docker run --privileged --pid=host ..."
    assert "this container lacks CAP_BPF and CAP_PERFMON" in explain(REFUSED, Need.PROGRAMS).why


def test_the_limit_on_locked_memory_is_named_on_kernels_that_charge_maps_to_it(machine: Machine) -> None:
    machine.patch.setattr(memlock, "is_tight", lambda: True)
    machine.release = "5.10.0-32-amd64"
    told = explain(REFUSED, Need.PROGRAMS)
    assert "locked memory" in told.why and told.grant == "prlimit --memlock=unlimited inspector"
    machine.asked_by(1000, ALL)
    assert explain(REFUSED, Need.PROGRAMS).grant == "sudo prlimit --memlock=unlimited inspector"
    machine.release = "6.1.0-40-amd64"
    assert "locked memory" not in explain(REFUSED, Need.PROGRAMS).why


def test_a_gvisor_sandbox_is_named_whatever_it_answers(machine: Machine) -> None:
    machine.version = "#1 SMP Sun Jan 10 15:06:54 PST 2016"
    for number in (errno.EPERM, errno.ENOSYS, errno.EINVAL):
        told = explain(BpfError(number, "bpf"), Need.PROGRAMS)
        assert "gVisor" in told.why and told.grant == "docker run --runtime=runc ..."


def test_a_filter_that_says_the_call_does_not_exist_is_no_kernel_without_it(machine: Machine) -> None:
    missing = BpfError(errno.ENOSYS, "bpf")
    assert "built without it" in explain(missing, Need.PROGRAMS).why
    machine.asked_by(0, ALL, seccomp=2)
    assert "seccomp filter" in explain(missing, Need.PROGRAMS).why


def test_a_kernel_that_is_too_old_is_told_what_it_takes(machine: Machine) -> None:
    machine.release = "5.4.0-200-generic"
    machine.patch.setattr(refusals, "_has_ring_buffers", lambda: False)
    told = explain(BpfError(errno.EINVAL, "bpf"), Need.PROGRAMS)
    assert told == Refusal("kernel 5.4.0-200-generic is too old: 5.8 is needed", "boot Linux 5.8 or newer")


def test_memory_that_yama_closes_is_named_with_the_setting(machine: Machine) -> None:
    machine.files["/proc/sys/kernel/yama/ptrace_scope"] = "1\n"
    assert closed_memory() is None
    machine.asked_by(1000, NONE)
    assert closed_memory() == Refusal("kernel.yama.ptrace_scope is 1", "sudo sysctl kernel.yama.ptrace_scope=0")


def test_no_log_of_the_verifier_reaches_a_user(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = BpfError(errno.EINVAL, "bpf")
    error.log = "0: (79) r6 = *(u64 *)(r1 +0)\nR1 type=ctx expected=fp"
    monkeypatch.delenv("INSPECTOR_DEBUG", raising=False)
    told = explain(error, Need.PROGRAMS)
    assert "R1" not in told.why + told.grant and capsys.readouterr().err == ""


def test_a_processor_whose_registers_are_not_known_is_named_whatever_the_kernel_answered(machine: Machine) -> None:
    machine.processor = "riscv64"
    machine.patch.setattr(registers, "KNOWN", False)
    for number in (errno.EOPNOTSUPP, errno.EPERM, errno.ENOSYS):
        told = explain(BpfError(number, "bpf"), Need.PROGRAMS)
        assert told == Refusal(
            "this machine is riscv64: our kernel programs read the registers of x86-64 and arm64 only", ""
        )


def test_no_program_is_loaded_on_a_processor_whose_registers_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registers, "KNOWN", False)
    with pytest.raises(BpfError) as refused:
        load_program(ProgramKind.UPROBE, b"", "inspector")
    assert refused.value.errno == errno.EOPNOTSUPP


def test_both_processors_name_the_calls_in_which_threads_wait() -> None:
    ours, theirs = numbers("x86_64"), numbers("aarch64")
    older = {"open", "stat", "lstat", "poll", "access", "select", "pause", "fork", "vfork", "getdents", "readlink",
             "epoll_wait"}  # fmt: skip
    assert ours.keys() - theirs.keys() == older and theirs.keys() <= ours.keys()
    assert (theirs["read"], theirs["bpf"], theirs["perf_event_open"], theirs["futex"]) == (63, 280, 241, 98)
    assert numbers("riscv64") == {}
