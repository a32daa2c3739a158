"""Kinds of places where a secret stands, each by a few shapes; and what stands in such places without being one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stream.secrets import HIDDEN, hide, hide_lines, hide_names, reading, shown_arguments, shown_value

CHOSEN = "Plumhorst42"
"""A password as people make them: only where it stands tells."""
DRAWN = "zQ003xKwPv7R"
"""One that is drawn by lot."""


@pytest.mark.parametrize(
    "line",
    [
        "GET /x?p%61ssword={}", "p%2561ssword%3D{}", "\\u0070assword=\\u0022{}\\u0022",
        "&quot;password&quot;:&quot;{}&quot;",
        "pass\u200bword={}", "p\u0430ssw\u043erd={}", "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff1d{}",
        "\x1b[3mpass\x1b[0mword\x1b[2m=\x1b[0m{}", "\u201cpassword\u201d: \u201c{}\u201d", "\U0001d429assword: {}",
    ],
)  # fmt: skip
def test_a_disguised_name_hides_what_it_names(line: str) -> None:
    assert CHOSEN not in hide(line.format(CHOSEN))


def test_a_value_with_marks_in_it_is_hidden_whole() -> None:
    for said in (f"{CHOSEN[:4]}\u200b{CHOSEN[4:]}", f"{CHOSEN[:4]}\x1b[0m{CHOSEN[4:]}", f"{CHOSEN[:4]}%26{CHOSEN[4:]}"):
        assert hide(f"a password={said} b") == f"a password={HIDDEN} b"


@given(st.text(alphabet="ab%416&#;\\ux\u200b\x1b[0m\uff41\u0430 =", max_size=60))
def test_what_is_read_leads_back_to_the_text(text: str) -> None:
    for read in (reading.without_marks(text), reading.decoded(text)):
        if read is not None:
            spans = [read.back((at, at + 1)) for at in range(len(read.text))]
            assert spans == sorted(spans)
            assert all(0 <= begin < end <= len(text) for begin, end in spans)


@pytest.mark.parametrize(
    "line",
    [
        '{{"credentials":{{"value":"{}"}}}}', '{{"secrets":["a1","{}"]}}', '{{"secret":{{"a":{{"b":"{}"}}}},"n":1}}',
        "credentials=map[user:bob x:{}]", 'secret: &Pair{{A:"x", B:"{}"}}', "Credentials(user='bob', x='{}')",
        'Secret {{ inner: "{}" }}', '\\"credentials\\":{{\\"x\\":\\"{}\\"}}',
    ],
)  # fmt: skip
def test_all_values_below_a_name_of_secrets_are_hidden(line: str) -> None:
    assert CHOSEN not in hide(line.format(CHOSEN))


@pytest.mark.parametrize(
    "line",
    [
        "password (of bob) = {}", "| password | {} |", "password: !!str {}",
        '<Password type="x"><![CDATA[{}]]></Password>',
        'Password:(*string)(0xc000:"{}")', "password........{}", "password too short: {}", '"{}" == cfg.password',
        "connect('h', 'root', '{}')", "creds admin:{} on h", "db.x:5432:app:bob:{}", ">>> PASS {}", "AUTH LOGIN {}",
        "the password will be {}", "dbpass={}", "contrase\u00f1a={}", "\u5bc6\u7801\uff1a{}", "parola: {}",
        "- name: DB_PASS, value: {}",
    ],
)  # fmt: skip
def test_what_a_name_leads_to_is_hidden(line: str) -> None:
    assert CHOSEN not in hide(line.format(CHOSEN))


@pytest.mark.parametrize("line", ["open https://x.io/a?t={}", "id={} in use", "x [{}]", "login attempt [root/{}]"])
def test_what_is_drawn_by_lot_is_hidden_also_where_it_is_short(line: str) -> None:
    assert DRAWN not in hide(line.format(DRAWN))


@pytest.mark.parametrize(
    "words",
    [
        ["rabbitmqctl", "change_password", "guest", CHOSEN], ["x", "add_user", "bob", CHOSEN],
        ["chpasswd", f"bob:{CHOSEN}"],
        ["aws", "configure", "set", "aws_secret_access_key", CHOSEN],
        ["x", "create", "secret", "--from-literal", f"a={CHOSEN}"],
        ["x", "-u", "bob", "-p", CHOSEN], ["x", "-xu", "bob", "-xp", CHOSEN], ["cam", "--wifi", f"Home,{CHOSEN}"],
        ["x", "-U", f"DOM/bob%{CHOSEN}"], ["x", "/u:bob", f"/p:{CHOSEN}"], ["x", f"-p{CHOSEN}"],
        ["x", "unlock", CHOSEN],
        ["x", "-psecretX"], ["x", f"oracle/u/{DRAWN}"], ["x", "-k", DRAWN], ["kaggle", "-n", "key", "-v", "0f" * 16],
    ],
)  # fmt: skip
def test_words_tell_of_those_behind_them_in_any_program(words: list[str]) -> None:
    assert not {CHOSEN, DRAWN, "secretX", "0f" * 16} & set(re.split("[ :=,%/]", " ".join(shown_arguments(words))))
    assert HIDDEN in " ".join(shown_arguments(words))


@pytest.mark.parametrize(
    "lines",
    [
        ["password: \\", CHOSEN], ["Enter password:", CHOSEN], ["{", '"password":', f'  "{CHOSEN}"}}'],
        ["run --token \\", CHOSEN],
        ['"credentials": {', f'   "v": "{CHOSEN}"', "}"], ["credentials:", "  user: bob", f"  x: {CHOSEN}"],
        ["secrets:", f"- {CHOSEN}"], ["[credentials]", f"bob = {CHOSEN}"],
        ["<key>Password</key>", f"<string>{CHOSEN}</string>"],
        ['Content-Disposition: form-data; name="password"', "", CHOSEN],
    ],
)  # fmt: skip
def test_a_line_tells_of_the_next(lines: list[str]) -> None:
    assert CHOSEN not in "\n".join(hide_lines(lines)[0])


@pytest.mark.parametrize(
    "path",
    [f"/tmp/token={DRAWN}/a.so", f"/mnt/u:{CHOSEN}@h/a.so", f"/cache/api_key-{DRAWN}.json",
    "/x/sess_p4w66vmukvpa7h28gjrr"]
)  # fmt: skip
def test_a_part_of_a_path_that_says_it_is_secret_is_hidden(path: str) -> None:
    shown = hide_names(path)
    assert not [secret for secret in (CHOSEN, DRAWN, "p4w66vmukvpa7h28gjrr") if secret in shown]


@pytest.mark.parametrize("key", ["KENNWORT", "MOT_DE_PASSE", "VAULT_UNSEAL", "FERNET", "BORG_PASSCOMMAND"])
def test_variables_named_in_other_words_are_hidden(key: str) -> None:
    assert shown_value(key, CHOSEN) == HIDDEN


@pytest.mark.parametrize(
    "line",
    [
        '"keys": ["general.architecture", "llama.block_count"]', 'tokens: ["Hello", "<|eot_id|>"]', "credentials: {}",
        "KeyError: 'model.layers.0.self_attn.q_proj.weight'", "render pass: gbuffer1", "password: <not set>",
        "api key: not set",
        "secret: not found", "using key /root/.ssh/id_rsa", "password for user postgres not required",
        "pinned 128 MiB",
        "cutlass_80_tensorop_f16_s16816gemm_f16_128x128_32x5_nn_align8", "nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_TNT",
        "cmpl-8f3a1c0b2d4e5f678a9b0c1d2e3f4a5b",
        "\x1b[32mINFO\x1b[0m \x1b[3mgpu\x1b[0m\x1b[2m=\x1b[0m0", "took 123.4\u00b5s",
        "progress 45%|\u2588\u2588\u258c  | 45/100", "torch-2.5.1%2Bcu124-cp312", "| token | count |",
        "publickey for ubuntu from h",
        "login: connected to node7:22", "def secret(home: Path) -> Path:", "self._passed: dict[int, int] = {}",
        "UUID: MIG-8f3a1c0b-2d4e-5f67-8a9b-0c1d2e3f4a5b", "Qwen2VLForConditionalGeneration",
    ],
)  # fmt: skip
def test_what_only_looks_like_such_a_place_is_shown(line: str) -> None:
    assert hide_lines([line])[0] == [line]


@pytest.mark.parametrize(
    "words",
    [
        "kubectl get secret my-gpu-secret", "usermod -aG video1 me", "ssh -p2222 -A me1@gpu7", "xrandr -x2",
        "kubectl create secret docker-registry regcred2 --docker-server=nvcr.io", "nvidia-smi -i GPU-8f3a1c0b -pm 1",
        "docker login registry2.example.io", "python -u train.py -p fp16", "pytest -s -k TestCudaGraphV2 -x",
        "ssh -l me -p 2222 n7",
        "srun -p gpu-a100 -w node12 -A proj2024 x", "docker build -t myorg/vllm-cu124:v0.6.3 .",
        "mpirun -H n1:4,n2:4 a.out",
        "run --pooling-type token --model Qwen2.5-7B-Instruct", "ollama run llama3.1:8b-instruct-q4_K_M",
        "x -pthread -p8080",
        "trtllm --account my-org/gpu-pool-2", "x --token-type-ids seg0 --key-size 128",
        "docker run -u root:video img",
    ],
)  # fmt: skip
def test_arguments_of_gpu_programs_are_shown(words: str) -> None:
    assert shown_arguments(words.split()) == words.split()


@pytest.mark.parametrize(
    "setting",
    ["NCCL_SOCKET_IFNAME=^docker0", "NCCL_IB_HCA=mlx5_0:1,mlx5_1:1", "XDG_SESSION_ID=c2", "WANDB_RUN_ID=3k2l9x8a"],
)
def test_settings_with_signs_and_odd_names_are_shown(setting: str) -> None:
    key, _, value = setting.partition("=")
    assert shown_value(key, value) == value
    assert shown_arguments(["env", setting]) == ["env", setting]
