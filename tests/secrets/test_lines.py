"""Secrets in log lines are hidden, and what a diagnosis needs stays as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stream.calls import CallOutcome, CallsInside, OpenCall, OutcomesCounted
from inspector.stream.codec import encode
from inspector.stream.secrets import HIDDEN, hide, options
from inspector.stream.secrets.hiding import shown_arguments
from inspector.stream.secrets.in_events import without_tokens


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer LEAK-abcdef012345",
        "authorization=Basic LEAKdXNlcjpwYXNz",
        "curl -H 'X: bearer LEAK0123456789'",
        "password=LEAK1 next",
        '{"password": "LEAKpass", "n": 1}',
        "PGPASSWORD=LEAK2",
        "OPENAI_API_KEY=LEAKonlyletters",
        'env="map[OLLAMA_API_KEY:LEAKollama OLLAMA_HOST:x]"',
        "aws_secret_access_key = LEAKaws/3",
        "fetch https://me:LEAKurl@registry.example.com/v2",
        "key sk-LEAK0123456789abcdef in use",
        "login with hf_LEAKabcdefghij",
        "token: LEAK6token",
        "cookie: LEAK=session",
        "client_secret='LEAKclient'",
    ],
)
def test_what_is_plainly_a_secret_is_hidden(line: str) -> None:
    shown = hide(line)
    assert "LEAK" not in shown and HIDDEN in shown


@pytest.mark.parametrize(
    "line",
    [
        "print_info: EOG token        = 128001 '<|end_of_text|>'",
        "print_info: BOS token        = 1 '<s>'",
        "slot update_slots: id 0 | task 5 | n_tokens = 1440, memory_seq_rm [6499, end)",
        'time=2026-01-02T03:04:05Z level=WARN msg="key not found" key=general.alignment default=32',
        'level=INFO source=types.go:42 msg="inference compute" id=GPU-5151 library=CUDA pci_id=0000:00:05.0',
        "env=map[OLLAMA_AUTH:false OLLAMA_DEBUG:INFO]",
        "CUDA error: no kernel image is available, password: (hidden)",
        "cuModuleLoadData failed with 218, basic block 3",
        "author: somebody",
    ],
)
def test_everyday_words_of_models_stay(line: str) -> None:
    assert hide(line) == line


@given(st.text(alphabet="kKey=:tok npas word@/:'\"sk-12aA_", max_size=200))
def test_hiding_twice_changes_nothing_more(line: str) -> None:
    once = hide(line)
    assert hide(once) == once


@pytest.mark.parametrize(
    "time", ["2026-01-02 03:04:05,678", "time=2026-01-02T03:04:05.678Z", "[2026-01-02T03:04:05+01:00]"]
)
def test_what_stands_behind_the_time_of_a_line_is_judged_as_without_it(time: str) -> None:
    for said in ("password=tiger7stripes", "--token abc123def", "level=INFO msg=ready", "-p Tr0ub4dor&3"):
        assert hide(f"{time} {said}") == f"{time} {hide(' ' + said)[1:]}"
    assert "tiger" not in hide(f"{time} password=tiger7stripes")


def test_the_path_of_who_calls_holds_no_token_wherever_it_is_told() -> None:
    caller = "/tmp/npm_" + "a1B2c3D4e5F6" * 3 + "/libx.so"
    outcome = CallOutcome(pid=1, function=0, caller=caller, result=0, count=1)
    inside = OpenCall(pid=1, tid=1, function=0, entered=1, caller=caller)
    for event in (OutcomesCounted(at=1, outcomes=[outcome]), CallsInside(at=1, open=[inside])):
        assert b"npm_" not in encode(without_tokens(event))


@given(st.from_regex(options.OPTION()) | st.from_regex(options.ASSIGNED(), fullmatch=True))
def test_the_quick_question_lets_every_option_through_that_names_a_secret(word: str) -> None:
    assert options.may_name_secret(word)


def test_the_name_of_a_secret_hides_no_device_behind_it() -> None:
    shown = shown_arguments(["podman", "run", "--secret", "db_pass", "--device", "nvidia.com/gpu=all", "img"])
    assert shown[-3:] == ["--device", "nvidia.com/gpu=all", "img"]


CHOSEN = "zQ003xKwPv7R"


@pytest.mark.parametrize(
    "words",
    [
        ["-u", f"admin:{CHOSEN}"], [f"--user=admin:{CHOSEN}"], ["--login", CHOSEN], ["--license", CHOSEN],
        [f"/p:{CHOSEN}"],
        ["--passwort", CHOSEN], ["--senha", CHOSEN], ["--contrase\u00f1a", CHOSEN], ["--mot-de-passe", CHOSEN],
        ["--geheim", CHOSEN], ["--parole", CHOSEN], ["--mnemonic", f"{CHOSEN} legal winner"],
        ["--signing-seed", CHOSEN],
    ],
)  # fmt: skip
def test_passwords_of_unknown_programs_are_hidden_in_other_languages_as_well(words: list[str]) -> None:
    assert CHOSEN not in " ".join(shown_arguments(["prog", *words]))


@pytest.mark.parametrize(
    "words",
    [
        ["docker", "run", "-u", "1000:1000"], ["docker", "run", "--user", "root:video"], ["vllm", "--seed", "42"],
        ["x", "--user=me", "--license", "mit"], ["x", "--token", "128001"], ["x", "--username", "build-agent"],
    ],
)  # fmt: skip
def test_users_seeds_and_numbers_stay(words: list[str]) -> None:
    assert shown_arguments(words) == words


@pytest.mark.parametrize("line", ["using token {} for hub", "jwt={}", "Your one-time code is {}", "HF_TOKEN {}"])
def test_what_lets_somebody_in_is_hidden_behind_a_word_alone(line: str) -> None:
    assert CHOSEN not in hide(line.format(CHOSEN))
