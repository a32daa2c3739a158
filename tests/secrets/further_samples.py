# ruff: noqa: E501
"""60 shapes from tools of networks, databases, languages and clusters, and 60 values of GPU programs that are none."""

import string
from collections.abc import Iterator

from .more_samples import B64, HEX, LOWER, UPPER, URLSAFE, Shape, env, line, lot, words

_BASE32 = string.ascii_uppercase + "234567"


def _uuid() -> str:
    return "-".join(lot(length, HEX) for length in (8, 4, 4, 4, 12))


def _lines() -> Iterator[tuple[str, str]]:
    """A line with `{}`, and the secret that stands there."""
    yield "wg0: PrivateKey = {}", lot(43, B64) + "="
    yield "nats: signing with seed {}", "SU" + lot(56, _BASE32)
    yield "eth account unlocked, privkey 0x{}", lot(64, HEX)
    yield "redis: ACL SETUSER bob on >{} ~* +@all", "aclS3cretPw"
    yield "pg: ALTER ROLE app WITH LOGIN PASSWORD '{}'", "roll the dice"
    yield "mysql: CREATE USER 'a'@'%' IDENTIFIED BY '{}'", "idby secret"
    yield "oracle: CREATE USER a IDENTIFIED BY {} DEFAULT TABLESPACE x", "T1gerLily"
    yield ".netrc: machine api.example.com login bob password {}", "netrcpw"
    yield '.docker/config.json: {{"auths":{{"nvcr.io":{{"auth":"{}"}}}}}}', "JG9hdXRodG9rZW46bnZhcGktYWJjZGVm"
    yield "npmrc: //registry.npmjs.org/:_authToken={}", _uuid()
    yield "Looking in indexes: https://bob:{}@pypi.example.com/simple", "idxpw"
    yield "git config http.extraheader 'AUTHORIZATION: basic {}'", "eC1hY2Nlc3MtdG9rZW46YWJjZGVmZ2hpag=="
    yield "> PRIVATE-TOKEN: {}", lot(20, URLSAFE)
    yield "> X-Vault-Token: {}", "s." + lot(24)
    yield "consul: using -token={}", _uuid()
    yield "vault: approle secret_id={} role_id=x", _uuid()
    yield "CONSUL_HTTP_TOKEN={} consul members", _uuid()
    yield "kubeconfig: client-key-data: {}", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo" + lot(120, B64)
    yield "AccountName=x;AccountKey={};EndpointSuffix=core.windows.net", lot(86, B64) + "=="
    yield "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}", lot(43, B64) + "="
    yield 'Token:(string) (len=24) "{}"', lot(24)
    yield 'SecretString("{}")', "rust-hidden-1"
    yield "SecretStr('{}')", "pydantic99"
    yield '  ["password"]=> string(8) "{}"', "phpdump8"
    yield ':password=>"{}", :user=>"a"', "rubyhash"
    yield '[{{username,"a"}},{{password,"{}"}}]', "erlangpw"
    yield "password = [[{}]]", "lua long text"
    yield 'ConvertTo-SecureString "{}" -AsPlainText -Force', "Power$hell1"
    yield "cmdkey /add:host /user:bob /pass:{}", "cmdkeypw"
    yield "radius: shared secret for 10.0.0.1: {}", "radShared1"
    yield "snmpd: createUser bob SHA {} AES privpass99", "authpass88"
    yield "cryptsetup: passphrase read from stdin: '{}'", "luks and chill"
    yield "jupyter: http://node7:8888/?token={} :: /home/u", lot(48, HEX)
    yield "ray: redis_password='{}'", "5241590000000000"
    yield "mlflow: tracking uri https://mlf:{}@mlflow.example", "mlfpw"
    yield "clearml: api.credentials.secret_key = {}", lot(50)
    yield "comet: COMET_API_KEY: {}", lot(25)
    yield "neptune: api_token={}", "eyJhcGlfYWRkcmVzcyI6Imh0dHBzOi8v" + lot(60)
    yield "vast.ai: api key {} saved to ~/.vast_api_key", lot(64, HEX)
    yield "lambda: Authorization: Basic {}", "c2VjcmV0X3g6" + lot(20)
    yield "modal: token_id=ak-x token_secret={}", "as-" + lot(22)
    yield "together: {}", "tgp_v1_" + lot(43, URLSAFE)
    yield "mistral: MISTRAL_API_KEY={}", lot(32)
    yield "POST /login username=bob&password={}&remember=1", "formpw"
    yield 'GraphQL variables {{"input":{{"email":"a@b.c","password":"{}"}}}}', "gql pw"
    yield "SAMLResponse={}", "PHNhbWxwOlJlc3BvbnNl" + lot(200, B64)
    yield "totp secret: {}", lot(32, _BASE32)
    yield "otpauth://totp/x:bob?secret={}&issuer=x", lot(32, _BASE32)


def further() -> Iterator[Shape]:
    """60 of them."""
    for text, secret in _lines():
        yield line(text.format(secret), secret)
    for command, secret in (
        ("aws configure set aws_secret_access_key {}", lot(40, B64)),
        ("kubectl config set-credentials u --token={}", lot(40)),
        ("cargo login {}", "cio" + lot(32)),
        ("dotnet nuget push x.nupkg -k {}", "oy2" + lot(43, LOWER)),
        ("snyk auth {}", _uuid()),
        ("az login --service-principal -u x -p {} --tenant y", lot(3) + "8Q~" + lot(34, URLSAFE)),
        ("twine upload -u __token__ -p {} dist/*", "pypi-AgEIcHlwaS5vcmc" + lot(80, URLSAFE)),
    ):
        yield words(command.format(secret).split(" "), secret)
    for name, value in (
        ("RESTIC_PASSWORD", "resticpw"),
        ("K3S_TOKEN", f"K10{lot(64, HEX)}::server:{lot(32, HEX)}"),
        ("NOMAD_TOKEN", _uuid()),
        ("WANDB_API_KEY", lot(40, HEX)),
        ("JAVA_TOOL_OPTIONS", "-Djavax.net.ssl.keyStorePassword=changeit7"),
    ):
        secret = value.rpartition("=")[2]
        yield env(name, value, secret)


def unharmed() -> Iterator[Shape]:
    """60 values that nobody may lose."""
    for text in (
        "GPU identified by PCI bus 0000:01:00.0, device identified by 'cuda:0'",
        f"NVML: device UUID GPU-{_uuid()} serial 1654922006536 board id 0x1700",
        f"MIG 1g.10gb     Device  0: (UUID: MIG-{_uuid()})",
        f"nvidia-fabricmanager: cluster uuid {_uuid()} clique id 0",
        "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22-I3-AF03-09-1)",
        "nvidia-uvm: Loaded the UVM driver, major device number 511.",
        "NCCL INFO NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB [RO]; OOB eth0:10.0.0.7<0>",
        f"NCCL INFO comm 0x55d0c8a3b2f0 rank 3 nranks 8 cudaDev 3 nvmlDev 3 busId 9b000 commId 0x{lot(16, HEX)} - Init COMPLETE",
        "NCCL INFO Channel 00/0 : 3[3] -> 4[4] via P2P/CUMEM/read",
        "TRTLLM: [TensorRT-LLM][INFO] Engine version 0.12.0 found in the config file, assuming engine(s) built by new builder API.",
        "[TRT] Using cublasLt as plugin tactic source, key: 0x1f2e3d4c",
        f"triton cache /root/.triton/cache/{lot(52, _BASE32)}/matmul_kernel.cubin",
        f"torchinductor: /tmp/torchinductor_root/{lot(2, LOWER)}/c{lot(51, LOWER)}.py",
        f"compiled kernel triton_poi_fused__to_copy_add_mul_{lot(2, '0123456789')}d0d1d2d3 in 1.2s",
        "ptxas info    : Compiling entry function '_ZN7cutlass6KernelINS_4gemm6kernel4GemmINS1_11threadblock13MmaMultistageE' for 'sm_80'",
        "ptxas info    : Used 168 registers, 476 bytes cmem[0], 24 bytes cmem[2]",
        "cuobjdump: elf link: tmpxft_00007f3a_00000000-6_kernels.sm_90a.cubin",
        "fatbin data: /tmp/tmpxft_0003d090_00000000-7_vecadd.fatbin.c",
        "hipErrorNoBinaryForGpu: Unable to find code object for all current devices! gfx1103:sramecc-:xnack-",
        "rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary_lazy_gfx1036.dat: No such file or directory",
        "MIOpen(HIP): Warning [SQLiteBase] Missing system database file: gfx90a68.kdb Performance may degrade.",
        "amdgpu 0000:c3:00.0: amdgpu: PSP runtime database doesn't exist, ring token 0x0",
        "vulkan: driverUUID 3ad9b3b7-1c4a-5f2e-8a70-64f1a9c1c0de deviceLUID 0000000000000000",
        "llvmpipe (LLVM 17.0.6, 256 bits) pipelineCacheUUID 32322e32-2e30-2020-2020-202020202020",
        "ggml_vulkan: 0 = NVIDIA L40S (NVIDIA) | uma: 0 | fp16: 1 | warp size: 32 | shared memory: 49152 | int dot: 1 | matrix cores: KHR_coopmat",
        "load_backend: loaded CUDA backend from /usr/lib/ollama/cuda_v13/libggml-cuda.so",
        "print_info: vocab type       = BPE, n_vocab = 151936, n_merges = 151387, EOG token = 151645 '<|im_end|>'",
        "srv  update_slots: cache reuse is not supported - keys will be recomputed, n_past = 512",
        "slot launch_slot_: id  0 | task 0 | processing task, token budget 8192",
        "INFO 01-02 03:04:05 [kv_cache_utils.py:634] GPU KV cache size: 431,120 tokens; key blocks: 26945",
        "INFO [loader.py:447] Loading weights took 12.07 seconds, prefix hash sha256_cbor_64bit",
        "vLLM API server version 0.9.1, api_key=None, tokenizer_mode='auto', trust_remote_code=False",
        "Flash attention: head_dim 128, key stride 1024, pass 2/3",
        f"snapshot /root/.cache/huggingface/hub/models--Qwen--Qwen2.5-7B/snapshots/{lot(40, HEX)}/model-00001-of-00004.safetensors",
        f"blob {lot(64, HEX)} is 4.7 GB",
        "safetensors key model.layers.17.self_attn.k_proj.weight torch.bfloat16 [1024, 3584]",
        "missing keys: ['lm_head.weight'], unexpected keys: ['score.weight']",
        "cudnn frontend: plan_tag ConvFwd_eng48_k2=17_k22=3, key hash 8123749812374981237",
        "cublasLtMatmulAlgoGetHeuristic: algo id 21 tile 20 stages 17 splitK 1 token 0",
        "OpenCL platform UUID 5a2b6c1e; driver key NVIDIA_OpenCL_550.54.15",
        "ld.so: object '/usr/lib/libvgpu_token_guard.so' from LD_PRELOAD cannot be preloaded: ignored.",
        "dlsym(RTLD_NEXT, cuGetProcAddress_v2_ptsz) = 0x7f2b8c0d1e50",
        "version `CUDA_12.4.99_4A7B9C2D1E0F' not found (required by libnvrtc-builtins.so.12.4)",
        f"BuildID[sha256]={lot(64, HEX)}, for GNU/Linux 3.2.0, with debug_info",
        f"docker: cgroup /system.slice/docker-{lot(64, HEX)}.scope",
        f"podman: /var/lib/containers/storage/overlay/{lot(64, HEX)}/diff/usr/lib64/libcuda.so.1",
        f"nix: /nix/store/{lot(32, LOWER)}-nvidia-x11-560.35.03-6.6.58/lib/libnvidia-ptxjitcompiler.so.1",
    ):
        yield Shape("log", [text], [])
    for name, value in (
        ("NVIDIA_VISIBLE_DEVICES", f"MIG-{_uuid()},MIG-{_uuid()}"),
        ("CUDA_DISABLE_PTX_JIT", "1"),
        ("TRITON_CACHE_DIR", f"/scratch/{lot(32, LOWER)}/triton"),
        ("NVIDIA_IMEX_CHANNELS", "0,1"),
        ("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "37.5"),
        ("OLLAMA_KV_CACHE_TYPE", "q8_0"),
        ("HSA_ENABLE_SDMA", "0"),
        ("NCCL_TOPO_FILE", "/var/run/nvidia-topologyd/virtualTopology.xml"),
        ("LIBVA_DRIVERS_PATH", "/usr/lib/x86_64-linux-gnu/dri"),
    ):
        yield env(name, value, "-")
    yield words(["llama-server", "--cache-type-k", "q8_0", "--slot-save-path", "/s", "--keep", "-1", "-sp"])
    yield words(["vllm", "serve", "m", "--tokenizer-mode", "auto", "--max-num-batched-tokens", "8192", "-tp", "2"])
    yield words(["nsys", "profile", "-p", "false", "--session-new=s1", "-w", "true", "./a.out"])
    yield words(["trtexec", f"--loadEngine=/e/{lot(20, UPPER)}.plan", "--useCudaGraph", "-w", "200"])
