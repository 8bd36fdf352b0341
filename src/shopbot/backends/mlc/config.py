"""The shape of a model that code is compiled for, and how an artefact's ``mlc-chat-config.json`` spells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from shopbot.errors import ModelCorruptError, ModelError

ModelType = Literal["llama", "qwen2", "qwen3"]
MODEL_TYPES: tuple[ModelType, ...] = get_args(ModelType)
#: Tokens that one call of the compiled ``prefill`` takes at most.
PREFILL_CHUNK_SIZE = 512
_ACTIVATIONS = frozenset({"silu", "swish"})
_LIMITS = {
    "hidden_size": 1 << 16,
    "intermediate_size": 1 << 18,
    "num_hidden_layers": 1 << 10,
    "num_attention_heads": 1 << 10,
    "num_key_value_heads": 1 << 10,
    "head_dim": 1 << 10,
    "vocab_size": 1 << 21,
    "context_window_size": 1 << 28,
    "prefill_chunk_size": 1 << 20,
}


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What decides the compiled code, beside the quantisation. Sizes in elements, the last two in tokens.

    ``attention_bias``: q, k and v have a bias, as in qwen2. qwen3 has none, and norms for q and k instead.
    """

    model_type: ModelType
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    rms_norm_eps: float
    rope_theta: float
    tie_word_embeddings: bool
    attention_bias: bool
    context_window_size: int
    prefill_chunk_size: int

    def __post_init__(self) -> None:
        """Raises :class:`ModelCorruptError` for numbers that make no model."""
        for name, limit in _LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not 0 < value <= limit:
                raise _senseless(f"{name} is {value!r}")
        for name in ("rms_norm_eps", "rope_theta"):
            value = getattr(self, name)
            if not isinstance(value, float) or not 0 < value < 1e12:
                raise _senseless(f"{name} is {value!r}")
        if self.num_attention_heads % self.num_key_value_heads:
            raise _senseless(f"{self.num_attention_heads} heads do not share {self.num_key_value_heads}")
        # the compiled code works on vectors: a head is two halves of at least two numbers, and no row has an odd one
        for name, multiple in (("head_dim", 4), ("hidden_size", 2), ("intermediate_size", 2)):
            if getattr(self, name) % multiple:
                raise _senseless(f"{name} is {getattr(self, name)}, no multiple of {multiple}")

    @property
    def has_qk_norm(self) -> bool:
        return self.model_type == "qwen3"

    @property
    def qkv_size(self) -> int:
        """Rows of the matrix of q, k and v, in this order."""
        return (self.num_attention_heads + 2 * self.num_key_value_heads) * self.head_dim

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_mlc(self) -> dict[str, Any]:
        """The table ``model_config`` of an ``mlc-chat-config.json``."""
        table = {key: value for key, value in self.to_json().items() if key not in ("model_type", "rope_theta")}
        theta = "position_embedding_base" if self.model_type == "llama" else "rope_theta"
        shards = {"tensor_parallel_shards": 1, "max_batch_size": 1}
        return {
            **table,
            theta: self.rope_theta,
            **({} if self.model_type == "llama" else {"hidden_act": "silu"}),
            **shards,
        }


def parse_chat_config(chat: Mapping[str, Any]) -> ModelConfig:
    """Read an ``mlc-chat-config.json``.

    Raises :class:`ModelError` for a model that is none of :data:`MODEL_TYPES` or has what we do not compile,
    :class:`ModelCorruptError` for one that makes no sense.
    """
    model_type, table = chat.get("model_type"), chat.get("model_config")
    if model_type not in MODEL_TYPES:
        raise ModelError(
            f"The artefact is of the architecture {str(model_type)[:40]!r}.",
            remedy=f"Use a model of the kind {', '.join(MODEL_TYPES)}.",
        )
    if not isinstance(table, Mapping):
        raise _senseless("there is no model_config")
    _refuse_what_is_not_compiled(table, model_type)
    heads, hidden = _whole(table, "num_attention_heads"), _whole(table, "hidden_size")
    context = _whole(chat if chat.get("context_window_size") else table, "context_window_size")
    chunk = _whole(chat if chat.get("prefill_chunk_size") else table, "prefill_chunk_size", PREFILL_CHUNK_SIZE)
    return ModelConfig(
        model_type=model_type,
        hidden_size=hidden,
        intermediate_size=_whole(table, "intermediate_size"),
        num_hidden_layers=_whole(table, "num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=_whole(table, "num_key_value_heads", heads),
        head_dim=_whole(table, "head_dim", hidden // heads),
        vocab_size=_whole(table, "vocab_size"),
        rms_norm_eps=_float(table.get("rms_norm_eps")),
        rope_theta=_float(table.get("position_embedding_base") or table.get("rope_theta") or 10000.0),
        tie_word_embeddings=table.get("tie_word_embeddings") is True,
        attention_bias=model_type == "qwen2",
        context_window_size=context,
        prefill_chunk_size=min(chunk, context),
    )


def _refuse_what_is_not_compiled(table: Mapping[str, Any], model_type: ModelType) -> None:
    """Settings that change what a model computes, and that would be ignored."""
    scaling = table.get("rope_scaling")
    kind = (scaling.get("rope_type") or scaling.get("type")) if isinstance(scaling, Mapping) else scaling
    unknown = {
        f"rope_scaling {str(kind)[:40]!r}": kind not in (None, "default"),
        f"activation {str(table.get('hidden_act'))[:40]!r}": table.get("hidden_act", "silu") not in _ACTIVATIONS,
        "attention_bias": table.get("attention_bias") is True and model_type != "qwen2",
    }
    for what, is_there in unknown.items():
        if is_there:
            raise ModelError(f"The artefact wants {what}, which is not supported.", remedy="Use another model.")


def _whole(table: Mapping[str, Any], key: str, default: int = 0) -> int:
    """A positive number; the ``default`` stands for one that is missing, null or 0."""
    value = table.get(key) or default
    if type(value) is not int or value <= 0:
        raise _senseless(f"{key} is {str(table.get(key))[:40]}")
    return value


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0


def _senseless(what: str) -> ModelCorruptError:
    return ModelCorruptError(f"The model's configuration makes no sense: {what}.", remedy="Fetch or compile it again.")
