"""The recipe: every number and name that a corpus and its adapter depend on."""

import difflib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from schemas.errors import ConfigError, UnknownName
from schemas.frozen import Frozen, StrMap, unknown_key
from schemas.source import Source
from schemas.upstream import NAME_PATTERN, UPSTREAMS, HttpUpstream, Upstream
from schemas.urls import shown

DEPLOYMENTS = Path(__file__).resolve().parents[1] / "deployments"


class ExactDedupe(Frozen):
    """Rows that are equal after folding case, width and white space count as one."""

    enabled: bool = True


class NearOverride(Frozen):
    """A looser or stricter test for the rows of one source; what is null stays as it is."""

    source: str
    threshold: float | None = Field(None, gt=0, le=1)
    compare_numbers: bool | None = None


class NearDedupe(Frozen):
    """Near-duplicate search: MinHash LSH proposes, exact Jaccard disposes (Broder 1997).

    A row falls only to a kept row whose prompt and response both reach `threshold`.
    """

    enabled: bool = True
    threshold: float = Field(0.8, gt=0, le=1, description="exact Jaccard, prompt and response each")
    ngram: int = Field(5, ge=2, le=16, description="characters per shingle")
    bands: int = Field(20, ge=1, le=20)
    rows: int = Field(6, ge=1, le=16, description="hashes per band; bands x rows is at most 128")
    bucket: int = Field(32, ge=1, le=1024, description="kept rows that one bucket remembers")
    candidates: int = Field(16, ge=1, le=256, description="exact comparisons per row, at most")
    compare_numbers: bool = Field(True, description="rows whose numbers differ are not duplicates")
    overrides: tuple[NearOverride, ...] = ()

    @model_validator(mode="after")
    def _fits_the_signature(self) -> Self:
        if self.bands * self.rows > 128:
            raise ValueError(f"bands x rows is {self.bands * self.rows}, the signature has 128")
        return self

    def recall(self, jaccard: float) -> float:
        """Chance that a pair of this Jaccard similarity shares a band: 1 - (1 - s^rows)^bands."""
        return 1.0 - (1.0 - jaccard**self.rows) ** self.bands


class Dedupe(Frozen):
    """Exact duplicates first, near duplicates among what the filter leaves."""

    exact: ExactDedupe = ExactDedupe()
    near: NearDedupe = NearDedupe()


class Lengths(Frozen):
    """Bounds in Unicode code points, inclusive; white space at the ends does not count."""

    enabled: bool = True
    min_prompt_chars: int = Field(1, ge=0)
    max_prompt_chars: int = Field(20_000, ge=1)
    min_response_chars: int = Field(1, ge=0)
    max_response_chars: int = Field(20_000, ge=1)

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Self:
        for part in ("prompt", "response"):
            low, high = getattr(self, f"min_{part}_chars"), getattr(self, f"max_{part}_chars")
            if low > high:
                raise ValueError(
                    f"min_{part}_chars is {low}, max_{part}_chars is {high}: no row fits"
                )
        return self


class Echo(Frozen):
    """A response that is only the prompt again, after folding."""

    enabled: bool = True
    min_chars: int = Field(8, ge=1, description="shorter prompts may be answered by themselves")


class Placeholders(Frozen):
    """An unrendered {{placeholder}} in prose that nothing filled."""

    enabled: bool = True


class ModelIdentity(Frozen):
    """A response that says it is another maker's assistant."""

    enabled: bool = True


class Privacy(Frozen):
    """Personal data; documentation examples (example.com, 555-01xx) are not people."""

    email: bool = True
    phone: bool = True
    id_number: bool = True


class EvaluationSet(Frozen):
    """Evaluation items that must not be in the corpus: a JSON Lines, JSON, CSV or Parquet file.

    It lies at `path`, or is downloaded from `url` like a source; `--from NAME=PATH` points it at a
    local copy.
    """

    name: str = Field(pattern=NAME_PATTERN)
    path: str | None = Field(None, description="relative to the recipe's YAML file")
    url: str | None = Field(None, pattern=r"^https?://")
    columns: tuple[str, ...] = Field((), description="text columns; empty means every text column")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("an evaluation set has exactly one of path, url")
        return self

    @property
    def upstream(self) -> Upstream | None:
        """What to download, where it is not a file of this machine."""
        if self.url is None:
            return None
        return Upstream(name=f"evaluation.{self.name}", http=HttpUpstream(urls=(self.url,)))

    @property
    def place(self) -> str:
        """The path of its file; raises ConfigError before it was downloaded."""
        if self.path is None:
            raise ConfigError(
                f"evaluation set {self.name!r} has not been downloaded from {self.url}"
            )
        return self.path

    def at(self, path: Path | str) -> Self:
        """The same set, read from a file of this machine."""
        place = str(Path(path).expanduser().absolute())
        return self.model_copy(update={"path": place, "url": None})


class Contamination(Frozen):
    """Rows that share an n-gram with an evaluation item, in prompt or response."""

    enabled: bool = True
    ngram: int = Field(
        13, ge=4, le=50, description="words, or characters where there are no spaces"
    )
    sets: tuple[EvaluationSet, ...] = ()


class Filter(Frozen):
    """The rules a row must pass; each can be switched off and bounded."""

    lengths: Lengths = Lengths()
    echo: Echo = Echo()
    placeholders: Placeholders = Placeholders()
    identity: ModelIdentity = ModelIdentity()
    privacy: Privacy = Privacy()
    contamination: Contamination = Contamination()


class Measure(Frozen):
    """What is measured beside characters and rows."""

    tokenizer: str | None = Field(
        None, description="tokenizer.json, or a folder with one; relative to the recipe's YAML file"
    )
    largest_clusters: int = Field(10, ge=0, description="duplicate clusters listed in the report")


class Gates(Frozen):
    """What a version must satisfy to become `latest`; shares are from 0 to 1, bounds inclusive."""

    max_failed_sources: int = Field(0, ge=0)
    min_rows: int = Field(1, ge=0, description="published rows")
    max_unreadable_share: float = Field(0.05, ge=0, le=1, description="of any source's rows")
    max_dropped_share: float = Field(1.0, ge=0, le=1, description="of any source's rows")
    max_shrink_share: float = Field(
        0.5, ge=0, le=1, description="of any source's published rows since the parent version"
    )
    max_length_drift: float = Field(
        0.5, ge=0, description="relative change of mean response_chars since the parent version"
    )


class Split(Frozen):
    """Which share of the duplicate clusters is held out for validation."""

    validation_share: float = Field(0.02, ge=0, lt=1)
    max_cluster_share: float = Field(
        0.01, gt=0, le=1, description="of the corpus; larger clusters stay in train"
    )


class ShardFormat(StrEnum):
    """File format of published shards."""

    PARQUET = "parquet"
    ARROW = "arrow"


class Publish(Frozen):
    """How the corpus is written."""

    format: ShardFormat = ShardFormat.PARQUET
    shard_rows: int = Field(100_000, ge=1, description="rows per published shard, at most")


class BaseModel(Frozen):
    """A causal language model to start from: exactly one of `repo`, `path`, `package`."""

    name: str = Field(description="what cards call it, e.g. HuggingFaceTB/SmolLM2-135M-Instruct")
    repo: str | None = Field(None, description="Hugging Face Hub repository")
    revision: str = Field("main", description="branch, tag or commit, for `repo`")
    path: str | None = Field(None, description="folder; relative to the recipe's YAML file")
    package: str | None = Field(None, description="installed Python package that carries the files")
    gguf_file: str | None = Field(None, description="file inside the folder, where it is GGUF")
    licence: str = "unknown"

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [name for name in ("repo", "path", "package") if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"a base model has exactly one of repo, path, package; found {found}")
        return self


class Lora(Frozen):
    """Low-rank adaptation (Hu et al. 2021): W + (alpha / rank) B A."""

    rank: int = Field(8, ge=1)
    alpha: float = Field(16, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = Field(
        ("all-linear",),
        description="module name endings, 'all-linear', or 'family' (peft's choice for the model)",
    )


class OverLong(StrEnum):
    """What happens to a conversation of more than `max_tokens` tokens."""

    DROP = "drop"
    TRUNCATE_PROMPT = "truncate_prompt"


class Supervise(StrEnum):
    """Which assistant turns are inside the loss; the stop token that ends each is with it."""

    LAST = "last"
    ALL = "all"


class Push(Frozen):
    """Where the adapter goes: a Hub repository, or a folder hub inside the lake."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    target: str = Field(
        "auto",
        pattern=r"^(auto|hub|folder|none)$",
        description="auto: the Hub where HF_TOKEN is set, else the folder hub <lake>/hub/<repo>",
    )
    private: bool = True


class Train(Frozen):
    """The LoRA training run that follows a published version."""

    base_model: BaseModel
    template: str | None = Field(
        None, description="a named template; null means the model's own chat template"
    )
    lora: Lora = Lora()
    max_tokens: int = Field(512, ge=8, description="per conversation, prompt and response")
    over_long: OverLong = OverLong.DROP
    supervise: Supervise = Supervise.LAST
    max_steps: int = Field(-1, description="optimizer steps, 1 or more; -1 means by epochs")
    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(8, ge=1, description="conversations per device and forward pass")
    gradient_accumulation: int = Field(1, ge=1)
    learning_rate: float = Field(2e-4, gt=0)
    schedule: str = Field("cosine", pattern=r"^(cosine|linear|constant_with_warmup|polynomial)$")
    warmup_share: float = Field(0.03, ge=0, le=1, description="of all steps")
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    save_steps: int = Field(50, ge=1, description="optimizer steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1)
    evaluation_rows: int = Field(256, ge=1, description="validation conversations, at most")
    max_loss_increase: float = Field(
        0.0, ge=0, description="validation loss may end this much above the base model's, in nats"
    )
    bf16: str = Field("auto", pattern=r"^(auto|on|off)$", description="auto: where the GPU has it")
    threads: int | None = Field(None, ge=1, description="CPU threads; null leaves it to torch")
    push: Push | None = None

    @field_validator("max_steps")
    @classmethod
    def _some_steps(cls, steps: int) -> int:
        if steps < 1 and steps != -1:
            raise ValueError(f"expected 1 or more, or -1 to count by epochs; found {steps}")
        return steps


class SourceChange(Frozen):
    """A source of a file with some of its keys changed: `{source: alpaca, priority: 5}`.

    A mapping such as `hub` or `columns` is merged into the file's, key by key; anything else takes
    the place of what the file says, and so does one kind of upstream of another.
    """

    model_config = ConfigDict(extra="allow")

    source: str = Field(description="a name in deployments/sources, or a path to a YAML file")

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, data: Any) -> Any:
        known = ["source", *Source.model_fields]
        for key in data if isinstance(data, dict) else ():
            if key not in known:
                raise ValueError(f"source {data.get('source')!r}: {unknown_key(str(key), known)}")
        return data

    def of(self, source: Source, where: str) -> Source:
        """The source with these changes; raises ConfigError naming `where` and the key."""
        changes = self.model_extra or {}
        file = source.model_dump(mode="json")
        if any(changes.get(kind) for kind in UPSTREAMS):
            file |= {kind: None for kind in UPSTREAMS if kind not in changes}
        return Source.from_mapping(_merged(file, changes), where)


def _merged(base: Any, change: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return base | {key: _merged(base.get(key), value) for key, value in change.items()}


def _given_as(entry: Any) -> str:
    if isinstance(entry, str):
        return "name"
    changes = isinstance(entry, SourceChange) or (isinstance(entry, dict) and "source" in entry)
    return "change" if changes else "inline"


SourceGiven = Annotated[
    Annotated[str, Tag("name")]
    | Annotated[SourceChange, Tag("change")]
    | Annotated[Source, Tag("inline")],
    Discriminator(_given_as),
]


class Recipe(Frozen):
    """Everything a corpus version depends on, and the training run that follows it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="also the corpus's name")
    description: str = ""
    seed: int = Field(17, ge=0)
    stage_shard_rows: int = Field(20_000, ge=1, description="rows of a source per stage shard")
    sources: tuple[SourceGiven, ...] = Field(
        min_length=1,
        description=(
            "a name in deployments/sources, a path to a YAML file, inline, or one of these with "
            "changes: {source: NAME, ...}"
        ),
    )
    placeholders: StrMap = Field(
        (),
        description="by name: what stands in the place of {{name}}; a source's own come first",
    )
    dedupe: Dedupe = Dedupe()
    filter: Filter = Filter()
    measure: Measure = Measure()
    gates: Gates = Gates()
    split: Split = Split()
    publish: Publish = Publish()
    train: Train | None = None

    @property
    def resolved_sources(self) -> tuple[Source, ...]:
        """The sources of a loaded recipe, in its order."""
        return tuple(source for source in self.sources if isinstance(source, Source))

    def shown(self) -> dict[str, Any]:
        """The recipe as it may be stored and shown: in full, its URLs without credentials."""
        dump: dict[str, Any] = self.model_dump(mode="json")
        for source in dump["sources"]:
            if isinstance(source, dict) and source.get("http"):
                source["http"]["urls"] = [shown(url) for url in source["http"].get("urls", ())]
        for item in dump["filter"]["contamination"]["sets"]:
            item["url"] = item["url"] and shown(item["url"])
        return dump

    def with_evaluation_sets(self, sets: tuple[EvaluationSet, ...]) -> Self:
        """The same recipe with other evaluation sets."""
        contamination = self.filter.contamination.model_copy(update={"sets": sets})
        return self.model_copy(
            update={"filter": self.filter.model_copy(update={"contamination": contamination})}
        )

    @property
    def evaluation_sets(self) -> tuple[EvaluationSet, ...]:
        """The sets that rows are held against: none where contamination is switched off."""
        contamination = self.filter.contamination
        return contamination.sets if contamination.enabled else ()

    def source(self, name: str) -> Source:
        """The source of that name; raises UnknownName with the nearest one."""
        names = {source.name: source for source in self.resolved_sources}
        return names[known_name(name, tuple(names), f"source of recipe {self.name!r}")]


def load_recipe(name: str, local: dict[str, Path] | None = None) -> Recipe:
    """Read a recipe by name or path, with every source read and every path made absolute.

    `local` points sources and evaluation sets at local copies, by name (`--from`).

    Raises:
        ConfigError: the recipe or one of its sources is missing or wrong.
        UnknownName: no recipe of that name, or `local` names what is not in it.
    """
    path = find_yaml(name, "recipe")
    recipe = Recipe.from_yaml(path)
    sources = [
        _with_placeholders(load_source(entry, path.parent, str(path)), recipe.placeholders)
        for entry in recipe.sources
    ]
    names = [source.name for source in sources]
    for twice in {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{path}: source {twice!r} is listed {names.count(twice)} times")
    local = local or {}
    sets = [item.name for item in recipe.filter.contamination.sets]
    for copied in local:
        known_name(copied, (*names, *sets), f"source or evaluation set of recipe {recipe.name!r}")
    placed = tuple(
        source.at(local[source.name]) if source.name in local else source for source in sources
    )
    for override in recipe.dedupe.near.overrides:
        known_name(override.source, tuple(names), f"source of recipe {recipe.name!r}")
    return _anchored(recipe.model_copy(update={"sources": placed}), path.parent, local)


def load_source(entry: Source | SourceChange | str, folder: Path, where: str = "") -> Source:
    """A source given inline, by name, by a path relative to `folder`, or as changes to one.

    Raises:
        ConfigError: its file is missing or wrong, or a change does not fit; says `where` it stands.
        UnknownName: no source of that name.
    """
    if isinstance(entry, SourceChange):
        known = load_source(entry.source, folder)
        return entry.of(known, f"{where}: source {known.name!r}").anchored(folder)
    if isinstance(entry, Source):
        return entry.anchored(folder)
    if entry.endswith((".yaml", ".yml")):
        return Source.from_yaml(folder / Path(entry).expanduser())
    return Source.from_yaml(find_yaml(entry, "source"))


def _with_placeholders(source: Source, placeholders: StrMap) -> Source:
    """The source with the recipe's placeholders, where it has none of its own of that name."""
    both = dict(placeholders) | dict(source.placeholders)
    return source.model_copy(update={"placeholders": tuple(sorted(both.items()))})


def known_sources() -> tuple[Source, ...]:
    """Every source of deployments/sources, sorted by name."""
    return tuple(
        Source.from_yaml(path) for path in sorted((DEPLOYMENTS / "sources").glob("*.yaml"))
    )


def find_yaml(name: str, kind: str) -> Path:
    """The YAML file of a recipe or source given by name or by path; raises UnknownName."""
    if name.endswith((".yaml", ".yml")):
        return Path(name).expanduser().absolute()
    folder = DEPLOYMENTS / f"{kind}s"
    known = tuple(sorted(path.stem for path in folder.glob("*.yaml")))
    return folder / f"{known_name(name, known, kind)}.yaml"


def known_name(name: str, known: tuple[str, ...], kind: str) -> str:
    """`name` itself if it is known; else raises UnknownName with the nearest and the whole list."""
    if name in known:
        return name
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UnknownName(f"no {kind} is called {name!r}; {hint}known: {', '.join(known) or 'none'}")


def _anchored(recipe: Recipe, folder: Path, local: dict[str, Path]) -> Recipe:
    """The recipe with its own relative paths resolved against the folder of its file."""
    sets = tuple(
        item.at(local.get(item.name) or _absolute(item.path or "", folder))
        if item.name in local or item.path
        else item
        for item in recipe.filter.contamination.sets
    )
    recipe = recipe.with_evaluation_sets(sets)
    changes: dict[str, Any] = {}
    if recipe.measure.tokenizer:
        tokenizer = _absolute(recipe.measure.tokenizer, folder)
        changes["measure"] = recipe.measure.model_copy(update={"tokenizer": tokenizer})
    if recipe.train and recipe.train.base_model.path:
        base = recipe.train.base_model
        base = base.model_copy(update={"path": _absolute(base.path or "", folder)})
        changes["train"] = recipe.train.model_copy(update={"base_model": base})
    return recipe.model_copy(update=changes)


def _absolute(path: str, folder: Path) -> str:
    return str(folder / Path(path).expanduser())
