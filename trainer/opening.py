"""Finding a model to talk to and loading it: an adapter, a fine-tuned model, or a bare base."""

from pathlib import Path
from typing import Any

from schemas.adapter import TrainingManifest
from schemas.digests import digest_of, sha256_of
from schemas.errors import ConfigError, UnknownName
from schemas.recipe import load_recipe
from schemas.train import BaseModel, Quantize
from trainer.adapters import base_of, manifest_of, named_adapter, refuse_altered
from trainer.files import CONFIG, MANIFEST, MODEL_CONFIG, WEIGHTS, read_manifest
from trainer.generation import Assistant
from trainer.model import load_model, load_tokenizer, wants_bf16
from trainer.quiet import hush_transformers
from trainer.templates import Template, choose_template
from trainer.weights import BaseFiles, find_base


def open_assistant(
    name: str | None = None,
    lake: Path | str = "lake",
    *,
    base: str | None = None,
    template: str | None = None,
    system: str | None = None,
    trusts_code: bool = False,
) -> Assistant:
    """A model that is ready to answer.

    `name` is as for `find_model`. With `base`, a recipe's name or path, it is that recipe's base
    model without any adapter. The template is that of training, and so is the system message
    unless `system` is given, an empty one for none; `template` names one for a model that Winnow
    did not train. An adapter's base model runs its own Python only as `base_of` says.

    Raises:
        UnknownName: there is no such model or recipe.
        ConfigError: its base model is not the one on this machine, or brings code that nobody
            trusts; or `template` does not fit.
        CorpusDamaged: the adapter's weights are not those of its manifest.
        TrainingError: it does not fit into memory.
    """
    hush_transformers()
    if base is not None:
        if name is not None:
            raise ConfigError(f"both the model {name!r} and the base of {base!r}: name one of them")
        return _of_recipe(base, template, system)
    found = find_model(name, Path(lake))
    if found.is_file():
        return _bare(_files(found), template, system)
    if (found / CONFIG).is_file():
        return _adapted(found, Path(lake), template, system, trusts_code)
    made = read_manifest(found / MANIFEST)
    if made is None:
        return _bare(_files(found), template, system)
    return _tuned(found, made, template, system)


def find_model(name: str | None, lake: Path) -> Path:
    """The folder of an adapter or of a whole model, or a GGUF file.

    `name` is such a place, or what `named_adapter` finds.

    Raises:
        UnknownName: nothing of that name holds a model.
        ConfigError: the Hub has no such repository.
        StorageError: the Hub cannot be reached.
    """
    given = Path(name or "").expanduser()
    if given.suffix == ".gguf" and given.is_file():
        return given
    if name and (given / MODEL_CONFIG).is_file() and any(given.glob("*.safetensors")):
        return given
    try:
        return named_adapter(name, lake)
    except UnknownName as error:
        raise UnknownName(f"{error}. A bare base model is named by its recipe: --base") from None


def _files(place: Path) -> BaseFiles:
    """A whole model's files: of its folder, or a GGUF file."""
    is_gguf = place.is_file()
    folder = place.parent if is_gguf else place
    gguf = place.name if is_gguf else None
    return find_base(BaseModel(name=place.name, path=str(folder.absolute()), gguf_file=gguf))


def _of_recipe(recipe: str, template: str | None, system: str | None) -> Assistant:
    train = load_recipe(recipe).train
    if train is None:
        raise ConfigError(f"recipe {recipe!r} has no train section, so it names no base model.")
    return _bare(
        find_base(train.base_model),
        template or train.template,
        _system(system, train.system),
        bf16=wants_bf16(train),
        quantize=train.quantize,
    )


def _bare(
    base: BaseFiles,
    template: str | None,
    system: str | None,
    bf16: bool = False,
    quantize: Quantize = Quantize.NONE,
) -> Assistant:
    chosen = choose_template(load_tokenizer(base), template, base.name)
    model = load_model(base, bf16, quantize)
    digest = _digest(model, quantize, chosen, base.digest)
    return Assistant(model, chosen, _system(system, None), digest)


def _adapted(
    folder: Path, lake: Path, template: str | None, system: str | None, trusts_code: bool
) -> Assistant:
    """An adapter on its base model, which must be the one that it was trained on."""
    from peft import PeftModel

    made = manifest_of(folder, lake)
    refuse_altered(folder / WEIGHTS, made)
    _refuse_other_template(made, folder, template)
    base = base_of(made, folder, lake, trusts_code)
    chosen = choose_template(load_tokenizer(base), made.train.template, base.name)
    bare = load_model(base, wants_bf16(made.train), made.train.quantize)
    model: Any = PeftModel.from_pretrained(bare, str(folder))
    model.eval()
    settings = sha256_of(folder / CONFIG)
    digest = _digest(bare, made.train.quantize, chosen, base.digest, made.adapter_sha256, settings)
    return Assistant(model, chosen, _system(system, made.train.system), digest)


def _tuned(
    folder: Path, made: TrainingManifest, template: str | None, system: str | None
) -> Assistant:
    """A model all of whose weights were trained, with the tokenizer that lies beside them."""
    _refuse_other_template(made, folder, template)
    files = _files(folder)
    chosen = choose_template(load_tokenizer(files), made.train.template, made.base_model)
    model = load_model(files, bf16=wants_bf16(made.train))
    digest = _digest(model, Quantize.NONE, chosen, files.digest)
    return Assistant(model, chosen, _system(system, made.train.system), digest)


def _digest(model: Any, quantize: Quantize, template: Template, *weights: str) -> str:
    """Of all that answers depend on but the question: weights, how they are held, and template."""
    return digest_of([*weights, str(model.dtype), quantize.value, template.digest])


def _system(given: str | None, of_training: str | None) -> str | None:
    """The system message: the one given, of which an empty one means none, or that of training."""
    return (of_training if given is None else given) or None


def _refuse_other_template(made: TrainingManifest, folder: Path, template: str | None) -> None:
    if template is not None and template != made.train.template:
        own = made.train.template or "the base model's own"
        raise ConfigError(
            f"{folder} was trained with the template {own}, and in another it would not know what "
            f"it is asked: found --template {template}. Leave the option out."
        )
