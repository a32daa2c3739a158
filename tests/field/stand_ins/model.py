"""model.py OUT: a llama of two layers with weights drawn by lot, and the bytes as its words."""
# mypy: ignore-errors
# Runs in an environment of its own, which has these packages.

import sys

import gguf
import numpy

WIDTH, HEADS, INNER, LAYERS, CONTEXT = 64, 4, 128, 2, 512
WORDS = [b"<unk>", b"<s>", b"</s>"] + [f"<0x{byte:02X}>".encode() for byte in range(256)]
KINDS = [2, 3, 3] + [6] * 256  # gguf.TokenType: unknown, control, byte

writer = gguf.GGUFWriter(sys.argv[1], "llama")
random = numpy.random.default_rng(0)


def tensor(name: str, *shape: int) -> None:
    values = numpy.ones(shape) if len(shape) == 1 else random.standard_normal(shape) * 0.02
    writer.add_tensor(name, values.astype(numpy.float32))


writer.add_name("tiny")
writer.add_context_length(CONTEXT)
writer.add_embedding_length(WIDTH)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(INNER)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_vocab_size(len(WORDS))
writer.add_file_type(0)
writer.add_tokenizer_model("llama")
writer.add_tokenizer_pre("default")
writer.add_token_list(WORDS)
writer.add_token_scores([0.0] * len(WORDS))
writer.add_token_types(KINDS)
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_unk_token_id(0)
tensor("token_embd.weight", len(WORDS), WIDTH)
tensor("output.weight", len(WORDS), WIDTH)
tensor("output_norm.weight", WIDTH)
for layer in range(LAYERS):
    for name in ("attn_norm", "ffn_norm"):
        tensor(f"blk.{layer}.{name}.weight", WIDTH)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        tensor(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
    tensor(f"blk.{layer}.ffn_gate.weight", INNER, WIDTH)
    tensor(f"blk.{layer}.ffn_up.weight", INNER, WIDTH)
    tensor(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
