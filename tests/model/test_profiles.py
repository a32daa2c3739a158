"""Profiles: built in and of the user, the watch plan, and what their words say."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from inspector.model import profiles
from inspector.model.profiles import ProfileError, Profiles, builtin_profiles, load
from inspector.model.profiles.loading import builtin, parse
from inspector.stream.requests import AnyRequest, Configure, decode_request, encode_request

PROFILES = builtin_profiles()


def test_the_built_in_profiles_are_there_and_cover_the_four_apis() -> None:
    names = [profile.name for profile in PROFILES.profiles]
    assert {
        "cuda-driver",
        "cuda-runtime",
        "nvml",
        "hip",
        "ollama",
        "llama-cpp",
        "hami-core",
        "nvshare",
        "zluda",
        "vgpu",
    } <= {*names}
    assert {"cuda-driver", "cuda-runtime", "nvml", "hip"} <= PROFILES.apis.keys()


def test_the_parts_of_each_built_in_profile_fit_as_those_of_a_users_own_must() -> None:
    files = sorted(Path(profiles.__file__).parent.glob("*.toml"))
    assert [parse(path.read_text(encoding="utf-8"), path.name) for path in files] == builtin()


def test_the_watch_plan_survives_the_wire_and_its_marks_compile_together() -> None:
    plan = PROFILES.plan()
    request: AnyRequest = decode_request(encode_request(Configure(plan=plan)))
    assert request == Configure(plan=plan)
    assert re.compile("|".join(f"(?:{mark})" for mark in plan.log_marks))
    assert "LD_PRELOAD" in plan.environment and "OLLAMA_*" in plan.environment
    assert 11434 in plan.ports and "ollama" in plan.program_names
    assert any("{pid}" in glob for glob in plan.log_files)


def test_no_function_is_in_a_plan_twice_and_each_has_a_name_of_its_api() -> None:
    for api in PROFILES.plan().apis:
        names = [function.name for function in api.functions]
        assert len(names) == len(set(names))
        assert all(PROFILES.api_of_function(name) == api.api for name in names)
        assert all(function.returns for function in api.functions if function.values)


def test_names_belong_to_the_api_of_their_prefix() -> None:
    of = PROFILES.api_of_function
    names = ("cuInit", "cudaMalloc", "__cudaRegisterVar", "nvmlInit_v2", "hipMalloc", "cublasCreate")
    assert [of(name) for name in names] == ["cuda-driver", "cuda-runtime", "cuda-runtime", "nvml", "hip", "cublas"]
    assert [of(name) for name in ("curl_easy_init", "cut", "nvmlx", "open", "")] == [None] * 5


def test_results_have_names_advice_and_normal_cases() -> None:
    assert PROFILES.result("cuda-driver", 100) == "100 (CUDA_ERROR_NO_DEVICE)"
    assert PROFILES.result("cuda-runtime", 35) == "35 (cudaErrorInsufficientDriver)"
    assert PROFILES.result("nvml", 9) == "9 (NVML_ERROR_DRIVER_NOT_LOADED)"
    assert PROFILES.result("cuda-driver", 123456) == "123456"
    assert "fabricmanager" in PROFILES.advice("cuda-driver", 802)
    assert PROFILES.normal("cuda-driver", "cuCtxGetDevice_v2", 201) is not None
    assert PROFILES.normal("cuda-driver", "cuInit", 201) is None
    assert PROFILES.normal("cuda-driver", "cuLibraryUnload", 4, at_exit=True) is not None
    assert PROFILES.normal("cuda-driver", "cuLibraryUnload", 4) is None
    assert PROFILES.is_called("cuda-driver", 3, "NOTINITIALIZED")
    assert not PROFILES.is_called("cuda-driver", 4, "NOTINITIALIZED", "UNINITIALIZED")


def test_variants_of_a_function_have_its_role() -> None:
    assert PROFILES.role("cuda-driver", "cuLaunchKernel_ptsz") == "launch"
    assert PROFILES.role("cuda-driver", "cuInit") == "init"
    assert PROFILES.role("cuda-driver", "cuNeverHeardOf") == "other"


def test_variables_have_an_effect_and_misbeliefs_are_corrected() -> None:
    ignored = PROFILES.environment_key("OLLAMA_NUM_GPU")
    assert ignored is not None and ignored.kind == "ignored" and "num_gpu" in ignored.truth
    preload = PROFILES.environment_key("LD_PRELOAD")
    assert preload is not None and "Go does not clear" in preload.truth
    assert PROFILES.environment_key("OLLAMA_ANYTHING_ELSE") is not None
    assert PROFILES.environment_key("SECRET_TOKEN") is None


def test_every_log_rule_has_words_and_a_pattern_that_needs_what_it_says_to_contain() -> None:
    for profile in builtin():
        for rule in profile.logs:
            assert rule.says, f"{profile.name}:{rule.id}"
            assert not rule.pattern or not re.search(rule.pattern, "")
        assert len({rule.id for rule in profile.logs}) == len(profile.logs)


OWN = """
name = "mine"
[api]
name = "my-api"
title = "my accelerator"
sonames = ["libmine.so.1"]
prefixes = ["mine"]
private = ["mineInit", "mineCount"]
mode = "cuda"
results = { 0 = "MINE_OK", 7 = "MINE_BAD" }
[[api.functions]]
role = "init"
names = ["mineInit"]
[[logs]]
id = "hello"
contains = "hello from"
pattern = 'hello from (?P<who>\\w+)'
means = "note"
says = "{who} says hello"
"""


def test_a_user_adds_an_api_without_code(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(OWN)
    profiles = load([tmp_path])
    assert profiles.api_of_function("mineInit") == "my-api"
    assert profiles.result("my-api", 7) == "7 (MINE_BAD)"
    assert "my-api" in [api.api for api in profiles.plan().apis]
    assert load([tmp_path / "mine.toml"]).api_of_soname("/x/libmine.so.1") == "my-api"


def test_a_users_profile_replaces_the_built_in_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('name = "ollama"\nports = [1]\n')
    assert [profile.ports for profile in load([tmp_path]).profiles if profile.name == "ollama"] == [[1]]


BAD = {
    "no TOML": "name = ",
    "does not fit the format": "name = 3",
    "unknown field": 'name = "x"\nnmae = "y"',
    "empty name": 'name = ""',
    "not a regular expression": 'name="x"\n[[logs]]\nid="a"\ncontains="b"\npattern="("\nmeans="note"',
    "not a group of its pattern": 'name="x"\n[[logs]]\nid="a"\ncontains="b"\nsays="{who}"\nmeans="note"',
    "needs `contains`": 'name="x"\n[[logs]]\nid="a"\ncontains=""\nmeans="note"',
    "Invalid enum value": 'name="x"\n[[logs]]\nid="a"\ncontains="b"\nmeans="nonsense"',
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_profile_gives_one_clear_sentence_that_names_the_file(why: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(BAD[why])
    with pytest.raises(ProfileError, match=re.escape(why)) as caught:
        load([path])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_profile_that_is_not_there_or_defines_a_known_api_again_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load([tmp_path / "absent.toml"])
    with pytest.raises(ProfileError, match="defines API nvml"):
        _ = Profiles(lambda: [*builtin(), parse(OWN.replace("my-api", "nvml"), "x")]).apis
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="UTF-8"):
        load([tmp_path / "binary.toml"])


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000, '"\\ud800"'])
def test_values_without_end_are_an_error_in_words(value: str) -> None:
    with pytest.raises(ProfileError, match="is no TOML"):
        parse(f'name = "x"\nports = [{value}]\n', "x.toml")


def test_settings_of_terraform_are_none_of_tensorflow() -> None:
    asked = PROFILES.plan().environment

    def is_collected(name: str) -> bool:
        return any(fnmatchcase(name, key) for key in asked)

    assert is_collected("TF_CPP_MIN_LOG_LEVEL") and is_collected("TF_FORCE_GPU_ALLOW_GROWTH")
    assert not any(map(is_collected, ("TF_VAR_password", "TF_CLI_CONFIG_FILE", "TF_LOG", "TF_DATA_DIR")))
