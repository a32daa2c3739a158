# ruff: noqa: E501
"""Shapes in which secrets appear, from the public documentation of providers and programs; no real ones.

`{A20}` stands for 20 random characters of a kind: A letters and digits, L lower case and digits, U upper case and
digits, H hexadecimal, N digits, B base64, X letters, S letters digits `_-`, V upper case letters and 2-7, P a password
that a person would choose. A leak is any of these in what is shown. `␀` separates the arguments of a command.
"""

import random
import re

_KINDS = {
    "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "L": "abcdefghijklmnopqrstuvwxyz0123456789",
    "U": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "H": "0123456789abcdef",
    "N": "0123456789",
    "B": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "X": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "S": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
    "V": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
}
_PASSWORDS = ("hunter2", "Tr0ub4dor", "correcthorse", "s3cr3t!", "Passw0rd#9", "letmein", "qwertz42", "Sommer2024")
_HOLE = re.compile(r"\{([ALUHNBXSVP])(\d*)\}")


def fill(shape: str, seed: int = 0) -> tuple[str, list[str]]:
    """A text of this shape, and the secrets in it."""
    chance = random.Random(f"{shape}{seed}")
    secrets: list[str] = []

    def put(match: re.Match[str]) -> str:
        kind, length = match[1], int(match[2] or 0)
        made = (
            chance.choice(_PASSWORDS) + (match[2] if match[2] else "")
            if kind == "P"
            else "".join(chance.choice(_KINDS[kind]) for _ in range(length))
        )
        secrets.append(made)
        return made

    return _HOLE.sub(put, shape), secrets


TOKENS = """\
ghp_{A36}
gho_{A36}
ghu_{A36}
ghs_{A36}
ghr_{A76}
github_pat_{A22}_{A59}
glpat-{S20}
gldt-{S20}
glrt-{S20}
glcbt-{A5}_{S20}
glptt-{H40}
glft-{S20}
GR1348941{S20}
xoxb-{N12}-{N12}-{A24}
xoxp-{N11}-{N11}-{N12}-{H32}
xoxe.xoxp-1-{A140}
xapp-1-A{U10}-{N13}-{H64}
https://hooks.slack.com/services/T{U8}/B{U8}/{A24}
sk_live_{A24}
sk_test_{A24}
rk_live_{A24}
whsec_{A32}
AKIA{V16}
ASIA{V16}
aws_secret_access_key = {B40}
AWS_SESSION_TOKEN={B120}
AIza{S35}
ya29.{S60}
GOCSPX-{S28}
1//0{S60}
AccountKey={B86}==
SharedAccessKey={B43}=
https://x.blob.core.windows.net/c/f?sv=2022-11-02&sr=b&sig={A43}%3D
{S3}8Q~{S34}
npm_{A36}
pypi-AgEIcHlwaS5vcmc{S80}
hf_{X34}
api_org_{X34}
sk-{A20}T3BlbkFJ{A20}
sk-proj-{S60}
sk-ant-api03-{S93}AA
sk-or-v1-{H64}
nvapi-{S64}
dop_v1_{H64}
doo_v1_{H64}
SG.{S22}.{S43}
{N9}:AA{S33}
MTA{A21}.{S6}.{S27}
https://discord.com/api/webhooks/{N18}/{S68}
eyJhbGciOiJIUzI1NiJ9.eyJ{S40}.{S43}
eyJhbGciOiJSU0EtT0FFUCJ9.{S60}.{S16}.{S80}.{S22}
key-{H32}
{H32}-us12
SK{H32}
AC{H32}
xkeysib-{H64}-{A16}
dckr_pat_{S27}
dckr_oat_{S32}
hvs.{S90}
hvb.{S140}
{A14}.atlasv1.{S67}
pul-{H40}
dp.pt.{A43}
PMAK-{H24}-{H34}
lin_api_{A40}
ntn_{A46}
secret_{A43}
figd_{S40}
pat{A14}.{H64}
sntrys_{B80}_{B43}
sntryu_{H64}
NRAK-{U27}
NRJS-{H19}
glsa_{A32}_{H8}
glc_{B60}
dt0c01.{U24}.{U64}
sq0atp-{S22}
sq0csp-{S43}
EAAA{S60}
access_token$production${L16}${H32}
shpat_{H32}
shpss_{H32}
shpca_{H32}
HRKU-{S60}
fo1_{S43}
FlyV1 fm2_{B100}
nfp_{A36}
sbp_{H40}
sb_secret_{S31}
pscale_tkn_{S43}
pscale_pw_{S43}
napi_{L64}
ATATT3xFfGF0{S60}
ATBB{A32}
AKCp{A69}
cmVmdGtuOj{A54}
AGE-SECRET-KEY-1{U58}
ops_eyJ{S120}
tskey-auth-{A12}-{A32}
tskey-api-{A12}-{A32}
2{A26}_{A21}
EAACEdEose0cBA{A100}
AAAAAAAAAAAAAAAAAAAAA{A20}%3D{A40}
LTAI{A20}
AKID{A32}
AQVN{S36}
y0_{S55}
CFPAT-{S43}
tfp_{S40}_{S16}
fio-u-{S64}
EZAK{H54}
FLWSECK_TEST-{H32}-X
rdme_{L70}
shippo_live_{H40}
bkua_{H40}
CCIPAT_{A22}_{H40}
pnu_{A36}
sgp_{H16}_{H40}
CLOJARS_{H60}
aio_{A28}
ico-{A32}
sha256~{S43}
r8_{A37}
gsk_{A52}
pplx-{A48}
xai-{A80}
fw_{A24}
tgp_v1_{S43}
pa-{S43}
jina_{A60}
pcsk_{A5}_{A63}
lsv2_pt_{H32}_{H10}
lsv2_sk_{H32}_{H10}
csk-{L48}
dapi{H32}
rpa_{U40}
tvly-{A32}
fc-{H32}
wandb_v1_{A80}
oy2{L43}
rubygems_{H48}
cio{A32}
{L6}.{L16} is the bootstrap token
sk.eyJ1Ijoi{A60}.{S22}
v2.local.{S100}
$2b$12${A53}
$6${A16}${A86}
$argon2id$v=19$m=65536,t=3,p=4${B22}${B43}
BEARER {S43}
live_{A32}_{A20}
phx_{A43}
phc_{A43}
vercel_blob_rw_{A16}_{A30}
TFE.{A14}.atlasv1.{S60}
amzn.mws.{H8}-{H4}-{H4}-{H4}-{H12}
SCW{U17} secret {H8}-{H4}-{H4}-{H4}-{H12}
akm_{A40}
mfp_{S43}
""".splitlines()

LINES = """\
Authorization: Bearer {S40}
Authorization: Basic {B30}==
authorization: Token {H40}
Authorization: ApiKey {A30}
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, Signature={H64}
Authorization: Digest username="bob", realm="x", nonce="{H32}", response="{H32}"
Authorization: Negotiate {B80}==
Authorization: GenieKey {H8}-{H4}-{H4}-{H4}-{H12}
Authorization: {H40}
Proxy-Authorization: Basic {B28}
"Authorization": "Bearer {S40}"
-H 'Authorization: SSWS 00{S40}'
X-Api-Key: {A32}
x-auth-token: {H32}
X-Vault-Token: s.{A24}
PRIVATE-TOKEN: {S20}
Cookie: sessionid={L32}; csrftoken={A64}
Set-Cookie: sid={A40}; Path=/; HttpOnly
password={P}
password: {P}
password = "{P} and more, {P}"
Password='{P}, with comma'
passwd={P}
PASSWORD={P}
pwd={P}
passphrase: {P}
the password is {P}
password is: {P}
your new password: {P}
login failed for bob with password {P}
using passphrase '{P} with spaces'
secret: {P}
client_secret={A40}
client-secret: {A40}
clientSecret: "{A40}"
api_key={A32}
apikey: {A32}
apiKey="{H32}"
API-KEY {A32}
access_token={A40}
refresh_token={A40}
id_token={A40}
auth_token: {H40}
"token": "{A32}"
token={A24}
private_key={B60}
encryption_key: {B43}=
signing-key={H64}
secretAccessKey: "{B40}"
DB_PASS={P}
DB_PASSWORD={P}
MYSQL_ROOT_PASSWORD={P}
PGPASSWORD={P} psql
REDISCLI_AUTH={P}
export SECRET_KEY_BASE={H128}
env: map[API_TOKEN:{A32} HOME:/root]
{{'password': '{P}', 'user': 'bob'}}
{{"user":"bob","pass":"{P}"}}
<password>{P}</password>
<add key="ApiSecret" value="{A32}" />
postgres://bob:{P}@db/x
postgresql+psycopg2://bob:{P}@db:5432/x
mysql://root:{P}@127.0.0.1:3306/db
mongodb+srv://bob:{P}@cluster0.x.mongodb.net/
redis://:{P}@cache:6379/0
amqp://guest:{P}@mq:5672/%2f
https://oauth2:{A20}@gitlab.com/x.git
https://x-access-token:{A40}@github.com/x/y
http://{P}@proxy:3128
ftp://bob:{P}@ftp.example.org/x
smb://bob:{P}@nas/share
ldap://cn=admin:{P}@ldap
https://bob:{A900}@host/
sentry dsn https://{H32}@o1.ingest.sentry.io/5
https://api.x.com/v1?api_key={A32}&q=1
https://api.x.com/v1?access_token={A40}
https://api.x.com/v1?token={A20}
https://x.s3.amazonaws.com/f?X-Amz-Credential=AKIA{V16}%2F20240101&X-Amz-Signature={H64}
https://storage.googleapis.com/b/o?X-Goog-Signature={H128}
https://d1.cloudfront.net/f?Expires=1&Signature={B60}&Key-Pair-Id=K{U13}
https://maps.googleapis.com/x?key=AIza{S35}
https://x.com/reset?code={A32}
https://x.com/download?auth={H32}
https://x.com/cb#access_token={A40}&state=1
https://x.webhook.office.com/webhookb2/{H8}-{H4}-{H4}-{H4}-{H12}@{H8}-{H4}-{H4}-{H4}-{H12}/IncomingWebhook/{H32}/{H8}-{H4}-{H4}-{H4}-{H12}
Server=db;Database=x;User Id=sa;Password={P};Encrypt=true
Data Source=x;Uid=sa;Pwd={P}
DefaultEndpointsProtocol=https;AccountName=x;AccountKey={B86}==;EndpointSuffix=core.windows.net
Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={B43}=
host=db user=bob password={P} dbname=x
jdbc:mysql://db/x?user=bob&password={P}
jdbc:oracle:thin:bob/{P}@db:1521/x
sshpass -p {P} ssh bob@host
mysql -uroot -p{P} db
mysqldump -u root --password={P} db
redis-cli -a {P} ping
curl -u bob:{P} https://x
curl --user 'bob:{P}' https://x
curl -H "X-API-Key: {A32}" https://x
wget --http-password={P} https://x
wget --password {P} ftp://x
docker login -u bob -p {P} registry
ldapsearch -D cn=x -w {P} -b dc=x
openssl enc -k {P} -in x
openssl rsa -passin pass:{P} -in x
zip -P {P} a.zip b
7z x -p{P} a.7z
smbclient //nas/x -U bob%{P}
lftp -u bob,{P} host
mosquitto_pub -u bob -P {P} -t x
htpasswd -b file bob {P}
-----BEGIN RSA PRIVATE KEY-----\\n{B64}\\n{B40}==\\n-----END RSA PRIVATE KEY-----
-----BEGIN OPENSSH PRIVATE KEY----- {B64} {B64} -----END OPENSSH PRIVATE KEY-----
requests.exceptions.HTTPError: 401 for url: https://x.com/v1?api_key={A32}
  File "/app/x.py", line 3, in connect: connect(host='db', password='{P}')
  File "x.py", line 1, in <module> login("bob", token="{A32}")
KeyError: 'ghp_{A36}'
open("/run/creds/ghp_{A36}") = 3
/tmp/upload-npm_{A36}.log
argument --api-key={A32} is not known
logging in with api key {A32}
Using token hf_{X34} from the environment
bot token {N10}:{S35}
got key sk-{A48}, len 51
level=INFO msg="server config" env="map[HF_TOKEN:hf_{X34} OLLAMA_HOST:x]"
wifi psk={P}123
snmp community={P}
PrivateKey = {B43}=
machine github.com login bob password {P}
//npm.example.org/:_authToken={A36}
_auth={B40}
kubectl --token={A40} get pods
cloudflared tunnel run --token {A100}
jupyter notebook --NotebookApp.token={H48}
http://localhost:8888/?token={H48}
http://127.0.0.1:8888/lab?token={H48}
AZURE_CLIENT_SECRET={S40}
WANDB_API_KEY={H40}
wandb login {H40}
Bearer realm="x" error: {S40} is not a valid token
invalid api key provided: {A48}
Incorrect API key provided: sk-{A8}
credentials: bob / {P}
user=bob pass={P}
bob:{P}@host.example.org
""".splitlines()

ARGUMENTS = """\
serve␀--token␀{P}
serve␀--api-key␀{A32}
serve␀-api_key={P}
serve␀--password␀{P} with space
mysql␀-u␀root␀-p{P}
mysql␀-u␀root␀-p␀{P}
mariadb␀--password={P}
mysqladmin␀-p{P}␀status
psql␀postgres://bob:{P}@h/db
psql␀host=h password={P}
sshpass␀-p␀{P}␀ssh␀h
sshpass␀-p{P}␀ssh␀h
redis-cli␀-a␀{P}
redis-server␀--requirepass␀{P}
mongosh␀-u␀bob␀-p␀{P}
mongodump␀--password␀{P}
curl␀-u␀bob:{P}␀https://x
curl␀-ubob:{P}␀https://x
curl␀--user␀bob:{P}
curl␀--proxy-user␀bob:{P}
curl␀-H␀Authorization: Bearer {S40}
curl␀-d␀{{"password":"{P}"}}␀https://x
curl␀-b␀session={A32}␀https://x
curl␀--oauth2-bearer␀{S40}
wget␀--password={P}␀https://x
wget␀--header=X-Api-Key: {A32}
docker␀login␀-p␀{P}
docker␀run␀-e␀API_KEY={A32}␀x
docker␀run␀--env␀DB_PASSWORD={P}␀x
podman␀login␀--password␀{P}
skopeo␀copy␀--src-creds␀bob:{P}␀a␀b
helm␀repo␀add␀--password␀{P}
ldapsearch␀-w␀{P}
openssl␀enc␀-pass␀pass:{P}
zip␀-P␀{P}␀x
unzip␀-P␀{P}␀x
7z␀x␀-p{P}␀a
gpg␀--passphrase␀{P}
ssh-keygen␀-N␀{P}␀-f␀x
keytool␀-storepass␀{P}
ipmitool␀-U␀a␀-P␀{P}
snmpget␀-c␀{P}␀h
xfreerdp␀/p:{P}␀/v:h
sqlcmd␀-U␀sa␀-P␀{P}
sqlplus␀bob/{P}@db
smbclient␀-U␀bob%{P}
lftp␀-u␀bob,{P}␀h
mosquitto_sub␀-P␀{P}
htpasswd␀-b␀f␀bob␀{P}
http␀-a␀bob:{P}␀x
svn␀--password␀{P}
az␀login␀-p␀{P}
vault␀login␀{A26}
huggingface-cli␀login␀--token␀hf_{X34}
ngrok␀config␀add-authtoken␀{A49}
tailscale␀up␀--authkey␀tskey-auth-{A12}-{A32}
ollama␀run␀x␀--keepalive␀1m␀--auth␀{P}
mount␀-o␀username=bob,password={P}␀x
useradd␀-p␀$6${A16}${A86}␀x
sh␀-c␀mysql -pxX{A9} db
sh␀-c␀export TOKEN={A20}; serve
sh␀-c␀sshpass -p '{P}' ssh h
bash␀-lc␀curl -u bob:{P} https://x | tee y
bash␀-c␀PGPASSWORD='{P} with space' psql
python␀serve.py␀secret={P}
python␀-c␀connect(password="{P}")
java␀-Djavax.net.ssl.keyStorePassword={P}␀-jar␀x
java␀-Ddb.password={P}␀Main
node␀--apiToken={A24}
vllm␀serve␀m␀--api-key␀{P}
text-generation-launcher␀--api-key␀{A32}
llama-server␀-m␀x␀--api-key␀{P}
steamcmd␀+login␀bob␀{P}
nmcli␀dev␀wifi␀connect␀x␀password␀{P}
rclone␀--webdav-pass␀{A22}
restic␀-o␀s3.secret={A40}
mc␀alias␀set␀m␀https://x␀{A20}␀{A40}
s3cmd␀--secret_key={B40}
git␀clone␀https://bob:{A20}@github.com/x
git␀-c␀http.extraheader=Authorization: Basic {B40}␀fetch
""".splitlines()

HARMLESS_VALUES = """\
CUDA_VISIBLE_DEVICES=GPU-5151a9b3-7c1d-4e2f-9a0b-1c2d3e4f5a6b
CUDA_VISIBLE_DEVICES=MIG-GPU-5151a9b3-7c1d-4e2f-9a0b-1c2d3e4f5a6b/7/0
CUDA_VISIBLE_DEVICES=MIG-5151a9b3-7c1d-5e2f-9a0b-1c2d3e4f5a6b
CUDA_VISIBLE_DEVICES=0,1,2,3
NVIDIA_VISIBLE_DEVICES=all
NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics,video
NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=470,driver<471 brand=unknown,driver>=470
LD_PRELOAD=/usr/local/vgpu/libvgpu.so:/opt/shim/libcuda-shim-1.2.3.so
LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64:/usr/lib/x86_64-linux-gnu
OLLAMA_LLM_LIBRARY=cuda_v12
OLLAMA_HOST=0.0.0.0:11434
OLLAMA_NUM_PARALLEL=4
OLLAMA_KEEP_ALIVE=24h
OLLAMA_AUTH=false
OLLAMA_MODELS=/usr/share/ollama/.ollama/models
OLLAMA_ORIGINS=app://*,file://*,http://localhost:*
HSA_OVERRIDE_GFX_VERSION=10.3.0
ROCR_VISIBLE_DEVICES=0
HIP_VISIBLE_DEVICES=GPU-9f2b7e01aa34c5d6
JAX_PLATFORMS=cpu
XLA_FLAGS=--xla_gpu_cuda_data_dir=/usr/local/cuda --xla_gpu_enable_triton_gemm=false
XLA_PYTHON_CLIENT_MEM_FRACTION=.75
TF_FORCE_GPU_ALLOW_GROWTH=true
TORCH_CUDA_ARCH_LIST=7.0 7.5 8.0 8.6 8.9 9.0+PTX
PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True,max_split_size_mb:128
NCCL_SOCKET_IFNAME=eth0
NCCL_BYPASS_CHECK=1
CUDA_CACHE_PATH=/root/.nv/ComputeCache
CUDA_MODULE_LOADING=LAZY
CUDA_DEVICE_MEMORY_LIMIT=4g
CUDA_DEVICE_SM_LIMIT=50
GGML_CUDA_ENABLE_UNIFIED_MEMORY=1
GGML_VK_VISIBLE_DEVICES=0
TOKENIZERS_PARALLELISM=false
MAX_TOKENS=4096
VLLM_ATTENTION_BACKEND=FLASH_ATTN
VK_ICD_FILENAMES=/usr/share/vulkan/icd.d/nvidia_icd.x86_64.json
LIBVA_DRIVER_NAME=nvidia
__NV_PRIME_RENDER_OFFLOAD=1
CUDA_INJECTION64_PATH=/opt/nvidia/nsight/libToolsInjection64.so
PATH=/usr/local/cuda-12.4/bin:/usr/local/sbin:/usr/bin
PWD=/home/me/work
GPU_FORCE_64BIT_PTR=1
""".splitlines()

HARMLESS_LINES = """\
print_info: EOG token        = 128001 '<|end_of_text|>'
print_info: BOS token        = 1 '<s>'
llama_model_loader: - kv  20:  tokenizer.ggml.bos_token_id u32 = 128000
slot update_slots: id 0 | task 5 | n_tokens = 1440, memory_seq_rm [6499, end)
time=2026-01-02T03:04:05Z level=WARN msg="key not found" key=general.alignment default=32
level=INFO source=types.go:42 msg="inference compute" id=GPU-5151a9b3-7c1d-4e2f-9a0b-1c2d3e4f5a6b library=CUDA pci_id=0000:00:05.0
env=map[OLLAMA_AUTH:false OLLAMA_DEBUG:INFO CUDA_VISIBLE_DEVICES:GPU-5151a9b3-7c1d-4e2f-9a0b-1c2d3e4f5a6b]
cuModuleLoadData failed with 218, basic block 3
author: somebody
time=2026-01-02 level=INFO msg="starting runner" cmd="/usr/bin/ollama runner --ollama-engine --model /root/.ollama/models/blobs/sha256-74701a8c35f6c8d9a4b91f3f3497643001d63e0c7a84e085bed452548fa88d45 --port 41283"
void cutlass::Kernel2<cutlass_80_tensorop_h16816gemm_256x64_32x4_nn_align8>(T1::Params)
_ZN7cutlass6KernelI4GemmILi128ELi128ELi32EEEEvNT_6ParamsE was launched
undefined symbol: _ZN3c104cuda20getStreamFromExternalEP11CUstream_sta
ImportError: libcudart-d0da41ae.so.11.0: cannot open shared object file: No such file or directory
/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05 build-id 3f786850e387550fdab836ed7e6dc881de23001b
ggml_cuda_init: found 1 CUDA devices: Device 0: NVIDIA GeForce RTX 3060, compute capability 8.6, VMM: yes
[GIN] 2026/01/02 - 03:04:05 | 200 | 1.234s | 127.0.0.1 | POST "/api/generate"
load_tensors: offloaded 33/33 layers to GPU
cudaStreamBeginCaptureToGraph cuDevicePrimaryCtxRetain nvmlDeviceGetMemoryInfo_v2 cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags
container 3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed uses runtime nvidia
ampere_fp16_s16816gemm_fp16_128x128_ldg8_f2f_stages_32x5_nn 12.3 ms
Qwen2.5-Coder-32B-Instruct-IQ3_XXS.gguf Llama-3.2-1B-Instruct-Q4_K_M.gguf loaded
max_tokens=4096 temperature=0.7 stop_token=</s> pad_token=[PAD]
the token limit is 4096, 17 tokens per second
author of the key idea: nobody; secret sauce is batching
CUDA error: invalid device ordinal, key 3 of 5
pass 2 of 3, bypass: off, password-less login
ssh: Permission denied (publickey,password).
at 0x00007f3a5c0e1b40 in libcuda.so.1+0x2f3b40 rip 00007f3a5c0e1b40
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-4c1f9f2e-3b77-9bd1-7a35-16a0a8c5b7d2)
PCI:0000:65:00.0 10de:2331 class 030200
torch==2.5.1+cu124 nvidia-cublas-cu12==12.4.5.8 transformers@4.46.3
me@vm:~$ nvidia-smi
Driver/library version mismatch NVML library version: 580.95
http://localhost:11434/api/tags http://10.0.0.7:8080/v1/models?limit=10&key_only=false
https://registry.ollama.ai/v2/library/llama3/blobs/sha256:6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa
cudaMalloc@libcudart.so.12 cuInit@@libcuda.so.1
""".splitlines()

LATER = r"""\
kubectl create secret generic x --from-literal=password={P}
kubectl create secret docker-registry r --docker-password={P}
kubectl config set-credentials u --token={A40}
helm install x --set auth.password={P}
helm upgrade x --set-string db.rootPassword={P}
docker build --build-arg NPM_TOKEN={A36} .
docker swarm join --token SWMTKN-1-{L50}-{L25} 10.0.0.1:2377
kubeadm join 10.0.0.1:6443 --token {L6}.{L16} --discovery-token-ca-cert-hash sha256:aa
kubeadm init --certificate-key {H64}
export AWS_SECRET_ACCESS_KEY={B40}
aws configure set aws_secret_access_key {B40}
aws sts get-session-token says SessionToken: {B200}
"SecretAccessKey": "{B40}", "SessionToken": "{B200}"
gcloud auth activate-refresh-token me 1//0{S60}
gsutil -o Credentials:gs_secret_access_key={B40} ls
az storage blob list --account-key {B86}==
az login --service-principal -u x -p {S3}8Q~{S34} --tenant y
terraform apply -var db_password={P}
terraform apply -var="api_token={A32}"
TF_VAR_password={P} terraform plan
ansible-playbook -e ansible_password={P} x.yml
ansible-playbook -e "ansible_become_pass={P}" x.yml
vault kv put secret/x password={P}
vault write auth/approle/login role_id=x secret_id={H8}-{H4}-{H4}-{H4}-{H12}
VAULT_TOKEN=hvs.{S90} vault read x
consul acl token read -token {H8}-{H4}-{H4}-{H4}-{H12}
CONSUL_HTTP_TOKEN={H8}-{H4}-{H4}-{H4}-{H12}
etcdctl --user root:{P} get x
nats pub -s nats://bob:{P}@host x
nats --creds x --nkey SU{V56} sub
kafka.sasl.password={P}
sasl.jaas.config=org.apache.kafka.PlainLoginModule required username="bob" password="{P}";
spring.datasource.password={P}
spring.security.user.password: {P}
quarkus.datasource.password={P}
hibernate.connection.password {P}1
-Dhttp.proxyPassword={P}
-Djavax.net.ssl.trustStorePassword={P}
catalina: Setting property 'password' to '{P}'
Properties: {{user=bob, password={P}, ssl=true}}
DEBUG:urllib3: "GET /v1/models?api-key={A32} HTTP/1.1" 200
INFO httpx: HTTP Request: GET https://x.openai.azure.com/?api-key={H32}
requests: headers={{'Authorization': 'Bearer {S60}', 'Accept': '*/*'}}
Authorization header: Bearer {S60}
> authorization: Bearer {S60}
< set-cookie: __Secure-next-auth.session-token={S60}; Path=/
> x-goog-api-key: AIza{S35}
> x-api-key: sk-ant-api03-{S93}AA
> ocp-apim-subscription-key: {H32}
> cf-access-client-secret: {H64}
> x-amz-security-token: {B200}
> x-shopify-access-token: shpat_{H32}
> x-gitlab-token: {P}
> x-hub-signature-256: sha256={H64}
> x-figma-token: figd_{S40}
> apikey: {A32}
> api-key: {H32}
> DD-API-KEY: {H32}
> X-Plex-Token: {A20}
> X-Auth-Key: {H37}
> X-Redmine-API-Key: {H40}
> Authorization: Basic {B40}
websocket wss://x/ws?token={A32}
wss://gateway.discord.gg token {A24}.{S6}.{S38}
logged in as bob, session id {A32}
session_key={H64}
session token: {B64}
csrfmiddlewaretoken={A64}
JSESSIONID={U32}
PHPSESSID={L26}
connect.sid=s%3A{S32}.{B43}
laravel_session={A40}
APP_KEY=base64:{B43}=
DJANGO_SECRET_KEY='{A50}'
SECRET_KEY = 'django-insecure-{A50}'
JWT_SECRET={P}xyz
NEXTAUTH_SECRET={B43}=
RAILS_MASTER_KEY={H32}
COOKIE_SECRET={H64}
ENCRYPTION_KEY={H64}
FERNET_KEY={S43}=
AIRFLOW__CORE__FERNET_KEY={S43}=
CELERY_BROKER_URL=amqp://bob:{P}@mq//
DATABASE_URL=postgres://bob:{P}@db/x?sslmode=require
REDIS_URL=redis://default:{P}@c:6379
MONGO_URI=mongodb://bob:{P}@h1:27017,h2:27017/x?replicaSet=r
SENTRY_DSN=https://{H32}@o1.ingest.sentry.io/2
SLACK_WEBHOOK=https://hooks.slack.com/workflows/T{U8}/A{U9}/{N18}/{A24}
TEAMS=https://x.webhook.office.com/webhookb2/{H32}
https://discordapp.com/api/webhooks/{N18}/{S68}
https://api.telegram.org/bot{N10}:AA{S33}/getMe
https://hooks.zapier.com/hooks/catch/{N7}/{L7}
https://maker.ifttt.com/trigger/x/with/key/{S43}
https://outlook.office.com/webhook/{H8}-{H4}-{H4}-{H4}-{H12}/IncomingWebhook/{H32}
https://bob:{A20}@dev.azure.com/x
https://{A52}@dev.azure.com/x/_git/y
git remote set-url origin https://{A20}:x-oauth-basic@github.com/x
git credential: protocol=https host=x username=bob password={P}
svn co --username bob --password {P} x
npm config set //npm.example.org/:_authToken {A36}
npm login token npm_{A36}
pip install --index-url https://bob:{P}@pypi.x/simple y
pip install --extra-index-url https://__token__:pypi-AgEI{S80}@x/ y
twine upload -u __token__ -p pypi-AgEIcHlwaS5vcmc{S80} x
poetry config pypi-token.x pypi-AgEI{S80}
cargo login cio{A32}
gem push --key x --otp {N6}99
mvn deploy -Dpassword={P}
gradle publish -PossrhPassword={P}
sonar-scanner -Dsonar.login={H40}
sonar-scanner -Dsonar.token=squ_{H40}
codecov -t {H8}-{H4}-{H4}-{H4}-{H12}
gh auth login --with-token ghp_{A36}
GITHUB_TOKEN=ghs_{A36} act
glab auth login --token glpat-{S20}
CI_JOB_TOKEN={S20}
BUILDKITE_AGENT_TOKEN={H40}
buildkite-agent start --token {H40}
gitlab-runner register --registration-token GR1348941{S20}
actions-runner ./config.sh --token {U29}
jenkins -auth bob:{H32}
ssh -o ProxyCommand="sshpass -p {P} ssh x" y
scp with password: {P}
rsync rsync://bob:{P}@h/m
expect -c 'send "{P}\r"' password
echo {P} | sudo -S x # password
openssl pkcs12 -export -passout pass:{P}
openssl req -passin 'pass:{P} with space'
gpg --batch --passphrase '{P}' -c x
keytool -genkey -keypass {P} -storepass {P}
wpa_supplicant: psk="{P}abc"
nmcli c modify x wifi-sec.psk {P}abc
iwconfig wlan0 key s:{P}
hostapd: wpa_passphrase={P}abc
ppp: CHAP secret {P}1
mount.cifs //h/s /m -o user=bob,pass={P}
mount -t cifs -o username=bob,password={P},vers=3.0 //h/s /m
curl --data 'username=bob&password={P}' https://x
curl -F token={A32} https://x
curl https://x -H "Authorization: token ghp_{A36}"
curl -x http://bob:{P}@proxy:3128 https://x
http POST x password={P}
grpcurl -H 'authorization: bearer {S60}' h:443
psql "host=h user=bob password='{P} x' dbname=d"
pg_restore: connection to "postgresql://bob:{P}@h/d" failed
ORA-01017: invalid username/password; logon denied bob/{P}@db
mysql: [Warning] Access denied for 'bob' (using password: {P}1)
Access denied; the password was {P}
Das Passwort ist {P}
Passwort: {P}
mot de passe: {P}
contraseña: {P}
пароль: {P}
密码: {P}
pin: {N6}
OTP: {N6}9
2FA code {N6}9
recovery code: {A4}-{A4}-{A4}-{A4}
seed phrase: apple {P} zoo
wireguard: private key: {B43}=
PresharedKey = {B43}=
ssh-rsa private exponent {H256}
AGE-SECRET-KEY-PQ-1{U90}
ethereum private key 0x{H64}
btc wif 5{A50}
xprv9s21ZrQH143K{A95}
stripe: sk_live_51{A90}
whsec_{B40}
pk_test rk_live_{A90}
AccountKey={B86}== in connection string
SharedAccessSignature=sv=2021&sig={A43}%3D&se=2024
blob.core.windows.net/c?sp=r&st=x&se=y&spr=https&sv=2021&sr=b&sig={B43}%3D
cosmos AccountEndpoint=https://x/;AccountKey={B86}==;
redis x.redis.cache.windows.net:6380,password={B43}=,ssl=True
InstrumentationKey={H8}-{H4}-{H4}-{H4}-{H12}
new relic license key {H36}NRAL
datadog api key {H32}
DD_API_KEY={H32}
ROLLBAR_TOKEN={H32}
HONEYCOMB_API_KEY={A22}
algolia api key: {H32}
MAPBOX_TOKEN=pk.eyJ1{A60}.{S22}
twilio auth token: {H32}
TWILIO_AUTH_TOKEN={H32}
sendgrid key SG.{S22}.{S43}
mailgun private key key-{H32}
postmark X-Postmark-Server-Token: {H8}-{H4}-{H4}-{H4}-{H12}
OPENAI_API_KEY=sk-proj-{S120}
"openai_api_key": "sk-svcacct-{S80}"
ANTHROPIC_API_KEY=sk-ant-api03-{S93}AA
NGC_API_KEY={B84}
ngc key nvapi-{S64}
docker login nvcr.io -u $oauthtoken -p {B84}
HUGGING_FACE_HUB_TOKEN=hf_{X34}
login(token='hf_{X34}')
huggingface_hub: token hf_{X34} is invalid
WANDB_API_KEY={H40}
wandb: Appending key for api.wandb.ai: {H40}
COMET_API_KEY={A25}
NEPTUNE_API_TOKEN=eyJhcGlf{B120}==
MLFLOW_TRACKING_PASSWORD={P}
REPLICATE_API_TOKEN=r8_{A37}
CLEARML_API_SECRET_KEY={A48}
vllm --api-key token-{A12}
ollama: OLLAMA_API_KEY={H32}.{S24}
jupyter lab --ServerApp.token='{H48}'
--NotebookApp.password='argon2:$argon2id$v=19$m=10240,t=10,p=8${B22}${B22}'
ray start --redis-password='{P}'
tritonserver --grpc-restricted-key={P}
ssh-keygen -t rsa -N {P}
LDAP bind dn cn=x pw {P}1
radius secret={P}
snmp-server community {P}1
enable secret 5 $1${A4}${A22}
username bob password 7 {H14}
""".splitlines()
"""Written when all others were hidden, to see what the first lists had missed."""
