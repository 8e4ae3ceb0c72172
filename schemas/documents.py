"""The files that people write or other programs read, by the names of their JSON Schemas."""

from schemas.adapter import TrainingManifest
from schemas.frozen import Frozen
from schemas.history import Export
from schemas.manifest import CorpusManifest, RawReceipt, StageManifest
from schemas.recipe import Recipe
from schemas.source import Source

DOCUMENTS: dict[str, type[Frozen]] = {
    "recipe": Recipe,
    "source": Source,
    "manifest": CorpusManifest,
    "training": TrainingManifest,
    "stage": StageManifest,
    "receipt": RawReceipt,
    "export": Export,
}
