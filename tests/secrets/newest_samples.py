# ruff: noqa: E501
"""75 shapes made up without a look at the rules, and settings and options of GPU programs that are no secrets."""

from collections.abc import Iterator

from .more_samples import B64, HEX, UPPER, URLSAFE, Shape, lot, shapes_of


def _lines() -> Iterator[tuple[str, str]]:
    """A line with `{}`, and the secret that stands there."""
    yield "[supabase] using anon key {} for project abcd", f"eyJhbGciOiJIUzI1NiJ9.{lot(60, URLSAFE)}.{lot(43, URLSAFE)}"
    yield "posting to https://discord.com/api/webhooks/112233445566778899/{}", lot(68, URLSAFE)
    yield "GET /v1/models HTTP/1.1\\r\\nX-Api-Key: {}\\r\\nHost: x", lot(40)
    yield "curl: (22) url: https://api.example.com/run?apikey={}&model=a", lot(32, HEX)
    yield (
        'psycopg2.OperationalError: connection to server at "db" failed: postgresql://app:{}@db:5432/prod',
        "n0t-a-Secret%21x",
    )
    yield "redis.exceptions.AuthenticationError: redis://:{}@cache:6379/0", "sekret-redis-pw"
    yield "mongo connect mongodb+srv://svc:{}@cluster0.ab1cd.mongodb.net/db?retryWrites=true", "Mongo99pwXz"
    yield "amqp://worker:{}@rabbit:5672/%2f refused", "rabbitPW77"
    yield "DSN=Server=tcp:sql.example,1433;User ID=sa;Password={};Encrypt=true", "Azure!Pa55"
    yield "wandb: Using explicitly set API key {} from environment", lot(40, HEX)
    yield "huggingface_hub: logged in with token {}", "hf_" + lot(34)
    yield "HF_TOKEN={} python run.py", "hf_" + lot(34)
    yield "export OPENAI_API_KEY='{}'", "sk-proj-" + lot(48, URLSAFE)
    yield "anthropic client key: {}", "sk-ant-api03-" + lot(90, URLSAFE)
    yield "ngc config: apikey = {}", "nvapi-" + lot(64, URLSAFE)
    yield "docker login -u \\$oauthtoken -p {} nvcr.io", lot(84, B64)
    yield "AWS_SESSION_TOKEN={}", "IQoJb3JpZ2luX2VjE" + lot(200, B64)
    yield "aws_secret_access_key = {}", lot(40, B64)
    yield (
        "s3 presign https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE&X-Amz-Signature={}",
        lot(64, HEX),
    )
    yield "blob https://acct.blob.core.windows.net/c/m.gguf?sv=2022&sig={}&se=2026", lot(43) + "%3D"
    yield "gcs signed url https://storage.googleapis.com/b/o?X-Goog-Signature={}", lot(120, HEX)
    yield (
        'private_key_id: 0, "private_key": "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n"',
        "MIIE" + lot(120, B64),
    )
    yield "client_secret={} grant_type=client_credentials", lot(34, URLSAFE)
    yield "refresh_token: {}", "1//0" + lot(60, URLSAFE)
    yield "Set-Cookie: session={}; HttpOnly; Path=/", lot(44, URLSAFE)
    yield "Proxy-Authorization: Basic {}", "dXNlcjpwYXNzd29yZDEyMw=="
    yield "authorization: token {}", lot(40, HEX)
    yield '{{"user":"bob","passwd":"{}"}}', "correct horse"
    yield "login: bob / password: {}", "tiger7stripes"
    yield "sshpass -p {} ssh root@node7 nvidia-smi", "nodeRoot1"
    yield "Enter passphrase for key: {}", "open sesame 12"
    yield "vault: unseal key 1: {}", lot(44, B64)
    yield "root token: {}", "hvs." + lot(24)
    yield "ansible: ansible_become_pass={}", "becomeMe9"
    yield "kubectl: token: {}", f"eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.{lot(80, URLSAFE)}.{lot(86, URLSAFE)}"
    yield "tailscale up --authkey={}", "tskey-auth-" + lot(17) + "-" + lot(32)
    yield "ngrok config add-authtoken {}", lot(49, URLSAFE)
    yield "slack post failed xoxb-{}", f"{lot(12, '0123456789')}-{lot(12, '0123456789')}-{lot(24)}"
    yield "sending to https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/{}", lot(24)
    yield "telegram bot https://api.telegram.org/bot{}/sendMessage", f"{lot(9, '123456789')}:AA{lot(33, URLSAFE)}"
    yield "git clone https://oauth2:{}@gitlab.example.com/a/b.git", "glpat-" + lot(20, URLSAFE)
    yield "remote: https://x-access-token:{}@github.com/a/b", "ghs_" + lot(36)
    yield "npm ERR! //registry.npmjs.org/:_authToken={}", "npm_" + lot(36)
    yield "twine upload: password {}", "pypi-AgEIcHlwaS5vcmc" + lot(120, URLSAFE)
    yield "stripe key {} live", "sk_live_" + lot(24)
    yield "smtp AUTH PLAIN {}", "AGJvYgBodW50ZXIyMTIz" + lot(12, B64)
    yield "MYSQL_PWD={} mysqldump db", "dumpMe2024"
    yield "jdbc:mysql://db/x?user=a&password={}", "jdbcPw!9"
    yield "snowflake://u:{}@acc/db", "Sn0wfl4ke"
    yield "ldapsearch -D cn=admin -w {} -b dc=x", "LdapPw99!"


def _arguments() -> Iterator[tuple[list[str], str]]:
    yield ["mytool", "-p", "{}"], "Tr0ub4dor&3"
    yield ["mytool", "-P{}"], "S3cr3t!Wort"
    yield ["loader", "--db-password", "{}"], "plainword"
    yield ["loader", "--password={}"], "x y z"
    yield ["agent", "-pw", "{}"], "P4ssw0rd99"
    yield ["vllm", "serve", "--api-key", "{}"], "token-abc123"
    yield ["curl", "-H", "Authorization: Bearer {}", "http://x"], lot(40)
    yield ["curl", "-u", "bob:{}", "http://x"], "curlPw1"
    yield ["mysql", "-uroot", "-p{}"], "root123"
    yield ["redis-cli", "-a", "{}"], "redisauth1"
    yield ["docker", "run", "-e", "HF_TOKEN={}", "img"], "hf_" + lot(34)
    yield ["java", "-Djavax.net.ssl.keyStorePassword={}", "Main"], "changeit"
    yield ["python", "-c", "import openai; openai.api_key='{}'"], "sk-" + lot(48)
    yield ["sh", "-c", "export AWS_SECRET_ACCESS_KEY={}; run"], lot(40, B64)
    yield ["wget", "--http-password={}", "http://x"], "wgetPw"
    yield ["7z", "x", "-p{}", "a.7z"], "zipPw77"


def _variables() -> Iterator[tuple[str, str, str]]:
    yield "OLLAMA_API_KEY", "{}", lot(40)
    yield "VLLM_API_KEY", "{}", "shortkey"
    yield "LD_LIBRARY_PATH", "/opt/x:/run/{}/lib", "ghp_" + lot(36)
    yield "CUDA_LICENSE_TOKEN", "{}", lot(30, UPPER)
    yield "HTTPS_PROXY", "http://bob:{}@proxy:3128", "proxyPw1"
    yield "NVIDIA_API_KEY", "{}", "nvapi-" + lot(64, URLSAFE)
    yield "GGML_RPC_SECRET", "{}", "word"
    yield "HUGGING_FACE_HUB_TOKEN", "{}", "hf_" + lot(34)
    yield "PYTORCH_DSN", "postgres://a:{}@h/d", "dsnPw12"


def newest() -> list[Shape]:
    """75 of them."""
    return shapes_of(_lines(), _arguments(), _variables())


HARMLESS = [
    "-p=8080", "-p", "8080:80", "-p", "127.0.0.1:11434:11434/tcp", "-p", "1-1024", "-p", "/opt/models/Qwen2.5-7B.gguf",
    "-p", "gfx90a", "-p", "sm_90a", "-p", "GPU-3f9a8b7c-6d5e-4f3a-2b1c-0d9e8f7a6b5c", "-p", "Qwen2.5-7B-Instruct-Q4_K_M",
    "-p", "TinyLlama-1.1B-Chat-v1.0.Q4_K_M.gguf", "-p", "h264mp4toannexb", "-p", "RTX4090Ti", "-p", "fp8_e4m3fn",
    "-P", "16", "-w", "1920x1080", "-p", "Hello, my name is Bob and I am 1!", "-pthread", "-p", "release", "-W", "error",
    "-p", "DeepSeek-R1-Distill-Qwen-32B-AWQ", "-p", "bob@example.org", "-p", "$HOME", "-p", "*.so", "-p", "NVIDIA-H100-80GB-HBM3",
]  # fmt: skip
