"""A tiny student of a tiny base: it learns, and llama.cpp says and weighs what PyTorch does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")
pytest.importorskip("transformers", reason="training needs the extra 'train'")

from shopbot_refine.base import load_model, load_tokenizer  # noqa: E402
from shopbot_refine.dataset import Example  # noqa: E402
from shopbot_refine.llama import TrainingLlama  # noqa: E402
from shopbot_refine.lora import LoraParameters  # noqa: E402
from shopbot_refine.lora_gguf import save_lora_gguf  # noqa: E402
from shopbot_refine.settings import TrainSettings  # noqa: E402
from shopbot_refine.student import Student, choose_blocks, count_blocks, train_student  # noqa: E402
from shopbot_refine.student_gguf import save_student_gguf  # noqa: E402

from shopbot import ConfigError, ModelError  # noqa: E402

CPU = torch.device("cpu")
HEADS, KV_HEADS = 4, 2
Render = Callable[..., str]
SETTINGS = TrainSettings(max_steps=8, lr=3e-3, token_budget=512, eval_every=4, threads=1, device="cpu")


@pytest.fixture
def lora(deep_base: Path, tmp_path: Path) -> Path:
    """A LoRA adapter of the deep base that changes something."""
    model = TrainingLlama(load_model(deep_base), CPU)
    adapter = LoraParameters(model.shapes(), rank=4, alpha=8, seed=0, device=CPU, dtype=torch.bfloat16)
    generator = torch.Generator().manual_seed(7)
    weights = {name: w + 0.1 * torch.randn(w.shape, generator=generator) for name, w in adapter.copy().items()}
    save_lora_gguf(tmp_path / "lora.gguf", weights, alpha=8, heads=HEADS, kv_heads=KV_HEADS, name="x")
    return tmp_path / "lora.gguf"


def open_engine(base: Path, lora: Path | None = None) -> Callable[..., dict[str, Any]]:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.warmup, params.verbosity = str(base), 512, 1, False, 0
    params.cpuparams.n_threads = 1
    if lora is not None:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = str(lora), 1.0
        params.lora_adapters = [adapter]
    server = xllamacpp.Server(params)

    def ask(prompt: str, **settings: Any) -> dict[str, Any]:
        asked = {"prompt": prompt, "n_predict": 32, "temperature": 0.0, "top_k": 1, "stop": ["<|im_end|>"], **settings}
        answer = server.handle_completions(asked)
        found: dict[str, Any] = json.loads(answer) if isinstance(answer, str) else answer
        return found

    return ask


def text_of(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["text"] if "choices" in answer else answer["content"])


def greedy(student: Student, base: Path, prompt: str, count: int = 32) -> str:
    tokenizer = load_tokenizer(base)
    tokens = tokenizer.encode(prompt).ids
    start, end = len(tokens), tokenizer.token_to_id("<|im_end|>")
    with torch.no_grad():
        while len(tokens) < start + count:
            token = int(student.logits(student.hidden_states(torch.tensor([tokens]), shared=0)[0, -1:]).argmax())
            if token == end:
                break
            tokens.append(token)
    return tokenizer.decode(tokens[start:], skip_special_tokens=False)


def test_blocks_are_spread_from_first_to_last() -> None:
    assert choose_blocks(30, 15)[:3] == (0, 2, 4)
    assert choose_blocks(30, 15)[-1] == 29
    assert choose_blocks(5, 3) == (0, 2, 4)
    for count in range(3, 33):
        for kept in range(2, count):
            chosen = choose_blocks(count, kept)
            assert (
                len(set(chosen)) == kept
                and list(chosen) == sorted(chosen)
                and (chosen[0], chosen[-1]) == (0, count - 1)
            )
    for kept in (0, 1, 5, 6):
        with pytest.raises(ConfigError, match="2 to 4 blocks"):
            choose_blocks(5, kept)


def test_a_student_begins_as_its_parent_without_some_blocks(deep_base: Path) -> None:
    """All blocks: the parent itself, which the general model with the merged adapter is; fewer: that one's layers."""
    tokens = torch.randint(4, 200, (3, 17), generator=torch.Generator().manual_seed(1))
    tokens[:, :5] = tokens[0, :5]
    for blocks in ((0, 1, 2, 3, 4), (0, 2, 4)):
        student = Student(deep_base, None, blocks, CPU, dtype=torch.float32)
        reference = load_model(deep_base, torch.float32)
        reference.model.layers = torch.nn.ModuleList(reference.model.layers[n] for n in blocks)
        reference.config.num_hidden_layers = len(blocks)
        for shared in (0, 5):
            with torch.no_grad():
                found = student.hidden_states(tokens, shared=shared)
                expected = reference.model(input_ids=tokens, use_cache=False).last_hidden_state[:, shared:]
            assert torch.allclose(found, expected, atol=1e-4), f"{blocks}, {shared} shared tokens"


def test_the_merged_parent_answers_as_the_parent_with_its_adapter(deep_base: Path, lora: Path, tmp_path: Path) -> None:
    merged = Student(deep_base, lora, (0, 1, 2, 3, 4), CPU)
    kind = gguf.GGMLQuantizationType.F32
    path = tmp_path / "merged.gguf"
    save_student_gguf(path, merged.copy(), base=deep_base, blocks=5, heads=HEADS, kv_heads=KV_HEADS, kind=kind)
    prompts = [f"<|im_start|>shop [-] please {word}" for word in ("stop", "go", "1723")]
    beside, alone = open_engine(deep_base, lora), open_engine(path)
    weighed = [(probabilities(beside, prompt), probabilities(alone, prompt)) for prompt in prompts]
    for one, other in weighed:
        common = one.keys() & other.keys()
        assert len(common) > 15
        assert {token: one[token] for token in common} == pytest.approx({t: other[t] for t in common}, abs=0.05)


def probabilities(ask: Callable[..., dict[str, Any]], prompt: str) -> dict[int, float]:
    """The engine's log-probabilities of the first token, the 20 likeliest."""
    answer = ask(prompt, n_predict=1, n_probs=20, grammar="root ::= [a-z]")  # an answer that ends at once has none
    [first] = answer["choices"][0]["logprobs"]["content"]
    return {entry["id"]: entry["logprob"] for entry in first["top_logprobs"]}


def train(examples: list[Example], base: Path, output: Path, render: Render, lora: Path | None, **changes: Any) -> Any:
    return train_student(
        examples,
        eval_examples=examples[:3],
        base=base,
        lora=lora,
        blocks=(0, 2, 4),
        output=output,
        settings=replace(SETTINGS, **changes),
        render=render,
    )


def test_a_trained_student_serves_what_it_learnt(
    deep_base: Path, lora: Path, few_examples: list[Example], render: Render, tmp_path: Path
) -> None:
    report = train(few_examples, deep_base, tmp_path, render, lora, max_steps=120, eval_every=40, patience=99)
    path = tmp_path / report.lora
    assert count_blocks(path) == 3
    assert report.eval_losses[-1][1] < report.eval_losses[0][1]
    exported = Student(path, None, (0, 1, 2), CPU, dtype=torch.float32)  # what the file holds, Q8_0 unpacked
    ask = open_engine(path)
    for example in few_examples:
        prompt = render(example.state, example.text)
        said = text_of(ask(prompt))
        assert said == greedy(exported, path, prompt) == example.acts[0]
        tokens = load_tokenizer(path).encode(prompt).ids
        with torch.no_grad():
            own = exported.logits(exported.hidden_states(torch.tensor([tokens]), shared=0)[0, -1:]).log_softmax(-1)[0]
        found = probabilities(ask, prompt)
        # llama.cpp rounds what meets a Q8_0 weight to 8 bits as well
        worst = max(abs(math.exp(found[token]) - math.exp(float(own[token]))) for token in found)
        assert worst < 0.02, f"probabilities differ by {worst:.4f}"


def test_without_quantisation_the_weights_come_back(deep_base: Path, tmp_path: Path) -> None:
    student = Student(deep_base, None, (0, 2, 4), CPU)
    kind = gguf.GGMLQuantizationType.F32
    save_student_gguf(
        tmp_path / "f32.gguf", student.copy(), base=deep_base, blocks=3, heads=HEADS, kv_heads=KV_HEADS, kind=kind
    )
    back = Student(tmp_path / "f32.gguf", None, (0, 1, 2), CPU).copy()
    assert back.keys() == student.copy().keys()
    assert all(torch.equal(back[name], weight) for name, weight in student.copy().items())
    student.save(tmp_path / "q8.gguf", student.copy())
    assert (tmp_path / "q8.gguf").stat().st_size < 0.5 * (tmp_path / "f32.gguf").stat().st_size
    for name, weight in Student(tmp_path / "q8.gguf", None, (0, 1, 2), CPU).copy().items():
        assert torch.allclose(weight, back[name], atol=float(back[name].abs().max()) / 200), name
    tokenizers = [load_tokenizer(path) for path in (deep_base, tmp_path / "q8.gguf")]
    assert tokenizers[0].to_str() == tokenizers[1].to_str()


def test_a_stopped_training_goes_on_to_the_same_bytes(
    deep_base: Path, few_examples: list[Example], render: Render, tmp_path: Path
) -> None:
    train(few_examples, deep_base, tmp_path / "whole", render, None, save_every=3)
    settings = replace(SETTINGS, save_every=3)

    def pull_the_plug(progress: Any) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    given = {"eval_examples": few_examples[:3], "base": deep_base, "lora": None, "blocks": (0, 2, 4)}
    with pytest.raises(KeyboardInterrupt):
        train_student(
            few_examples,
            **given,
            output=tmp_path / "cut",
            settings=settings,
            render=render,
            progress=pull_the_plug,
        )
    assert not (tmp_path / "cut" / "student.gguf").exists()
    train(few_examples, deep_base, tmp_path / "cut", render, None, save_every=3)
    assert (tmp_path / "cut" / "student.gguf").read_bytes() == (tmp_path / "whole" / "student.gguf").read_bytes()


def test_a_foreign_adapter_is_refused(
    tiny_base: Path, lora: Path, deep_base: Path, make_base: Any, tmp_path: Path
) -> None:
    model = TrainingLlama(load_model(tiny_base), CPU)
    small = LoraParameters(model.shapes(), rank=4, alpha=8, seed=0, device=CPU, dtype=torch.bfloat16)
    save_lora_gguf(tmp_path / "small.gguf", small.copy(), alpha=8, heads=HEADS, kv_heads=KV_HEADS, name="x")
    with pytest.raises(ModelError, match=r"small\.gguf does not fit"):
        Student(deep_base, tmp_path / "small.gguf", (0, 2, 4), CPU)
    make_base(tmp_path / "mamba.gguf", architecture="mamba")
    with pytest.raises(ModelError, match="no llama"):
        count_blocks(tmp_path / "mamba.gguf")
