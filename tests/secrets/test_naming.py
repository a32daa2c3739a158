"""The name beside a value decides where its look does not: what it ends with, and whether it numbers things."""

import pytest

from inspector.stream.secrets import HIDDEN, hide, shown_arguments, shown_value

NUMBER = "5803a33ad616201c602d35fd1d5c210aae1d504622e56ec6d7000754d0565548"


@pytest.mark.parametrize("setting", ["TOKEN_LIMIT=100k", "CACHE_KEY_PREFIX=llm-v2", "CRED_HELPER=store", "AUTHOR=al"])
def test_a_variable_whose_last_word_is_no_secret_is_shown(setting: str) -> None:
    key, _, value = setting.partition("=")
    assert shown_value(key, value) == value


@pytest.mark.parametrize("key", ["COMPASS", "GIT_AUTHOR_NAME", "SURPASS"])
def test_a_word_that_only_ends_like_a_secret_is_none(key: str) -> None:
    assert shown_value(key, "north") == "north"
    assert shown_value("DBPASS", "north") == HIDDEN


def test_a_password_is_hidden_whatever_its_name_ends_with() -> None:
    assert shown_value("SECRET_NAME", "hunter2!Spring") == HIDDEN
    assert hide("secretName: tls-cert-prod") == "secretName: tls-cert-prod"


@pytest.mark.parametrize("name", ["PUSHER", "INTERNAL_SHARED", "spend"])
def test_a_long_number_is_hidden_where_nothing_says_what_it_counts(name: str) -> None:
    assert shown_value(name, NUMBER) == HIDDEN
    assert NUMBER not in hide(f"with {name}={NUMBER} and {name}: '{NUMBER}'")


@pytest.mark.parametrize("name", ["GIT_COMMIT", "NodeID", "md5", "MODEL_HASH", "ETag", "trace_id", "sha256"])
def test_a_long_number_is_shown_where_its_name_is_one_of_things(name: str) -> None:
    assert shown_value(name, NUMBER) == NUMBER
    assert hide(f"with {name}={NUMBER}") == f"with {name}={NUMBER}"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"monero spend key {NUMBER}", NUMBER), (f"signed by 0x{NUMBER} here", NUMBER),
        ("define('DB_PASSWORD', 'wpPass77');", "wpPass77"), ("imap: a1 LOGIN bob@x.io mailbox55", "mailbox55"),
        ("radius server 10.0.0.5 key radSharedX1", "radSharedX1"),
        ('Wi-Fi: SSID "Lab", key "labwifi2020"', "labwifi2020"),
        ("bad credentials ('bob', 'tracePw1')", "tracePw1"), ("pairing code 4821-9934", "4821-9934"),
        ("relay [smtp.x.io]:587 me@x.io:postPw7", "postPw7"), ("stats auth admin:haPw77", "haPw77"),
        ("Bind password for cn=x: ldPw11", "ldPw11"),
        ("das Kennwort lautet: Plumhorst", "Plumhorst"), ('{"creds":{"u":"a","p":"pee11"}}', "pee11"),
    ],
)  # fmt: skip
def test_more_places_name_a_secret(line: str, secret: str) -> None:
    assert secret not in hide(line)


def test_a_call_behind_a_name_is_code() -> None:
    assert hide("key_states.shape = torch.Size([1, 32])") == "key_states.shape = torch.Size([1, 32])"


def test_the_number_of_a_request_is_shown() -> None:
    assert hide("chatcmpl-kQZFsjptumXNUyoZ4gtIslRiB2Nn2 finished") == "chatcmpl-kQZFsjptumXNUyoZ4gtIslRiB2Nn2 finished"
    assert hide("autotune key: 128x64x32") == "autotune key: 128x64x32"


def test_a_long_number_behind_an_option_of_an_unknown_name_is_hidden() -> None:
    assert shown_arguments(["x", "--salt", NUMBER[:32], "--revision", NUMBER[:40]])[2:] == [
        HIDDEN, "--revision", NUMBER[:40]
    ]  # fmt: skip


def test_a_list_of_as_many_bytes_as_a_key_has_is_hidden_behind_its_name() -> None:
    key = ", ".join(map(str, range(100, 132)))
    assert key not in hide(f"Solana keypair [{key}]")
    assert hide(f"token ids: [{key}]") == f"token ids: [{key}]"
    assert hide(f"seqlens_key: [{key}, 4096]") == f"seqlens_key: [{key}, 4096]"


def test_who_logs_in_gives_a_password_behind_p() -> None:
    assert shown_arguments(["x", "-l", "admin", "-p", "hydraPw", "ssh://h"])[4] == HIDDEN
    assert shown_arguments(["srun", "-p", "gpuLarge", "a.out"])[2] == "gpuLarge"
    assert shown_arguments(["x", "--label-key", "target"]) == ["x", "--label-key", "target"]
