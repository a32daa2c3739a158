# ruff: noqa: E501
"""Shapes taken from public lists of rules (gitleaks, TruffleHog, detect-secrets) and from providers' own pages."""

from collections.abc import Iterator

from .more_samples import B64, HEX, LOWER, UPPER, URLSAFE, Shape, lot, shapes_of

_DIGITS = "0123456789"


def _lines() -> Iterator[tuple[str, str]]:
    """A line with `{}`, and the secret that stands there."""
    yield "fireworks client ready with {}", "fw_" + lot(24)
    yield "elevenlabs: voice request as {}", "sk_" + lot(48, HEX)
    yield "voyage embeddings, key={}", "pa-" + lot(43, URLSAFE)
    yield (
        "langfuse flush failed for {}",
        f"sk-lf-{lot(8, HEX)}-{lot(4, HEX)}-{lot(4, HEX)}-{lot(4, HEX)}-{lot(12, HEX)}",
    )
    yield "resend: sent by {}", f"re_{lot(8)}_{lot(24)}"
    yield "modal token set --token-id ak-{0} --token-secret {}".replace("{0}", lot(22)), "as-" + lot(22)
    yield "inngest event key {}", "signkey-prod-" + lot(64, HEX)
    yield "sonarqube scan with {}", "squ_" + lot(40, HEX)
    yield "nuget push pkg -k {}", "oy2" + lot(43, LOWER)
    yield "octopus deploy: {}", "API-" + lot(26, UPPER)
    yield "airtable base read by {}", f"pat{lot(14)}.{lot(64, HEX)}"
    yield "asana says {}", f"1/{lot(16, _DIGITS)}:{lot(32, HEX)}"
    yield "mapbox tiles with {}", f"sk.eyJ1{lot(60)}.{lot(22, URLSAFE)}"
    yield "cloudflare origin ca {}", f"v1.0-{lot(24, HEX)}-{lot(146, HEX)}"
    yield "duffel search by {}", "duffel_live_" + lot(43, URLSAFE)
    yield "easypost rate {}", "EZAK" + lot(54)
    yield "plaid link {}", f"access-sandbox-{lot(8, HEX)}-{lot(4, HEX)}-{lot(4, HEX)}-{lot(4, HEX)}-{lot(12, HEX)}"
    yield "maxmind update {}", f"{lot(6)}_{lot(29)}_mmk"
    yield "okta: Authorization: SSWS {}", "00" + lot(40, URLSAFE)
    yield "harness delegate {}", f"pat.{lot(22, URLSAFE)}.{lot(24, HEX)}.{lot(20)}"
    yield "typeform responses {}", f"tfp_{lot(44)}_{lot(14)}"
    yield "square charge {}", "sq0csp-" + lot(43, URLSAFE)
    yield "clickhouse cloud {}", "4b1d" + lot(38)
    yield "scalingo: {}", "tk-us-" + lot(48, URLSAFE)
    yield "yandex iam {}", f"t1.{lot(60, URLSAFE)}.{lot(86, URLSAFE)}"
    yield "trigger.dev run by {}", "tr_prod_" + lot(20)
    yield "svix endpoint {}", "whsec_" + lot(32, B64)
    yield "kubeadm join 10.0.0.1:6443 --token {}", f"{lot(6, LOWER)}.{lot(16, LOWER)}"
    yield "minio: user admin pass {}", "minioadmin123"
    yield "I0101 grpc metadata: x-goog-api-key={}", "AIza" + lot(35, URLSAFE)
    yield (
        "teams hook https://acme.webhook.office.com/webhookb2/{}",
        f"{lot(8, HEX)}-{lot(4, HEX)}@{lot(8, HEX)}/IncomingWebhook/{lot(32, HEX)}",
    )
    yield "rclone: pass = {}", lot(30, URLSAFE)
    yield "wg set wg0 private-key: {}", lot(43, B64) + "="
    yield "PrivateKey = {}", lot(43, B64) + "="
    yield "PresharedKey = {}", lot(43, B64) + "="
    yield "machine api.example.org login bob password {}", "hunter2hunter2"
    yield '  File "/srv/app.py", line 3, in main\n    client = Client("https://h", auth=("bob", "{}"))', "tr0mb0ne"
    yield '    raise AuthError(f"bad key {}")', "gsk_" + lot(52)
    yield 'KeyError: "{}"', "xai-" + lot(80)
    yield "ValueError: could not parse 'postgresql://svc:{}@10.0.0.5/db'", "p%40ss/w0rd"
    yield (
        "AZURE_STORAGE_CONNECTION_STRING=DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
        lot(86, B64) + "==",
    )
    yield "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}", lot(43, B64) + "="
    yield (
        "HostName=h.azure-devices.net;DeviceId=d;SharedAccessSignature=SharedAccessSignature sr=h&sig={}&se=1",
        lot(43) + "%3D",
    )
    yield "databricks: https://adb-1.azuredatabricks.net token={}", "dapi" + lot(32, HEX) + "-2"
    yield "_json_key: {}", lot(88, B64) + "=="
    yield '"auths": {{"nvcr.io": {{"auth": "{}"}}}}', lot(84, B64)
    yield "cookie jar: .example.org TRUE / TRUE 0 session {}", lot(64, HEX)
    yield "GET /v1/models?access_token={}&limit=1 HTTP/1.1 200", lot(64, URLSAFE)
    yield "ws://127.0.0.1:8888/?token={}", lot(48, HEX)
    yield "    http://127.0.0.1:8888/lab?token={}", lot(48, HEX)
    yield "[I] ServerApp password hash argon2:{}", f"$argon2id$v=19$m=10240,t=10,p=8${lot(22, B64)}${lot(43, B64)}"
    yield "ssh://git:{}@host:2222/r.git", "gitPw/with:odd"


def _arguments() -> Iterator[tuple[list[str], str]]:
    yield ["text-generation-launcher", "--api-key", "{}"], "tgi-secret"
    yield ["ray", "start", "--redis-password", "{}"], "5241590000000000"
    yield ["jupyter", "lab", "--NotebookApp.token={}"], lot(32, HEX)
    yield ["jupyter", "lab", "--IdentityProvider.token", "{}"], lot(32, HEX)
    yield ["borg", "create", "--encryption-passphrase={}"], "borg says hi"
    yield ["restic", "-o", "s3.secret-access-key={}"], lot(40, B64)
    yield ["huggingface-cli", "login", "--token", "{}"], "hf_" + lot(34)
    yield ["wandb", "login", "--relogin", "{}"], lot(40, HEX)
    yield ["ollama", "signin", "--key", "{}"], lot(43, B64)
    yield ["vllm", "serve", "m", "--api-key={}"], "EMPTYish1"
    yield ["llama-server", "--api-key", "{}"], "abcd"
    yield ["/srv/run-{}.sh"], "ghp_" + lot(36)
    yield ["aria2c", "--rpc-secret={}"], "aria2pw"


def _variables() -> Iterator[tuple[str, str, str]]:
    yield "RAY_REDIS_PASSWORD", "{}", "5241590000000000"
    yield "JUPYTER_TOKEN", "{}", lot(32, HEX)
    yield "NGC_CLI_API_KEY", "{}", lot(84, B64)
    yield "HF_HUB_TOKEN_PATH_CONTENT", "hf_{}", lot(34)
    yield "WANDB_API_KEY", "{}", lot(40, HEX)
    yield "CLEARML_API_SECRET_KEY", "{}", lot(50)
    yield "NEPTUNE_API_TOKEN", "{}", "eyJhcGlfYWRkcmVzcyI6" + lot(60, B64)
    yield "CUDA_MODULE_LOADING", "EAGER {}", "sk-proj-" + lot(48, URLSAFE)
    yield "LD_PRELOAD", "/opt/{}/libshim.so", "nvapi-" + lot(64, URLSAFE)
    yield "DATABASE_URL", "postgresql://u:{}@db/x", "pgPw#77"


def listed() -> list[Shape]:
    """75 of them."""
    return shapes_of(_lines(), _arguments(), _variables())


HARMLESS_VARIABLES = [
    "CUDA_DEVICE_MAX_CONNECTIONS=1",
    "CUDA_CACHE_PATH=/home/u/.nv/ComputeCache",
    "CUDA_MPS_PIPE_DIRECTORY=/tmp/nvidia-mps",
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=50",
    "NVIDIA_VISIBLE_DEVICES=MIG-GPU-3f9a8b7c-6d5e-4f3a-2b1c-0d9e8f7a6b5c/1/0",
    "CUDA_VISIBLE_DEVICES=GPU-8f2e1d0c-1b2a-3c4d-5e6f-708192a3b4c5,GPU-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=470,driver<471",
    "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    "NVIDIA_IMEX_CHANNELS=0",
    "NV_CUDA_LIB_VERSION=12.4.1-1",
    "NV_LIBNCCL_PACKAGE=libnccl2=2.21.5-1+cuda12.4",
    "NV_CUDA_CUDART_VERSION=12.4.127-1",
    "NCCL_UNIQUE_ID_FILE=/tmp/nccl.id",
    "NCCL_IB_HCA==mlx5_0:1,mlx5_1:1",
    "NCCL_TOPO_FILE=/opt/microsoft/ndv4-topo.xml",
    "NCCL_NET_GDR_LEVEL=PHB",
    "NCCL_ALGO=allreduce:tree,ring",
    "UCX_TLS=rc,cuda_copy,cuda_ipc,gdr_copy",
    "UCX_NET_DEVICES=mlx5_0:1",
    "HSA_OVERRIDE_GFX_VERSION=10.3.0",
    "HIP_VISIBLE_DEVICES=0,1",
    "ROCR_VISIBLE_DEVICES=GPU-DEADBEEFDEADBEEF",
    "HSA_ENABLE_SDMA=0",
    "PYTORCH_HIP_ALLOC_CONF=garbage_collection_threshold:0.8,max_split_size_mb:512",
    "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True,roundup_power2_divisions:[256:1,512:2,1024:4,>:8]",
    "PYTORCH_ROCM_ARCH=gfx906;gfx908;gfx90a;gfx942;gfx1100",
    "TORCH_CUDA_ARCH_LIST=7.0 7.5 8.0 8.6 9.0a+PTX",
    "TORCHINDUCTOR_CACHE_DIR=/tmp/torchinductor_root",
    "TRITON_CACHE_DIR=/root/.triton/cache",
    "XLA_FLAGS=--xla_gpu_cuda_data_dir=/usr/local/cuda --xla_dump_to=/tmp/x",
    "XLA_PYTHON_CLIENT_MEM_FRACTION=.75",
    "TF_GPU_ALLOCATOR=cuda_malloc_async",
    "TF_XLA_FLAGS=--tf_xla_auto_jit=2",
    "VLLM_ATTENTION_BACKEND=FLASH_ATTN_VLLM_V1",
    "VLLM_USE_TRITON_FLASH_ATTN=0",
    "VLLM_MAX_TOKENS_PER_SEQUENCE=8192",
    "OLLAMA_KV_CACHE_TYPE=q8_0",
    "OLLAMA_LLM_LIBRARY=cuda_v12_avx2",
    "OLLAMA_NUM_PARALLEL=4",
    "OLLAMA_KEEP_ALIVE=24h0m0s",
    "OLLAMA_HOST=0.0.0.0:11434",
    "OLLAMA_ORIGINS=http://localhost:3000,app://*",
    "GGML_CUDA_ENABLE_UNIFIED_MEMORY=1",
    "GGML_VK_VISIBLE_DEVICES=0",
    "LLAMA_ARG_HF_REPO=unsloth/DeepSeek-R1-Distill-Qwen-7B-GGUF:Q4_K_M",
    "LLAMA_ARG_CTX_SIZE=32768",
    "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/nvidia_icd.x86_64.json",
    "VK_LOADER_DEBUG=error,warn,info",
    "VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation",
    "OCL_ICD_VENDORS=/etc/OpenCL/vendors",
    "CUDNN_LOGDEST_DBG=stderr",
    "CUBLAS_WORKSPACE_CONFIG=:4096:8",
    "CUBLASLT_LOG_MASK=0",
    "NVIDIA_TF32_OVERRIDE=0",
    "CUDA_INJECTION64_PATH=/opt/nsight/libToolsInjection64.so",
    "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4.5.9:/opt/hami/libvgpu.so",
    "CUDA_DEVICE_MEMORY_SHARED_CACHE=/tmp/vgpu/cf4e2c41-91b1-4b0d-9dfc-a4df9c4e8f27.cache",
    "CUDA_DEVICE_MEMORY_LIMIT_0=3000m",
    "GPU_CORE_UTILIZATION_POLICY=force",
    "TOKENIZERS_PARALLELISM=false",
    "HF_HUB_ENABLE_HF_TRANSFER=1",
    "MAX_TOTAL_TOKENS=4096",
    "MAX_BATCH_PREFILL_TOKENS=16384",
    "HF_HOME=/data/huggingface/hub/models--meta-llama--Llama-3.1-8B/snapshots/0e9e39f249a16976918f6564b8830bc894c89659",
    "KMP_AFFINITY=granularity=fine,verbose,compact,1,0",
    "SLURM_JOB_GPUS=0,1",
    "PATH=/usr/local/nvidia/bin:/usr/local/cuda-12.4/bin:/usr/bin",
    "NVCC_PREPEND_FLAGS=-ccbin /usr/bin/g++-12",
    "TORCH_NCCL_ASYNC_ERROR_HANDLING=1",
    "NVTE_FUSED_ATTN_BACKEND=1",
]
"""Settings of drivers, shims, frameworks and servers."""
HARMLESS_WORDS = [
    'vllm', 'serve', 'meta-llama/Llama-3.1-8B-Instruct', '--max-num-batched-tokens', '8192', '--kv-cache-dtype', 'fp8_e5m2', '--speculative-model', '[ngram]', '--tokenizer-mode', 'mistral', '--tokenizer', 'hf-internal-testing/llama-tokenizer', '--rope-scaling', '{"type":"yarn","factor":4.0}', '--override-generation-config', '{"max_new_tokens":512}', '--guided-decoding-backend', 'xgrammar', '--max-tokens', '256', '--token-classification', 'x', '--eos-token-id', '128001', '--bos-token', '<s>', '--pad-token', '<pad>', '--key-cache', 'f16', '--cache-type-k', 'q8_0', '-ctk', 'q4_0', '--passes', '3', '--auth-mode', 'none', '--secret-santa', 'no', '--keypoint-model', 'yolo11n-pose', '--sort-key', 'name', '--session-timeout', '30', '--key-heads', '8', '--n-kv-heads=8', '--tokens-per-second=20', '--pwd=/srv/app',
]  # fmt: skip
HARMLESS_LINES = [
    "ggml_cuda_init: found 1 CUDA devices: Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes",
    "llm_load_print_meta: BOS token = 128000 '<|begin_of_text|>'",
    "llm_load_print_meta: EOG token = 128008 '<|eom_id|>'",
    'time=2026-01-02 level=INFO source=sched.go:714 msg="new model will fit in available VRAM in single GPU, loading" model=/root/.ollama/models/blobs/sha256-6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa gpu=GPU-3f9a8b7c-6d5e-4f3a-2b1c-0d9e8f7a6b5c',
    "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
    "NCCL INFO comm 0x55d1c8f0a2b0 rank 0 nranks 8 cudaDev 0 busId 1b000 commId 0x7a5f3c1e9b2d4f60 - Init COMPLETE",
    "nvcc: error: token 'x' is not valid",
    "key_cache shape torch.Size([2048, 16, 8, 128])",
    "cuInit failed: CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)",
    "undefined symbol: _ZN3c104cuda29c10_cuda_check_implementationEiPKcS2_ib, version CUDA_12",
    "k_proj.weight q_proj.weight tokens/s: 43.2 passes: 3 key: value_proj",
    "session closed: idle; pass 2 of 3 done; auth: disabled; secret sharing: off",
    "BuildID[sha1]=9f1a5b3c7d9e2f4a6b8c0d1e3f5a7b9c1d3e5f70, for GNU/Linux 3.2.0",
    'tokenizer.ggml.tokens arr[str,128256] = ["!", """, "#", ...',
    "tokenizer.ggml.pre str = llama-bpe",
]
