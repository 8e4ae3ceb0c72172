"""The recipe: every number and name that a corpus and its adapter depend on."""

import difflib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from schemas.dedupe import Dedupe
from schemas.errors import ConfigError, UnknownName
from schemas.filter import EvaluationSet, Filter
from schemas.frozen import Frozen, StrMap, read_yaml, unknown_key
from schemas.inheritance import Heritage, heir_of, merged
from schemas.manifest import CorpusManifest
from schemas.privacy import PersonalKind, Policy, Privacy
from schemas.sampling import Sampling
from schemas.source import Source
from schemas.train import Train
from schemas.upstream import UPSTREAMS
from schemas.urls import shown

DEPLOYMENTS = Path(__file__).resolve().parents[1] / "deployments"
LISTED_NAMES = 12  # more are not read in an error's line


class Measure(Frozen):
    """What is measured beside characters and rows."""

    tokenizer: str | None = Field(
        None, description="tokenizer.json, or a folder with one; relative to the recipe's YAML file"
    )
    largest_clusters: int = Field(10, ge=0, description="clusters, and conflicts, in the report")


class Gates(Frozen):
    """What a version must satisfy to become `latest`; shares are from 0 to 1, bounds inclusive."""

    max_failed_sources: int = Field(0, ge=0)
    min_rows: int = Field(1, ge=0, description="published rows")
    max_unreadable_share: float = Field(0.05, ge=0, le=1, description="of any source's rows")
    max_dropped_share: float = Field(1.0, ge=0, le=1, description="of any source's rows")
    max_shrink_share: float = Field(
        0.5, ge=0, le=1, description="of any source's published rows since the parent version"
    )
    max_refusal_share: float = Field(
        1.0, ge=0, le=1, description="of any source's published rows that turn their user down"
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
    hub: str | None = Field(
        None,
        pattern=r"^[\w.-]+/[\w.-]+$",
        description="dataset repository of the Hugging Face Hub that each version is pushed to",
    )
    private: bool = Field(True, description="of that repository, which is made where it is missing")


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
        return Source.from_mapping(merged(file, changes), where)


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


class Recipe(Heritage):
    """Everything a corpus version depends on, and the training run that follows it.

    One that was loaded is complete in itself: `extends` and `without` have been followed.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="also the corpus's name")
    description: str = ""
    seed: int = Field(17, ge=0)
    stage_shard_rows: int = Field(20_000, ge=1, description="rows of a source per stage shard")
    sources: tuple[SourceGiven, ...] = Field(
        (),
        min_length=1,
        description=(
            "a name in deployments/sources, a path to a YAML file, inline, or one of these with "
            "changes: {source: NAME, ...}. With `extends`: what is added to the inherited sources; "
            "one of the same name takes the other's place, and changes are made to the inherited"
        ),
    )
    placeholders: StrMap = Field(
        (),
        description="by name: what stands in the place of {{name}}; a source's own come first",
    )
    dedupe: Dedupe = Dedupe()
    filter: Filter = Filter()
    sampling: Sampling = Sampling()
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
        dump: dict[str, Any] = self.model_dump(mode="json", exclude={*Heritage.model_fields})
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

    def check_licences(self, version: CorpusManifest) -> None:
        """Raise ConfigError where a version has rows under a licence that this recipe refuses."""
        stated = {
            source.name: [licence for licence, _ in source.rows_by_licence]
            for source in version.sources
        }
        where = f"{version.name} {version.version}, to be used by recipe {self.name!r}"
        self.filter.licences.check(where, stated)

    def source(self, name: str) -> Source:
        """The source of that name; raises UnknownName with the nearest one."""
        names = {source.name: source for source in self.resolved_sources}
        return names[known_name(name, tuple(names), f"source of recipe {self.name!r}")]


def load_recipe(name: str, local: dict[str, Path] | None = None) -> Recipe:
    """Read a recipe by name or path: what it inherits and its sources read, its paths absolute.

    `local` points sources and evaluation sets at local copies, by name (`--from`).

    Raises:
        ConfigError: the recipe, one that it inherits from, or one of its sources is missing or
            wrong, recipes inherit in a circle, or a source has a licence that the recipe refuses.
        UnknownName: no recipe of that name, or one that names a source which is not in it.
    """
    path = find_yaml(name, "recipe")
    recipe = _with_inheritance(path)
    sources = [
        _redacting(_with_placeholders(source, recipe.placeholders), recipe.filter.privacy)
        for source in recipe.resolved_sources
    ]
    names = [source.name for source in sources]
    local = local or {}
    sets = [item.name for item in recipe.filter.contamination.sets]
    for copied in local:
        known_name(copied, (*names, *sets), f"source or evaluation set of recipe {recipe.name!r}")
    placed = tuple(
        source.at(local[source.name]) if source.name in local else source for source in sources
    )
    spoken_of = [override.source for override in recipe.dedupe.near.overrides]
    licences = recipe.filter.licences
    for single in (*spoken_of, *dict(recipe.sampling.sources), *licences.by_row):
        known_name(single, tuple(names), f"source of recipe {recipe.name!r}")
    as_one = [source for source in placed if source.name not in licences.by_row]
    licences.check(f"recipe {recipe.name!r}", {one.name: (one.licence,) for one in as_one})
    language = recipe.filter.language.told_of({one.name: one.languages for one in placed})
    rules = recipe.filter.model_copy(update={"language": language})
    whole = recipe.model_copy(update={"sources": placed, "filter": rules})
    return _anchored(whole, path.parent, local)


def _with_inheritance(path: Path, heirs: tuple[Path, ...] = ()) -> Recipe:
    """A recipe file with all that it inherits: every source read, every path absolute.

    `heirs` are the files that led here, the first heir first.
    """
    data = read_yaml(path)
    where = f"{path} (inherited by {' < '.join(map(str, reversed(heirs)))})" if heirs else str(path)
    keys = data.keys() & Heritage.model_fields.keys() if isinstance(data, dict) else ()
    heritage = Heritage.from_mapping({key: data[key] for key in keys}, where)
    if heritage.extends is None:
        if not heritage.without.is_empty:
            raise ConfigError(f"{where}: without: nothing is inherited. Name a recipe in extends.")
        recipe = Recipe.from_mapping(data, where)
        sources = _together((), recipe.sources, path.parent, where)
    else:
        parent = _parent(heritage.extends, path, heirs)
        inherited = _remaining(parent, heritage, where)
        names = {source.name for source in inherited}
        left_out = {source.name for source in parent.resolved_sources} - names
        mapping = heir_of(parent.model_dump(mode="json", exclude={"sources"}), data, left_out)
        recipe = Recipe.from_mapping({"sources": inherited} | mapping, where)
        added = recipe.sources if "sources" in data else ()
        sources = _together(inherited, added, path.parent, where)
    whole = {"sources": sources, **dict(Heritage())}
    return _anchored(recipe.model_copy(update=whole), path.parent, {})


def _parent(extends: str, path: Path, heirs: tuple[Path, ...]) -> Recipe:
    """The recipe that the one at `path` names in `extends`."""
    if extends.endswith((".yaml", ".yml")):
        file = path.parent / Path(extends).expanduser()
    else:
        try:
            file = find_yaml(extends, "recipe")
        except UnknownName as error:
            raise UnknownName(f"{path}: extends: {error}") from None
    line = (*heirs, path)
    seen = [one.resolve() for one in line]
    if file.resolve() in seen:
        circle = (*line[seen.index(file.resolve()) :], file)
        raise ConfigError(
            f"{path}: extends: recipes inherit in a circle: {' < '.join(map(str, circle))}. Take "
            "extends out of one of them."
        )
    if not file.is_file():
        raise ConfigError(f"{path}: extends: {file}: no such file")
    return _with_inheritance(file, line)


def _remaining(parent: Recipe, heritage: Heritage, where: str) -> tuple[Source, ...]:
    """The parent's sources less those that the heir leaves out."""
    inherited, without = parent.resolved_sources, heritage.without
    names = tuple(source.name for source in inherited)
    for name in without.sources:
        try:
            known_name(name, names, f"source of recipe {parent.name!r}")
        except UnknownName as error:
            raise UnknownName(f"{where}: without: {error}") from None
    without.check_languages(inherited, where)
    return tuple(source for source in inherited if not without.leaves_out(source))


def _together(
    inherited: tuple[Source, ...],
    entries: tuple[Source | SourceChange | str, ...],
    folder: Path,
    where: str,
) -> tuple[Source, ...]:
    """The inherited sources in their order, as the entries change them, then what these add.

    Raises:
        ConfigError: two entries are of one name.
    """
    known = {source.name: source for source in inherited}
    own = []
    for entry in entries:
        if isinstance(entry, SourceChange) and entry.source in known:
            one = entry.of(known[entry.source], f"{where}: source {entry.source!r}")
            own.append(one.anchored(folder))
        else:
            own.append(load_source(entry, folder, where))
    names = [source.name for source in own]
    for twice in {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{where}: source {twice!r} is listed {names.count(twice)} times")
    return tuple((known | dict(zip(names, own, strict=True))).values())


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


def _redacting(source: Source, privacy: Privacy) -> Source:
    """The source with the kinds that the recipe redacts beside its own, in `PersonalKind`'s order.

    Text is rewritten at the door alone, so this part of the recipe's policy goes there.
    """
    both = {*privacy.kinds(Policy.REDACT), *source.redact}
    return source.model_copy(
        update={"redact": tuple(kind for kind in PersonalKind if kind in both)}
    )


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
    """`name` itself if it is known; else raises UnknownName with the nearest, and all if few."""
    if name in known:
        return name
    many = len(known) > LISTED_NAMES
    nearest = difflib.get_close_matches(name, known, n=3 if many else 1, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, nearest))}? " if nearest else ""
    listed = f"known: {', '.join(known[:LISTED_NAMES]) or 'none'}"
    if many and kind == "source":
        listed = f"`winnow sources list` shows all {len(known)}"
    elif many:
        listed += f" and {len(known) - LISTED_NAMES} more"
    raise UnknownName(f"no {kind} is called {name!r}; {hint}{listed}")


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
    if recipe.train:
        changes["train"] = _anchored_train(recipe.train, folder)
    return recipe.model_copy(update=changes)


def _anchored_train(train: Train, folder: Path) -> Train:
    changes: dict[str, Any] = {}
    if train.base_model.path:
        path = _absolute(train.base_model.path, folder)
        changes["base_model"] = train.base_model.model_copy(update={"path": path})
    if train.start_from and train.start_from.startswith((".", "~")):
        changes["start_from"] = _absolute(train.start_from, folder)
    if train.harness and train.harness.folder:
        tasks = _absolute(train.harness.folder, folder)
        changes["harness"] = train.harness.model_copy(update={"folder": tasks})
    return train.model_copy(update=changes)


def _absolute(path: str, folder: Path) -> str:
    return str(folder / Path(path).expanduser())
