"""Artefacts: published ones load as they are, damaged ones are refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot.backends.mlc.artefact import Artefact, write_artefact
from shopbot.backends.mlc.quantization import QUANTIZATIONS, parameter_specs
from shopbot.errors import ModelCorruptError, ModelError, ModelNotFoundError
from tests.mlc.artefacts import as_stored, bfloat16, publish, random_weights, small_config

Change = Callable[[dict[str, Any], dict[str, Any]], None]


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    return as_stored(random_weights(small_config()), "q4f32_1")


@pytest.fixture
def folder(tmp_path: Path, stored: dict[str, np.ndarray]) -> Path:
    return publish(tmp_path / "artefact", small_config(), stored, "q4f32_1")


@pytest.mark.parametrize("index", ["tensor-cache.json", "ndarray-cache.json"])
@pytest.mark.parametrize("quantization", ["q4f32_1", "q4f16_1", "q0f16", "q0f32"])
@pytest.mark.parametrize("model_type", ["llama", "qwen2", "qwen3"])
def test_a_published_folder_loads_as_it_is(model_type: str, quantization: str, index: str, tmp_path: Path) -> None:
    config = small_config(model_type)
    arrays = as_stored(random_weights(config), quantization)
    artefact = Artefact.open(publish(tmp_path, config, arrays, quantization, index=index))
    assert artefact.config == config
    assert (artefact.quantization.name, artefact.stop_tokens) == (quantization, (1, 2))
    specs = parameter_specs(config, artefact.quantization)
    assert artefact.weight_bytes == sum(array.nbytes for array in arrays.values())
    found = dict(artefact.read())
    assert found.keys() == arrays.keys() == {spec.name for spec in specs}
    for spec in specs:
        array = arrays[spec.name]
        if array.dtype == np.float32:  # stored as bfloat16
            array = (bfloat16(array).astype(np.uint32) << 16).view(np.float32)
        assert found[spec.name].dtype.name == spec.dtype
        assert np.array_equal(found[spec.name], array), spec.name


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config, form = small_config("qwen2"), QUANTIZATIONS["q8"]
    chance = np.random.default_rng(0)
    arrays = [
        (spec.name, chance.integers(-100, 100, spec.shape).astype(spec.dtype)) for spec in parameter_specs(config, form)
    ]
    for name in ("one", "two"):
        artefact = write_artefact(
            tmp_path / name, config, form, arrays, tokenizer=b"{}", special_tokens={"eos_token_id": 2}
        )
    assert (artefact.config, artefact.quantization, artefact.stop_tokens) == (config, form, (2,))
    found = list(artefact.read())
    assert [name for name, _ in found] == [name for name, _ in arrays]
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(found, arrays, strict=True))
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert contents[0] == contents[1], "the same input gives the same bytes"


def test_a_folder_that_was_cut_short_is_no_artefact(tmp_path: Path) -> None:
    config, form = small_config(), QUANTIZATIONS["q8"]

    def interrupted() -> Any:
        yield from [(spec.name, np.zeros(spec.shape, spec.dtype)) for spec in parameter_specs(config, form)][:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_artefact(tmp_path / "cut", config, form, interrupted(), tokenizer=b"{}", special_tokens={})
    with pytest.raises(ModelCorruptError, match="has no tensor-cache"):
        Artefact.open(tmp_path / "cut")


def test_no_artefact(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelNotFoundError, match="mlc-chat-config"):
            Artefact.open(path)


@pytest.mark.parametrize("name", ["params_shard_1.bin", "ndarray-cache.json", "tokenizer.json"])
def test_a_missing_file(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelCorruptError, match=f"{name}.* (Fetch|Use)"):
        Artefact.open(folder)


def test_a_truncated_shard(folder: Path) -> None:
    shard = folder / "params_shard_1.bin"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ModelCorruptError, match=r"params_shard_1.bin has \d+ bytes, \d+ are expected"):
        Artefact.open(folder)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 1 << 30), bit=st.integers(0, 7))
def test_a_shard_with_one_wrong_bit(place: int, bit: int, folder: Path) -> None:
    shard = folder / "params_shard_2.bin"
    whole = shard.read_bytes()
    spoilt = bytearray(whole)
    spoilt[place % len(spoilt)] ^= 1 << bit
    shard.write_bytes(spoilt)
    try:
        with pytest.raises(ModelCorruptError, match="is not the file that the index was made for"):
            list(Artefact.open(folder).read())
    finally:
        shard.write_bytes(whole)


def test_weights_that_are_no_numbers(tmp_path: Path, stored: dict[str, np.ndarray]) -> None:
    spoilt = {**stored, "model.norm.weight": np.full(64, np.nan, np.float32)}
    with pytest.raises(ModelCorruptError, match=r"model.norm.weight holds values that are no numbers"):
        list(Artefact.open(publish(tmp_path, small_config(), spoilt, "q4f32_1")).read())


def in_chat(key: str, value: object) -> Change:
    return lambda chat, index: chat.__setitem__(key, value)


def in_model(key: str, value: object) -> Change:
    return lambda chat, index: chat["model_config"].__setitem__(key, value)


def in_shard(key: str, value: object) -> Change:
    return lambda chat, index: index["records"][0].__setitem__(key, value)


def in_record(key: str, value: object) -> Change:
    return lambda chat, index: index["records"][0]["records"][0].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_chat("model_type", "gemma"), "of the architecture 'gemma'.*llama, qwen2, qwen3"),
        (in_chat("model_type", ["llama"]), "of the architecture"),
        (in_chat("quantization", "q3f16_1"), "quantised as 'q3f16_1'.*q4f16_1"),
        (in_chat("model_config", None), "there is no model_config"),
        (in_model("num_hidden_layers", 10**9), "num_hidden_layers is 1000000000"),
        (in_model("hidden_size", -64), "hidden_size is -64"),
        (in_model("hidden_size", "64"), "hidden_size is 64"),
        (in_model("vocab_size", True), "vocab_size is True"),
        (in_model("num_key_value_heads", 3), "4 heads do not share 3"),
        (in_model("rms_norm_eps", None), "rms_norm_eps"),
        (in_model("rope_scaling", {"rope_type": "llama3", "factor": 32}), "rope_scaling 'llama3', which is not"),
        (in_model("attention_bias", True), "attention_bias, which is not supported"),
        (in_model("tie_word_embeddings", False), "lacks lm_head"),
        (in_model("num_hidden_layers", 1), r"has 'model.layers.1.*', which its architecture does not"),
        (in_model("intermediate_size", 64), "its configuration asks for"),
        (in_shard("dataPath", "../../etc/passwd"), "dataPath"),
        (in_shard("dataPath", "/etc/passwd"), "dataPath"),
        (in_shard("dataPath", ".."), "dataPath"),
        (in_shard("dataPath", "a\\b"), "dataPath"),
        (in_shard("md5sum", "0" * 31), "md5sum"),
        (in_shard("nbytes", 1 << 60), "nbytes"),
        (in_shard("nbytes", 10), "ends outside of params_shard_0"),
        (in_record("shape", [1 << 31, 1 << 31, 1 << 31]), "has the shape"),
        (in_record("shape", []), "shape"),
        (in_record("shape", [0, 8]), "shape"),
        (in_record("byteOffset", -4), "byteOffset"),
        (in_record("byteOffset", 1 << 40), "ends outside"),
        (in_record("nbytes", 4), "has the shape"),
        (in_record("dtype", "float64"), "dtype"),
        (in_record("name", "model.norm.weight"), "twice|lacks"),
    ],
)
def test_a_folder_that_makes_no_sense(
    change: Change, message: str, tmp_path: Path, stored: dict[str, np.ndarray]
) -> None:
    publish(tmp_path, small_config(), stored, "q4f32_1", change=change)
    with pytest.raises(ModelError, match=message) as caught:
        Artefact.open(tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b'{"records": 1e999}', b'{"records": []}']
)
@pytest.mark.parametrize("name", ["ndarray-cache.json", "mlc-chat-config.json"])
def test_files_that_are_no_json(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Artefact.open(folder)
    assert caught.value.remedy


_ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_odd_values_anywhere_are_refused_or_do_no_harm(data: st.DataObject, folder: Path) -> None:
    name = data.draw(st.sampled_from(["ndarray-cache.json", "mlc-chat-config.json"]))
    whole = (folder / name).read_text()
    tree = json.loads(whole)
    place: Any = tree
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(_ODD)
    (folder / name).write_text(json.dumps(tree))
    try:
        list(Artefact.open(folder).read())
    except ModelError as error:
        assert error.remedy  # noqa: PT017 - that it may also be read is the point
    finally:
        (folder / name).write_text(whole)


def test_a_shard_far_longer_than_its_weights(tmp_path: Path, stored: dict[str, np.ndarray]) -> None:
    publish(tmp_path, small_config(), stored, "q4f32_1", change=in_shard("nbytes", 1 << 40))
    with (tmp_path / "params_shard_0.bin").open("r+b") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(ModelCorruptError, match="said to have 1099511627776 bytes"):
        Artefact.open(tmp_path)
