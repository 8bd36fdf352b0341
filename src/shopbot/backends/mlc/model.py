"""The model as one function: tokens and a cache in, logits out. Imported by the process that compiles.

TVM's own way is a graph of small functions that a virtual machine calls, some hundred a token. Here the loop over the
layers is part of the compiled code: nothing is called, allocated or looked up between a token's layers.
"""

# TVMScript is parsed, not run: its types and names mean nothing to a type checker.
# mypy: ignore-errors

from __future__ import annotations

from types import SimpleNamespace

from tvm import tirx
from tvm.script import tirx as T

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.kernels import attention, matrices, rows
from shopbot.backends.mlc.kernels.vectors import PROCESSORS
from shopbot.backends.mlc.packing import ROWS, packed_dtype, padded
from shopbot.backends.mlc.quantization import GROUP, Quantization
from shopbot.backends.mlc.weights import chunk_size, matrix_sizes, weight_specs

NAME = "forward"


def forward(config: ModelConfig, quantization: Quantization, processor: str) -> tirx.PrimFunc:
    """The function ``forward`` for a kind of processor (a key of :data:`PROCESSORS`).

    It reads ``tokens`` (int32, at most :func:`chunk_size`) at the positions from ``place[0]`` on, writes their keys and
    values to the cache, and writes the logits after the last of them, as many as ``logits`` has rows.
    """
    chip = PROCESSORS[processor]()
    specs = weight_specs(config, quantization)
    shape, matrix_type = SimpleNamespace(**{spec.name: spec.shape for spec in specs}), packed_dtype(quantization)
    sizes = matrix_sizes(config)
    layers, chunk, hidden, inner = (
        config.num_hidden_layers,
        chunk_size(config),
        config.hidden_size,
        config.intermediate_size,
    )
    head, heads, shared = config.head_dim, config.num_attention_heads, config.num_key_value_heads
    qkv_size, joined = padded(config.qkv_size), heads * head
    is_grouped, is_tied, has_qk_norm = quantization.is_grouped, config.tie_word_embeddings, config.has_qk_norm
    widest = max(hidden, joined, inner)
    head_shape = shape.embeddings if is_tied else shape.head

    each = rows.shared()
    normalise = rows.norm(hidden, config.rms_norm_eps)
    normalise_head = rows.norm(head, config.rms_norm_eps)
    weigh = rows.gate(inner)
    rotate, attend = attention.rotation(config), attention.attention(config)
    look_up = matrices.embedding(hidden, is_grouped)

    def product(name, adds=False):
        _, height, columns = sizes[name]
        blocks = padded(height) // ROWS
        if is_grouped:
            return matrices.bytes_product(chip, blocks, columns // GROUP, adds)
        return matrices.float_product(blocks, columns, adds)

    times_qkv, times_gate_up = product("qkv"), product("gate_up")
    add_joined, add_down = product("joined", adds=True), product("down", adds=True)
    times_head = product("embeddings")
    quantize_hidden, quantize_joined, quantize_inner = (
        rows.quantizer(size, chip.zero) if is_grouped else None for size in (hidden, joined, inner)
    )

    @T.prim_func
    def forward(
        tokens_: T.handle,
        place: T.Buffer((1,), "int32"),
        rope_: T.handle,
        keys_: T.handle,
        values_: T.handle,
        embeddings: T.Buffer(shape.embeddings, matrix_type),
        qkv: T.Buffer(shape.qkv, matrix_type),
        joined_: T.Buffer(shape.joined, matrix_type),
        gate_up: T.Buffer(shape.gate_up, matrix_type),
        down: T.Buffer(shape.down, matrix_type),
        head_: T.Buffer(head_shape, matrix_type),
        qkv_bias: T.Buffer((layers, config.qkv_size), "float32"),
        attention_norm: T.Buffer((layers, hidden), "float32"),
        mlp_norm: T.Buffer((layers, hidden), "float32"),
        last_norm: T.Buffer((1, hidden), "float32"),
        query_norm: T.Buffer((layers, head), "float32"),
        key_norm: T.Buffer((layers, head), "float32"),
        logits_: T.handle,
    ):
        T.func_attr({"global_symbol": NAME, "tirx.noalias": True, "tirx.is_scheduled": True})
        count, answers, positions, blocks = T.int32(), T.int32(), T.int32(), T.int32()
        tokens = T.match_buffer(tokens_, (count,), "int32")
        rope = T.match_buffer(rope_, (positions, head), "float32")
        keys = T.match_buffer(keys_, (layers, blocks, shared, head, ROWS), "float32")
        values = T.match_buffer(values_, (layers, positions, shared, head), "float32")
        logits = T.match_buffer(logits_, (answers, padded(config.vocab_size)), "float32")
        stream = T.alloc_buffer((chunk, padded(hidden)), "float32")
        normed = T.alloc_buffer((chunk, hidden), "float32")
        mixed = T.alloc_buffer((chunk, qkv_size), "float32")
        queries = T.alloc_buffer((chunk, heads, head), "float32")
        seen = T.alloc_buffer((chunk, joined), "float32")
        opened = T.alloc_buffer((chunk, padded(2 * inner)), "float32")
        weighed = T.alloc_buffer((chunk, inner), "float32")
        rounded = T.alloc_buffer((chunk, widest), "int8")
        scales = T.alloc_buffer((chunk, widest // GROUP + 1), "float32")
        excess = T.alloc_buffer((chunk, widest // GROUP + 1), "int32")

        @T.inline
        def embed(at):
            look_up(embeddings, tokens[at], at, stream)

        each(count, embed)
        for layer in T.serial(layers):

            @T.inline
            def before_attention(at):
                normalise(stream, at, 0, attention_norm, layer, normed)
                if is_grouped:
                    quantize_hidden(normed, at, rounded, scales, excess)

            each(count, before_attention)
            if is_grouped:
                times_qkv(qkv, layer, (rounded, scales, excess), count, mixed)
            else:
                times_qkv(qkv, layer, (normed,), count, mixed)

            @T.inline
            def turn(at):
                for number in T.serial(config.qkv_size):
                    mixed[at, number] = mixed[at, number] + qkv_bias[layer, number]
                if has_qk_norm:
                    for query in T.serial(heads):
                        normalise_head(mixed, at, query * head, query_norm, layer, mixed)
                    for key in T.serial(shared):
                        normalise_head(mixed, at, (heads + key) * head, key_norm, layer, mixed)
                rotate(mixed, at, rope, place[0], layer, queries, keys, values)

            each(count, turn)
            attend(queries, count, place[0], layer, keys, values, seen)
            if is_grouped:

                @T.inline
                def after_attention(at):
                    quantize_joined(seen, at, rounded, scales, excess)

                each(count, after_attention)
                add_joined(joined_, layer, (rounded, scales, excess), count, stream)
            else:
                add_joined(joined_, layer, (seen,), count, stream)

            @T.inline
            def before_mlp(at):
                normalise(stream, at, 0, mlp_norm, layer, normed)
                if is_grouped:
                    quantize_hidden(normed, at, rounded, scales, excess)

            each(count, before_mlp)
            if is_grouped:
                times_gate_up(gate_up, layer, (rounded, scales, excess), count, opened)
            else:
                times_gate_up(gate_up, layer, (normed,), count, opened)

            @T.inline
            def between(at):
                weigh(opened, at, weighed)
                if is_grouped:
                    quantize_inner(weighed, at, rounded, scales, excess)

            each(count, between)
            if is_grouped:
                add_down(down, layer, (rounded, scales, excess), count, stream)
            else:
                add_down(down, layer, (weighed,), count, stream)

        @T.inline
        def last(at):
            for number in T.serial(hidden):
                stream[at, number] = stream[count - answers + at, number]
            normalise(stream, at, 0, last_norm, 0, normed)
            if is_grouped:
                quantize_hidden(normed, at, rounded, scales, excess)

        for at in T.serial(answers):
            last(at)
        if is_grouped:
            times_head(head_, 0, (rounded, scales, excess), answers, logits)
        else:
            times_head(head_, 0, (normed,), answers, logits)

    return forward
