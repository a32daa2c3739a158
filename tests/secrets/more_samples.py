"""Shapes of secrets, made up by somebody who had not seen the rules: where each stands, and what must not be seen."""

import base64
import random
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_CHANCE = random.Random("shapes")
ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"
B64 = ALNUM + "+/"


def lot(length: int, alphabet: str = ALNUM) -> str:
    """Drawn by lot, the same at each run."""
    return "".join(_CHANCE.choice(alphabet) for _ in range(length))


@dataclass(frozen=True)
class Shape:
    """`lines` of a log, `words` of a command, or `variables` of an environment with `secrets` in them."""

    where: str
    text: list[str]
    secrets: list[str]


def line(text: str, *secrets: str) -> Shape:
    return Shape("log", text.split("\n"), list(secrets))


def words(text: list[str], *secrets: str) -> Shape:
    return Shape("arguments", text, list(secrets))


def env(name: str, value: str, *secrets: str) -> Shape:
    return Shape("environment", [f"{name}={value}"], list(secrets) or [value])


def put(make: Callable[[str], Shape], secret: str) -> Shape:
    return make(secret)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def first() -> Iterator[Shape]:
    """150 of them."""
    w = put
    # providers' tokens, bare in prose (30)
    yield w(lambda s: line(f"using token {s} for the clone", s), "ghp_" + lot(36))
    yield w(lambda s: line(f"remote says {s}", s), "github_pat_" + lot(22) + "_" + lot(59))
    yield w(lambda s: line(f"ci: {s}", s), "ghs_" + lot(36))
    yield w(lambda s: line(f"pulling with {s}", s), "glpat-" + lot(20, URLSAFE))
    yield w(
        lambda s: line(f"slack answered for {s}", s),
        f"xoxb-{lot(11, string.digits)}-{lot(12, string.digits)}-{lot(24)}",
    )
    yield w(
        lambda s: line(f"hook https://hooks.slack.com/services/T{lot(8, UPPER)}/B{lot(8, UPPER)}/{s} called", s),
        lot(24),
    )
    yield w(lambda s: line(f"charge failed for {s}", s), "sk_live_" + lot(24))
    yield w(lambda s: line(f"restricted {s}", s), "rk_live_" + lot(24))
    yield w(
        lambda s: line(f"assumed {lot(4)} with AKIA{lot(16, string.ascii_uppercase + '234567')} / {s}", s), lot(40, B64)
    )
    yield w(lambda s: line(f"session {s} begins", s), "ASIA" + lot(16, string.ascii_uppercase + "234567"))
    yield w(lambda s: line(f"google maps {s}", s), "AIza" + lot(35, URLSAFE))
    yield w(lambda s: line(f"refresh with {s}", s), "ya29." + lot(60, URLSAFE))
    yield w(lambda s: line(f"login to hub {s}", s), "hf_" + lot(34, string.ascii_letters))
    yield w(lambda s: line(f"client made with {s}", s), "sk-proj-" + lot(48, URLSAFE))
    yield w(lambda s: line(f"client made with {s}", s), "sk-ant-api03-" + lot(93, URLSAFE) + "AA")
    yield w(lambda s: line(f"ngc {s}", s), "nvapi-" + lot(64, URLSAFE))
    yield w(lambda s: line(f"npm publishes with {s}", s), "npm_" + lot(36))
    yield w(lambda s: line(f"twine: {s}", s), "pypi-AgEIcHlwaS5vcmc" + lot(120, URLSAFE))
    yield w(lambda s: line(f"droplet {s}", s), "dop_v1_" + lot(64, HEX))
    yield w(lambda s: line(f"mail through {s}", s), f"SG.{lot(22, URLSAFE)}.{lot(43, URLSAFE)}")
    yield w(lambda s: line(f"bot {s} polls", s), f"{lot(9, '123456789')}:AA{lot(33, URLSAFE)}")
    yield w(lambda s: line(f"discord {s}", s), f"M{lot(23)}.{lot(6, URLSAFE)}.{lot(27, URLSAFE)}")
    yield w(lambda s: line(f"sms from {s}", s), "SK" + lot(32, HEX))
    yield w(lambda s: line(f"vault unsealed, {s}", s), "hvs." + lot(90, URLSAFE))
    yield w(lambda s: line(f"terraform {s}", s), f"{lot(14)}.atlasv1.{lot(67, URLSAFE)}")
    yield w(lambda s: line(f"shop {s}", s), "shpat_" + lot(32, HEX))
    yield w(lambda s: line(f"databricks {s}", s), "dapi" + lot(32, HEX))
    yield w(lambda s: line(f"grafana {s}", s), "glsa_" + lot(32) + "_" + lot(8, HEX))
    yield w(lambda s: line(f"replicate {s}", s), "r8_" + lot(37))
    yield w(lambda s: line(f"wandb: using key {s}", s), lot(40, HEX))
    # assignments in lines (20)
    yield w(lambda s: line(f"password={s}", s), "hunter2")
    yield w(lambda s: line(f"password: {s}", s), "correct horse battery")
    yield w(lambda s: line(f"PASSWORD = '{s}'", s), "a, b and c")
    yield w(lambda s: line(f'db.password="{s}" db.user=app', s), 'p"w d'.replace('"', "&"))
    yield w(lambda s: line(f"secret_key -> {s}", s), lot(18))
    yield w(lambda s: line(f"api-key={s};region=eu", s), lot(20))
    yield w(lambda s: line(f"apiKey: '{s}'", s), lot(20))
    yield w(lambda s: line(f"clientSecret={s}, scope=all", s), lot(24))
    yield w(lambda s: line(f"level=info token={s} msg=ready", s), lot(16))
    yield w(lambda s: line(f"--> auth_token is {s}", s), lot(22))
    yield w(lambda s: line(f"passphrase = {s}", s), "open sesame now")
    yield w(lambda s: line(f"PIN code: {s}", s), "482913")
    yield w(lambda s: line(f"private_key={s}", s), lot(43, B64) + "=")
    yield w(lambda s: line(f"aws_secret_access_key = {s}", s), lot(40, B64))
    yield w(lambda s: line(f"encryption key {s}", s), lot(64, HEX))
    yield w(lambda s: line(f"sessionid={s}; path=/", s), lot(32, LOWER))
    yield w(lambda s: line(f"Passwort: {s}", s), "Geheim123")
    yield w(lambda s: line(f"mot de passe : {s}", s), "Soleil42")
    yield w(lambda s: line(f"pwd={s}", s), "Tr0ub4dor")
    yield w(lambda s: line(f"{{'user': 'x', 'password': '{s}', 'tls': True}}", s), "it was here")
    # prose (15)
    yield w(lambda s: line(f"the password is {s}", s), "swordfish")
    yield w(lambda s: line(f"Your password is now '{s}', keep it", s), "blue Moon 7")
    yield w(lambda s: line(f"generated admin password {s} (change it)", s), lot(12))
    yield w(lambda s: line(f"login with root / {s}", s), "toor99x")
    yield w(lambda s: line(f"user alice with password {s} rejected", s), "W1nter")
    yield w(lambda s: line(f"wrong password '{s}' for bob", s), "bobsPw!")
    yield w(lambda s: line(f"access token: {s} expires in 3600", s), lot(28))
    yield w(lambda s: line(f"The API key you gave, {s}, is not valid", s), lot(26))
    yield w(lambda s: line(f"Incorrect API key provided: {s}.", s), "sk-" + lot(48))
    yield w(lambda s: line(f"one-time code {s} sent", s), "739182")
    yield w(lambda s: line(f"To access the server, open http://127.0.0.1:8888/lab?token={s}", s), lot(48, HEX))
    yield w(lambda s: line(f"initial root password: {s}", s), "k9)fP2!xQz")
    yield w(lambda s: line(f"secret '{s}' is shorter than 32 bytes", s), "my-little-secret")
    yield w(lambda s: line(f"credentials: app:{s}", s), lot(14))
    yield w(lambda s: line(f'using passphrase "{s}" to unlock', s), "long dogs run")
    # headers (15)
    yield w(lambda s: line(f"> Authorization: Bearer {s}", s), lot(40, URLSAFE))
    yield w(lambda s: line(f"Authorization: Basic {s}", s), _b64("user:" + lot(9)))
    yield w(lambda s: line(f"authorization: token {s}", s), lot(30))
    yield w(
        lambda s: line(
            f"Authorization: AWS4-HMAC-SHA256 Credential=AKIAX/20260101/eu/s3/aws4_request, Signature={s}", s
        ),
        lot(64, HEX),
    )
    yield w(lambda s: line(f"Authorization: Negotiate {s}", s), _b64(lot(50)))
    yield w(lambda s: line(f'Authorization: Digest username="bob", realm="x", response="{s}"', s), lot(32, HEX))
    yield w(lambda s: line(f"Proxy-Authorization: Basic {s}", s), _b64("px:" + lot(8)))
    yield w(lambda s: line(f"X-Api-Key: {s}", s), lot(24))
    yield w(lambda s: line(f"Cookie: theme=dark; session={s}; lang=en", s), lot(30, URLSAFE))
    yield w(lambda s: line(f"Set-Cookie: sid={s}; HttpOnly", s), lot(26))
    yield w(lambda s: line(f"x-auth-token: {s}", s), lot(20, HEX))
    yield w(lambda s: line(f"X-Amz-Security-Token: {s}", s), lot(90, B64))
    yield w(lambda s: line(f"x-goog-api-key: {s}", s), lot(39, URLSAFE))
    yield w(lambda s: line(f"headers={{'Authorization': 'Bearer {s}', 'Accept': '*/*'}}", s), lot(24))
    yield w(lambda s: line(f"Ocp-Apim-Subscription-Key: {s}", s), lot(32, HEX))
    # addresses and connection strings (20)
    yield w(lambda s: line(f"connecting to postgres://app:{s}@db.example:5432/x", s), "pw#1")
    yield w(lambda s: line(f"mysql://root:{s}@127.0.0.1/db", s), "x")
    yield w(lambda s: line(f"redis://:{s}@cache:6379/0", s), lot(12))
    yield w(lambda s: line(f"amqp://guest:{s}@mq/%2f", s), "p%40ss")
    yield w(lambda s: line(f"mongodb+srv://u:{s}@cluster0.mongodb.net/?w=majority", s), lot(16))
    yield w(lambda s: line(f"cloning https://oauth2:{s}@git.example/a/b.git", s), lot(20))
    yield w(lambda s: line(f"cloning https://{s}@github.com/a/b.git", s), lot(40, HEX))
    yield w(lambda s: line(f"GET /v1/x?api_key={s}&page=2", s), lot(18))
    yield w(
        lambda s: line(f"https://acc.blob.core.windows.net/c/b?sv=2022-11-02&se=2026-01-01&sr=b&sp=r&sig={s}", s),
        lot(43) + "%3D",
    )
    yield w(lambda s: line(f"https://b.s3.amazonaws.com/k?X-Amz-Credential=A&X-Amz-Signature={s}", s), lot(64, HEX))
    yield w(
        lambda s: line(f"https://storage.googleapis.com/b/o?GoogleAccessId=a%40b&Expires=1&Signature={s}", s),
        lot(80, B64).replace("+", "%2B"),
    )
    yield w(lambda s: line(f"Server=db;Database=x;User Id=sa;Password={s};Encrypt=yes", s), "P@ss w0rd!")
    yield w(
        lambda s: line(
            f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={s};EndpointSuffix=core.windows.net", s
        ),
        lot(86, B64) + "==",
    )
    yield w(
        lambda s: line(f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={s}", s),
        lot(43, B64) + "=",
    )
    yield w(lambda s: line(f"host=db user=app password='{s}' dbname=x", s), "two words")
    yield w(lambda s: line(f"jdbc:oracle:thin:scott/{s}@//db:1521/x", s), "tiger77")
    yield w(lambda s: line(f"jdbc:mysql://db/x?user=root&password={s}", s), "pw1")
    yield w(lambda s: line(f"ftp://joe:{s}@files/x.bin", s), "abc:def")
    yield w(lambda s: line(f"callback https://app/cb?code={s}&state=1", s), lot(32))
    yield w(lambda s: line(f"https://x.example/reset/#access_token={s}", s), lot(32))
    # structured logs (15)
    yield w(lambda s: line(f'{{"level":"info","password":"{s}"}}', s), "quoted, with comma")
    yield w(lambda s: line(f'{{"auth":{{"token":"{s}","kind":"x"}}}}', s), lot(10))
    yield w(lambda s: line(f'{{"msg":"login","args":["--token","{s}"]}}', s), lot(15))
    yield w(lambda s: line(f'{{\\"api_key\\": \\"{s}\\"}}', s), lot(15))
    yield w(lambda s: line(f'{{"name":"DB_PASSWORD","value":"{s}"}}', s), "kube5")
    yield w(lambda s: line(f"data:\n  password: {s}\n  user: x", s), _b64("kubernetes9"))
    yield w(lambda s: line(f"password: |\n  {s}\nnext: 1", s), "block scalar pw")
    yield w(lambda s: line(f"machine api.x.com login bob password {s}", s), "netrc1")
    yield w(lambda s: line(f"//registry.npmjs.org/:_authToken={s}", s), lot(36))
    yield w(lambda s: line(f'_password="{s}"', s), _b64("npm-pass"))
    yield w(lambda s: line(f"export SECRET_TOKEN='{s}'", s), "env file v")
    yield w(lambda s: line(f"<password>{s}</password>", s), "xml pw")
    yield w(lambda s: line(f'<add key="ApiSecret" value="{s}"/>', s), lot(12))
    yield w(lambda s: line(f'"auths":{{"reg.example":{{"auth":"{s}"}}}}', s), _b64("joe:" + lot(10)))
    yield w(lambda s: line(f"map[password:{s} user:root]", s), "gomap1")
    # PEM and other keys (8)
    body = [lot(64, B64) for _ in range(4)]
    yield line("-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(body) + "\n-----END RSA PRIVATE KEY-----", *body)
    body = [lot(70, B64) for _ in range(3)]
    yield line("key: -----BEGIN OPENSSH PRIVATE KEY-----\n" + "\n".join(f"    {b}" for b in body), *body)
    body = [lot(64, B64), lot(20, B64) + "="]
    yield line(
        f'"private_key": "-----BEGIN PRIVATE KEY-----\\n{body[0]}\\n{body[1]}\\n-----END PRIVATE KEY-----\\n"', *body
    )
    body = [lot(64, B64), lot(64, B64)]
    yield line("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + "\n".join(body), *body)
    yield w(lambda s: line(f"age key {s}", s), "AGE-SECRET-KEY-1" + lot(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"))
    yield w(lambda s: line(f"jwt {s}", s), f"eyJ{lot(30, URLSAFE)}.eyJ{lot(60, URLSAFE)}.{lot(43, URLSAFE)}")
    yield w(lambda s: line(f"PrivateKey = {s}", s), lot(43, B64) + "=")
    yield w(
        lambda s: line(f"seed phrase: {s}", s),
        "witch collapse practice feed shame open despair creek road again ice least",
    )
    # arguments (20)
    yield w(lambda s: words(["mysql", "-uroot", f"-p{s}", "db"], s), "mypw")
    yield w(lambda s: words(["psql", f"postgresql://u:{s}@h/db"], s), "pgpw")
    yield w(lambda s: words(["sshpass", "-p", s, "ssh", "h"], s), "sshpw")
    yield w(lambda s: words(["redis-cli", "-h", "h", "-a", s, "ping"], s), "redispw")
    yield w(lambda s: words(["curl", "-u", f"bob:{s}", "https://x"], s), "curlpw")
    yield w(lambda s: words(["curl", "-H", f"Authorization: Bearer {s}", "https://x"], s), lot(10))
    yield w(lambda s: words(["wget", f"--http-password={s}", "http://x"], s), "wgetpw")
    yield w(lambda s: words(["prog", "--password", s], s), "two words")
    yield w(lambda s: words(["prog", f"--api-key={s}"], s), "shortk")
    yield w(lambda s: words(["prog", "--hf-token", s], s), "hft")
    yield w(lambda s: words(["docker", "login", "-u", "me", "-p", s], s), "dockpw")
    yield w(lambda s: words(["ldapsearch", "-D", "cn=x", "-w", s], s), "ldappw")
    yield w(lambda s: words(["sqlcmd", "-S", "h", "-U", "sa", "-P", s], s), "sqlpw")
    yield w(lambda s: words(["openssl", "enc", "-pass", f"pass:{s}"], s), "sslpw")
    yield w(lambda s: words(["mosquitto_pub", "-u", "a", "-P", s, "-t", "x"], s), "mqttpw")
    yield w(lambda s: words(["sh", "-c", f"PGPASSWORD={s} psql -h x"], s), "shpw")
    yield w(lambda s: words(["env", f"API_TOKEN={s}", "prog"], s), "envtok")
    yield w(lambda s: words(["java", f"-Djavax.net.ssl.keyStorePassword={s}", "-jar", "x"], s), "changeit2")
    yield w(lambda s: words(["smbclient", "//h/s", "-U", f"bob%{s}"], s), "smbpw")
    yield w(lambda s: words(["mount", "-o", f"username=a,password={s},vers=3", "//h/s", "/m"], s), "cifspw")
    # environment (7)
    yield env("DATABASE_URL", "postgres://a:dbpw@h/x", "dbpw")
    yield env("CUDA_APP_PASSWORD", "envpw")
    yield env("LD_PRELOAD_TOKEN", "lptok")
    yield w(lambda s: env("OLLAMA_ORIGINS", f"https://u:{s}@h", s), "origpw")
    yield w(lambda s: env("HTTP_PROXY", f"http://joe:{s}@proxy:3128", s), "proxpw")
    yield w(lambda s: env("CUDA_VISIBLE_DEVICES_NOTE", f"ghp_{s}", s), lot(36))
    yield w(lambda s: env("OLLAMA_API_KEY", s, s), "ok1")


def shapes_of(
    lines: Iterable[tuple[str, str]],
    arguments: Iterable[tuple[list[str], str]],
    variables: Iterable[tuple[str, str, str]],
) -> list[Shape]:
    """Texts with `{}` where their secret stands; `{{` and `}}` are braces."""
    shapes = [
        line(
            text.replace("{{", "\1").replace("}}", "\2").replace("{}", secret).replace("\1", "{").replace("\2", "}"),
            secret,
        )
        for text, secret in lines
    ]
    shapes += [words([word.replace("{}", secret) for word in given], secret) for given, secret in arguments]
    shapes += [env(name, value.replace("{}", secret), secret) for name, value, secret in variables]
    return shapes
