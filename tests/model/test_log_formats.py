"""Lines of the programs that profiles know, with values of our own, and what the model takes from them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.log_meanings import read_lines, says, stamp
from inspector.model.profiles import builtin_profiles

T = "time=2025-10-09T08:53:21.123+02:00 level=INFO source=a.go:1 "
LINES = {
    T + 'msg="inference compute" id=GPU-1 library=cuda variant=v12 compute=8.9 driver=12.8 name="N" total="11.6 GiB"':
        ("compute", {"library": "cuda", "compute": "8.9", "total": "11.6 GiB"}),
    T + 'msg="inference compute" id=GPU-1 filter_id="" library=CUDA compute=9.0 name=CUDA0 description="A B" '
    'libdirs=ollama,cuda_v12 driver=13.0 pci_id=0000:01:00.0 type=discrete total="79.6 GiB" available="79 GiB"':
        ("compute", {"library": "CUDA", "compute": "9.0", "name": "A B", "total": "79.6 GiB"}),
    T + 'msg="inference compute" id=cpu library=cpu compute="" name=cpu description=cpu total="15 GiB"':
        ("compute", {"library": "cpu", "compute": "", "total": "15 GiB"}),
    'device count 2': ("count-a", {"count": "2"}),
    'cuInit err: 100' + T + 'msg="no compatible GPUs were discovered"': ("no-gpus-a", {}),
    T + 'msg="looking for compatible GPUs"': ("discovery-a", {}),
    T + 'msg="detected GPUs" count=1 library=/usr/lib/libcuda.so.550': ("detected-a", {"count": "1"}),
    T + 'msg="discovering available GPUs..."': ("discovery-b", {}),
    T + 'msg="starting runner" cmd="/usr/bin/ollama runner --ollama-engine --port 41227"':
        ("starting-runner", {"command": "/usr/bin/ollama runner --ollama-engine --port 41227"}),
    T + 'msg="starting llama-server" cmd="/x/llama-server --port 4"': ("starting-llama-server", {}),
    'time=2026-01-02T03:04:05.678Z level=DEBUG source=runner.go:437 msg="bootstrap discovery took" duration=301ms '
    'OLLAMA_LIBRARY_PATH="[/a /b]"': ("bootstrap-took", {"duration": "301ms", "path": "[/a /b]"}),
    T + 'msg="evaluating which, if any, devices to filter out" initial_count=0': ("initial-count", {"count": "0"}),
    T + 'msg="filtering device which didn\'t fully initialize" id=GPU-5 libdir=/x': ("filtered", {"device": "GPU-5"}),
    T + 'msg="verifying if device is supported" library=/x compute=0.0 id=GPU-7 pci_id=1':
        ("verifying", {"compute": "0.0"}),
    T + 'msg="failure during GPU discovery" extra_envs=map[] error="failed to finish discovery before timeout"':
        ("discovery-timeout", {}),
    T + 'msg="failure during llama-server GPU discovery" error="context deadline exceeded"':
        ("discovery-failed-c", {"why": "context deadline exceeded"}),
    T + 'msg="skipping pseudo-device with zero memory"': ("zero-memory", {}),
    T + 'msg="skipping CUDA device — compute capability not in compiled architectures" device=0 cc=750 archs="800,900"':
        ("architecture", {"compute": "750"}),
    T + 'msg="NVIDIA driver too old" device=0 compute=6.1 driver=535.1 required_driver="550 or newer"':
        ("driver-too-old", {"driver": "535.1", "required": "550 or newer"}),
    "   The minimum required CUDA driver version is 13.0, but the installed CUDA driver version is 12.9.":
        ("driver-below-minimum", {"driver": "12.9", "required": "13.0"}),
    "The NVIDIA driver on your system is too old (found version 11040). Please update":
        ("driver-found-too-old", {"driver": "11040"}),
    T + 'msg="skipping available library at user\'s request" requested=cuda_v9 libDir=/lib/ollama/cuda_v12':
        ("library-skipped", {"requested": "cuda_v9", "path": "/lib/ollama/cuda_v12"}),
    T + 'msg="user overrode visible devices" CUDA_VISIBLE_DEVICES=-1':
        ("user-overrode", {"key": "CUDA_VISIBLE_DEVICES"}),
    T + 'msg="entering low vram mode" "total vram"="0 B" threshold="20.0 GiB"': ("low-vram", {"total": "0 B"}),
    T + 'msg="vram-based default context" total_vram="79.6 GiB" default_num_ctx=4096':
        ("vram-context", {"total": "79.6 GiB"}),
    T + 'msg="offloaded 28/29 layers to GPU"': ("offloaded", {"layers": "28", "total": "29"}),
    T + 'msg="llama runner terminated" error="exit status 2"': ("runner-terminated", {"why": "exit status 2"}),
    "Nov 23 10:00:00 vm ollama[812]: " + T + 'msg="Listening on 127.0.0.1:11434 (version 0.13.5)"':
        ("listening", {"version": "0.13.5"}),
    '2024/05/01 10:00:00 routes.go:1: INFO server config env="map[OLLAMA_DEBUG:true]"': ("server-config", {}),
    "ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient": ("cuda-init-failed", {}),
    "ggml_cuda_init: found 2 CUDA devices (Total VRAM: 99 MiB):": ("cuda-found", {"count": "2"}),
    "  Device 0: Some H100, compute capability 9.0, VMM: yes": ("cuda-device", {"name": "Some H100", "compute": "9.0"}),
    "load_backend: loaded CUDA backend from /x/libggml-cuda.so": ("backend-loaded", {"library": "CUDA"}),
    "load_backend: failed to load /x/libggml-cuda.so: libcuda.so.1: cannot open":
        ("backend-failed", {"path": "/x/libggml-cuda.so"}),
    "load_backend: failed to find ggml_backend_init in /x/libggml-cuda.so":
        ("backend-failed", {"path": "/x/libggml-cuda.so"}),
    "0.00.006.542 E CUDA error: out of memory": ("cuda-error", {"why": "out of memory"}),
    "GGML_ASSERT(ggml_cuda_has_arch(info.devices[id].cc)) failed": ("assert-architecture", {}),
    "  CUDA0: Some GPU (81559 MiB, 80994 MiB free)": ("list-devices", {"total": "81559"}),
    "load_tensors:        CUDA0 model buffer size =  1918.35 MiB":
        ("buffer", {"library": "CUDA", "size": "1918.35 MiB"}),
    "[HAMI-core Msg(77:1:multiprocess.c:1)]: Initializing.....": ("initializing", {"pid": "77"}),
    "[HAMI-core ERROR (pid:77 thread=1 x.c:1)]: no lock": ("error", {"pid": "77", "why": "no lock"}),
    "[NVSHARE][FATAL]: no scheduler": ("fatal", {"why": "no scheduler"}),
    "[ZLUDA_TRACE] cuInit(0) -> CUDA_SUCCESS": ("trace", {"function": "cuInit", "result": "CUDA_SUCCESS"}),
    "LUPINE missing Driver API called: cuFoo": ("missing", {"function": "cuFoo"}),
    "[libvgpu-cuda] cuInit() CALLED (pid=4711, flags=0, already_init=0)":
        ("called", {"function": "cuInit", "pid": "4711"}),
    "[libvgpu-cuda] STUB CALLED: cuFooBar (not fully implemented, returning SUCCESS)":
        ("stub", {"function": "cuFooBar"}),
    "[libvgpu-cuda] ensure_init: Not an application process (comm=x)": ("gate", {"library": "libvgpu-cuda"}),
    "VGPU_CUBLAS_MODE=STUB": ("cublas-stub", {"state": "STUB"}),
    "[cuda-transport] Timeout on call 0x0001 (seq=1) after 30s": ("transport-timeout", {"seconds": "30"}),
    "[cuda-transport] STATUS_ERROR: call=cuModuleLoadFatBinary(0x0042) seq=31 err=0x00000005(CUDA_ERROR) vm_id=7":
        ("transport-error", {"function": "cuModuleLoadFatBinary"}),
    "ERROR: ld.so: object '/a.so' from LD_PRELOAD cannot be preloaded (wrong ELF class: ELFCLASS32): ignored.":
        ("preload-refused", {"object": "/a.so", "why": "wrong ELF class: ELFCLASS32"}),
    "./prog: error while loading shared libraries: libx.so: cannot open shared object file": ("shared-libraries", {}),
    "./prog: symbol lookup error: ./b.so: undefined symbol: cuInit": ("symbol-lookup-error", {"path": "./b.so"}),
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_read_by_its_rule_with_its_values(line: str) -> None:
    wanted, groups = LINES[line]
    read = {rule.id: found for _, _, rule, found in read_lines(builtin_profiles(), [line])}
    assert wanted in read
    assert {key: read[wanted][key] for key in groups} == groups


def test_every_line_can_be_said_in_plain_words() -> None:
    for _, _, rule, groups in read_lines(builtin_profiles(), list(LINES)):
        assert says(rule, groups)


def test_a_stamp_is_found_behind_glued_raw_output() -> None:
    assert stamp("device count 0time=2025-10-09T08:53:20.000Z level=INFO") == 1_760_000_000 * 10**9
    assert stamp("time=2025-99-99T08:53:20Z") == 0
    assert stamp("no time here") == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(list(LINES)) | st.text(max_size=60), max_size=6), st.data())
def test_no_damaged_line_makes_the_reader_raise(lines: list[str], data: st.DataObject) -> None:
    damaged = [line[: data.draw(st.integers(0, len(line)))] + data.draw(st.text(max_size=4)) for line in lines]
    for index, _, rule, groups in read_lines(builtin_profiles(), damaged):
        assert rule.contains in damaged[index]
        assert all(isinstance(value, str) for value in groups.values())
    assert [stamp(line) >= 0 for line in damaged] == [True] * len(damaged)


def test_a_hostile_line_is_read_in_a_moment() -> None:
    nasty = 'msg="inference compute" ' + "library" * 200_000 + ' description="' + "a" * 500_000
    assert [rule.id for _, _, rule, _ in read_lines(builtin_profiles(), [nasty])] == []


def test_a_report_of_ours_that_quotes_a_log_is_no_log() -> None:
    told = T + 'msg="inference compute" id=cpu library=cpu compute="" total="15 GiB"'
    quoted = [
        f"    09:07:30.401  {told}",
        f"  - {told}  [pid 812]",
        f"| {told} |",
        f"{' ' * 18}{told}",
        f"  error   {told}",
    ]
    assert list(read_lines(builtin_profiles(), quoted)) == []
    assert len(list(read_lines(builtin_profiles(), [told, f"raw output{told}"]))) == 2
