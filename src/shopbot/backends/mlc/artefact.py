"""MLC artefacts: a folder with weights, tokenizer and configuration, as mlc-ai publishes them and as we write them."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot.backends.mlc.config import ModelConfig, parse_chat_config
from shopbot.backends.mlc.index import INDEX_NAMES, REMEDY, Index, Shard, find_index, read_index, read_limited
from shopbot.backends.mlc.quantization import QUANTIZATIONS, Array, ParameterSpec, Quantization, parameter_specs
from shopbot.errors import ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.files import require_disk, sync

CHAT_CONFIG = "mlc-chat-config.json"
#: What we call the index of the weights.
INDEX = INDEX_NAMES[0]
TOKENIZER = "tokenizer.json"
#: What stays free on the disk beside an artefact, in bytes.
DISK_RESERVE_BYTES = 256 << 20
_SHARD_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Artefact:
    """A folder whose configuration and index are in order; its weights are checked as they are read.

    ``stop_tokens``: the ids that end a text. ``weight_bytes``: what :meth:`read` gives in all.
    """

    folder: Path
    config: ModelConfig
    quantization: Quantization
    tokenizer_file: Path
    stop_tokens: tuple[int, ...]
    weight_bytes: int
    index: Index
    index_file: str

    @classmethod
    def open(cls, folder: Path) -> Artefact:
        """Look at ``folder``; the weights themselves are not read.

        Raises :class:`ModelNotFoundError` where there is no artefact, :class:`ModelCorruptError` where a file is
        missing, cut short or says what makes no sense, :class:`ModelError` for a model that we cannot run.
        """
        chat = _read_chat_config(folder)
        config, quantization = parse_chat_config(chat), _quantization(chat)
        index_file = find_index(folder)
        index, specs = read_index(folder / index_file), parameter_specs(config, quantization)
        _require_parameters(index, specs)
        weight_bytes = sum(spec.nbytes for spec in specs)
        for shard in index.shards:
            if shard.nbytes > 2 * weight_bytes:
                raise ModelCorruptError(f"{shard.file} is said to have {shard.nbytes} bytes.", remedy=REMEDY)
            _require_size(folder / shard.file, shard.nbytes)
        if not (folder / TOKENIZER).is_file():
            raise ModelCorruptError(f"{folder} has no {TOKENIZER}.", remedy="Use an artefact that has one.")
        return cls(
            folder=folder,
            config=config,
            quantization=quantization,
            tokenizer_file=folder / TOKENIZER,
            stop_tokens=_stop_tokens(chat),
            weight_bytes=weight_bytes,
            index=index,
            index_file=index_file,
        )

    def read(self) -> Iterator[tuple[str, Array]]:
        """The parameters by name, in the order of the index, one shard after the other; the arrays are read-only.

        Raises :class:`ModelCorruptError` where a shard is not the one that the index was made for.
        """
        for shard in self.index.shards:
            content = self._content(shard)
            for record in shard.records:
                yield record.name, record.decode(content)

    def _content(self, shard: Shard) -> bytes:
        path = self.folder / shard.file
        try:
            content = read_limited(path, shard.nbytes)
        except FileNotFoundError:
            raise ModelCorruptError(f"{path} is missing.", remedy=REMEDY) from None
        except (OSError, ValueError) as error:
            raise ModelCorruptError(f"{path} cannot be read: {error}.", remedy=REMEDY) from None
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != shard.md5:
            raise ModelCorruptError(f"{path} is not the file that the index was made for.", remedy=REMEDY)
        return content


def write_artefact(
    folder: Path,
    config: ModelConfig,
    quantization: Quantization,
    parameters: Iterable[tuple[str, Array]],
    *,
    tokenizer: bytes,
    special_tokens: dict[str, int],
) -> Artefact:
    """Write an artefact to ``folder``. ``parameters`` come in the order of :func:`parameter_specs`; ``special_tokens``:
    ``bos_token_id`` and the like.

    The index is written last: a folder that was cut short is no artefact. The same input gives the same bytes. Raises
    :class:`ModelError` where the disk is too small or cannot be written.
    """
    specs = parameter_specs(config, quantization)
    size = sum(spec.nbytes for spec in specs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        require_disk(folder, size + len(tokenizer) + DISK_RESERVE_BYTES)
        (folder / TOKENIZER).write_bytes(tokenizer)
        _write_json(folder / CHAT_CONFIG, _chat_config(config, quantization, special_tokens))
        shards = list(_write_shards(folder, _as_specified(parameters, specs)))
        _write_json(folder / INDEX, {"metadata": {"ParamSize": len(specs), "ParamBytes": size}, "records": shards})
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(
                f"The disk of {folder} is too full: {error.strerror}.", remedy="Free some space."
            ) from error
        raise ModelError(f"{folder} cannot be written: {error}.", remedy="Check its permissions.") from error
    return Artefact.open(folder)


def _as_specified(parameters: Iterable[tuple[str, Array]], specs: list[ParameterSpec]) -> Iterator[tuple[str, Array]]:
    for (name, array), spec in zip(parameters, specs, strict=True):
        if (name, array.shape, array.dtype.name) != (spec.name, spec.shape, spec.dtype):
            raise ValueError(f"{name} {array.shape} {array.dtype} comes where {spec} is expected")
        yield name, array


def _write_shards(folder: Path, parameters: Iterable[tuple[str, Array]]) -> Iterator[dict[str, Any]]:
    content, records = bytearray(), list[dict[str, Any]]()
    count = 0
    for name, array in parameters:
        if content and len(content) + array.nbytes > _SHARD_BYTES:
            yield _write_shard(folder, count, content, records)
            content, records, count = bytearray(), [], count + 1
        place = {"byteOffset": len(content), "nbytes": array.nbytes}
        records.append({"name": name, "shape": list(array.shape), "dtype": array.dtype.name, "format": "raw", **place})
        content += array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    yield _write_shard(folder, count, content, records)


def _write_shard(folder: Path, number: int, content: bytearray, records: list[dict[str, Any]]) -> dict[str, Any]:
    path = folder / f"params_shard_{number}.bin"
    path.write_bytes(content)
    sync(path)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    row = {"dataPath": path.name, "format": "raw-shard", "nbytes": len(content), "md5sum": md5}
    return {**row, "records": records}


def _chat_config(config: ModelConfig, quantization: Quantization, special_tokens: dict[str, int]) -> dict[str, Any]:
    sizes = {"context_window_size": config.context_window_size, "prefill_chunk_size": config.prefill_chunk_size}
    return {
        "version": "0.1.0",
        "model_type": config.model_type,
        "quantization": quantization.name,
        "model_config": config.as_mlc(),
        "vocab_size": config.vocab_size,
        **sizes,
        "tokenizer_files": [TOKENIZER],
        "temperature": 0.0,
        **special_tokens,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sync(path)


def _read_chat_config(folder: Path) -> dict[str, Any]:
    path = folder / CHAT_CONFIG
    try:
        chat = json.loads(read_limited(path))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelNotFoundError(f"There is no {path}.", remedy="Give the folder of an MLC artefact.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelCorruptError(f"{path} cannot be read: {error}.", remedy=REMEDY) from None
    if not isinstance(chat, dict):
        raise ModelCorruptError(f"{path} is no table.", remedy=REMEDY)
    return chat


def _quantization(chat: dict[str, Any]) -> Quantization:
    name = chat.get("quantization")
    if not isinstance(name, str) or name not in QUANTIZATIONS:
        raise ModelError(
            f"The artefact is quantised as {str(name)[:40]!r}.", remedy=f"Use one of {', '.join(QUANTIZATIONS)}."
        )
    return QUANTIZATIONS[name]


def _stop_tokens(chat: dict[str, Any]) -> tuple[int, ...]:
    value = chat.get("eos_token_id")
    ids = value if isinstance(value, list) else [value]
    return tuple(number for number in ids if type(number) is int and number >= 0)


def _require_parameters(index: Index, specs: list[ParameterSpec]) -> None:
    found = index.by_name()
    for spec in specs:
        record = found.pop(spec.name, None)
        if record is None:
            raise ModelCorruptError(f"The artefact lacks {spec.name}.", remedy=REMEDY)
        if (tuple(record.shape), record.dtype) != (spec.shape, spec.dtype):
            is_, wanted = f"{record.dtype}{record.shape}", f"{spec.dtype}{list(spec.shape)}"
            raise ModelCorruptError(f"{spec.name} is {is_}, its configuration asks for {wanted}.", remedy=REMEDY)
    if found:
        raise ModelError(
            f"The artefact has {next(iter(found))[:80]!r}, which its architecture does not.",
            remedy="Use another model.",
        )


def _require_size(path: Path, size: int) -> None:
    try:
        actual = path.stat().st_size
    except OSError:
        raise ModelCorruptError(f"{path} is missing.", remedy=REMEDY) from None
    if actual != size:
        raise ModelCorruptError(f"{path} has {actual} bytes, {size} are expected.", remedy=REMEDY)
