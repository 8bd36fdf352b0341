"""Compile a checkpoint with MLC: its LoRA adapter merged, its weights as an artefact, and code for this box.

What comes out is a checkpoint like any other, of the format ``mlc``, whose parent is the one it was made from. The code
depends on the model's shape alone, so it is kept apart, for all checkpoints of that shape. The conversion is measured
(see :mod:`shopbot.backends.mlc.quality`), and only a good one passes the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from shopbot import memory
from shopbot.backends.mlc import quality
from shopbot.backends.mlc.artefact import INDEX, Artefact, write_artefact
from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.convert import Parameters, config_of, dequantized, exact_parameters, quantized
from shopbot.backends.mlc.extra import require_extra
from shopbot.backends.mlc.quantization import Array, Quantization, parameter_specs
from shopbot.backends.mlc.tokenizer import load_tokenizer, special_tokens, tokenizer_json
from shopbot.checkpoint import Checkpoint, CheckpointStore
from shopbot.config import Config, home
from shopbot.errors import ConfigError, ModelError
from shopbot.files import sha256_of
from shopbot.header import ModelHeader, read_header, require_base, require_lora_fits
from shopbot.manifest import MANIFEST, Base, Compiled, Gate, Manifest, write_manifest
from shopbot.models import locate_model
from shopbot.weights import open_weights

#: Called with what is being done, and how much of it is done, of how much (0 of 0 where that is not known).
Progress = Callable[[str, int, int], None]
#: The largest matrix as float32, so many times, is what a conversion takes; measured with the default model.
_MATRICES_IN_MEMORY = 4


def compile_checkpoint(
    name: str = "",
    *,
    config: Config,
    quantization: Quantization,
    target: str = "native",
    progress: Progress = lambda doing, done, total: None,
) -> Manifest:
    """Compile the checkpoint ``name`` (empty: the one in force, or what it was made from) and return the manifest of
    the new one, which is not put in force. One that was compiled before is returned as it is; its code is made for
    ``target`` too, where it is not there yet.

    Raises :class:`BackendError` without the extra, :class:`ConfigError` for a checkpoint or target that cannot be
    compiled, :class:`ModelError` (or a kind of it) for what is wrong with the files, the memory or the disk.
    """
    from shopbot.backends.mlc.library import code_folder, compiled_library

    require_extra()
    store = CheckpointStore(home())
    parent = store.load(name or store.trained_name())
    base, lora = _headers(parent, config)
    model = config_of(base)
    compiled_library(model, quantization, target, cache=code_folder(), progress=lambda doing: progress(doing, 0, 0))
    new_name = f"{parent.manifest.name[:80]}-mlc-{quantization.name}"
    if new_name in {known.name for known in store.list()}:
        return _found(store.load(new_name), parent, quantization)
    _require_memory(model)
    with store.draft() as draft:
        _convert(draft, base, lora, model, quantization, progress)
        progress("Measuring what was lost", 0, 0)
        found = _measure(draft, base, lora, model, quantization)
        write_manifest(draft, _manifest(new_name, parent, draft, quantization, found))
    return store.load(new_name).manifest


def _headers(parent: Checkpoint, config: Config) -> tuple[ModelHeader, ModelHeader | None]:
    """The base and the LoRA adapter of a checkpoint, checked."""
    manifest = parent.manifest
    if manifest.compiled is not None:
        raise ConfigError(f"'{manifest.name}' is compiled already.", remedy="Compile the checkpoint it was made from.")
    base = read_header(locate_model(parent.base_source(config.model.source), sha256=manifest.base.sha256))
    require_base(base)
    if parent.lora_path is None:
        return base, None
    lora = read_header(parent.lora_path)
    require_lora_fits(lora, base)
    return base, lora


def _convert(
    draft: Path,
    base: ModelHeader,
    lora: ModelHeader | None,
    model: ModelConfig,
    quantization: Quantization,
    progress: Progress,
) -> None:
    """Write the artefact."""
    progress("Reading the tokenizer", 0, 0)
    tokenizer = tokenizer_json(base)
    total = len(parameter_specs(model, quantization))

    def counted(arrays: Parameters) -> Iterator[tuple[str, Array]]:
        for done, row in enumerate(arrays, 1):
            progress("Converting the weights", done, total)
            yield row

    with open_weights(base, lora) as weights:
        arrays = counted(quantized(exact_parameters(weights, model), quantization))
        write_artefact(draft, model, quantization, arrays, tokenizer=tokenizer, special_tokens=special_tokens(base))


def _measure(
    draft: Path, base: ModelHeader, lora: ModelHeader | None, model: ModelConfig, quantization: Quantization
) -> quality.Quality:
    """The artefact, as it was written, beside the weights that it was made from."""
    tokens = quality.text_tokens(load_tokenizer(draft))
    stored = dequantized(Artefact.open(draft).read(), quantization)
    with open_weights(base, lora) as weights:
        return quality.compare(exact_parameters(weights, model), stored, model, tokens)


def _manifest(
    name: str, parent: Checkpoint, draft: Path, quantization: Quantization, found: quality.Quality
) -> Manifest:
    was = parent.manifest
    files = {path.name: sha256_of(path) for path in sorted(draft.iterdir()) if path.name != MANIFEST}
    if not found.is_good:
        gate = Gate(report=f"{quantization.name} loses too much: {found.sentence()}")
    elif not was.gate.passed:
        gate = Gate(report=was.gate.report or f"'{was.name}' was not evaluated")
    else:
        gate = Gate(passed=True, report=found.sentence())
    return was.model_copy(
        update={
            "name": name,
            "format": "mlc",
            "parent": was.name,
            "baked": None,
            "base": Base(source=was.base.source, sha256=files[INDEX], file=INDEX),
            "lora": None,
            "compiled": Compiled(
                base=was.base.sha256,
                lora=was.lora.sha256 if was.lora else None,
                quantization=quantization.name,
                files=files,
            ),
            "scores": {**was.scores, "conversion": found.as_json()},
            "created": datetime.now(timezone.utc),
            "gate": gate,
        }
    )


def _found(found: Checkpoint, parent: Checkpoint, quantization: Quantization) -> Manifest:
    """The manifest of one that was compiled before. Raises :class:`ModelError` where it is of something else."""
    compiled, was = found.manifest.compiled, parent.manifest
    lora = was.lora.sha256 if was.lora else None
    wanted = (was.name, was.base.sha256, lora, quantization.name)
    if compiled is None or (found.manifest.parent, compiled.base, compiled.lora, compiled.quantization) != wanted:
        raise ModelError(
            f"There is another checkpoint '{found.manifest.name}' already.", remedy="Give yours another name."
        )
    return found.manifest


def _require_memory(model: ModelConfig) -> None:
    largest = max(model.vocab_size * model.hidden_size, 2 * model.intermediate_size * model.hidden_size) * 4
    logits = 2 * quality.MAX_TOKENS * model.vocab_size * 4
    needed, available = _MATRICES_IN_MEMORY * largest + logits, memory.available_bytes()
    if available is not None and needed > available:
        raise ModelError(
            f"Converting this model takes about {needed >> 20} MiB of memory, {available >> 20} MiB are free.",
            remedy="Stop other programs, or compile on a larger machine and take the checkpoint in on this one.",
        )
