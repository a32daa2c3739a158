"""What is drawn by lot is told from names by how its letters follow each other."""

from random import Random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stream.secrets import hide
from inspector.stream.secrets.drawn import chance

_ALPHABETS = [ascii_letters + digits, ascii_lowercase + digits, ascii_uppercase + "234567", ascii_letters]


@pytest.mark.parametrize("alphabet", _ALPHABETS)
@pytest.mark.parametrize("length", [20, 32, 64])
def test_of_words_drawn_by_lot_of_any_alphabet_hardly_one_is_shown(alphabet: str, length: int) -> None:
    lot = Random(length)
    words = ["".join(lot.choices(alphabet, k=length)) for _ in range(200)]
    assert sum(word in hide(f"got {word} from it") for word in words) <= 10 * (length == 20) + 2


@pytest.mark.parametrize(
    "name",
    [
        "ncclDevKernel_AllReduce_Sum_bf16_RING_LL",
        "flash_attn-2.6.3+cu123torch2.4cxx11abiFALSE-cp311-cp311-linux_x86_64",
        "llama3_8b_lora_r16_a32_bs4x8_20261130T101500Z", "glProgramUniformMatrix3x4dvEXT",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "Qwen2VLForConditionalGeneration", "PYTORCH_ENABLE_MPS_FALLBACK",
        "hipExtStreamCreateWithCUMask", "vkGetPhysicalDeviceSurfaceCapabilities2KHR",
        "ScaleUVRowUp2_Linear_16_Any_SSE41",
        "xla_gpu_enable_latency_hiding_scheduler", "cudnnConvolutionBackwardFilter",
        "CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH",
    ],
)  # fmt: skip
def test_a_name_of_this_field_is_no_lot(name: str) -> None:
    assert chance(name) < 0
    assert hide(f"in {name} at") == f"in {name} at"


def test_a_digest_that_goes_on_with_other_letters_is_none() -> None:
    assert hide("with 7f0408243876fa71b763e1c86b6443adf45dNRAL") == "with (hidden)"


@given(st.text(max_size=600))
def test_any_text_has_a_chance(text: str) -> None:
    assert chance(text) < 10 * len(text) + 1
