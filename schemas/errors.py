"""Every error a user can meet, one class per remedy; the class decides the exit code.

WinnowError                     what, where, expected, found, next: all in the message
├── ConfigError           2     fix a recipe, a source file or an option
│   └── UnknownName       2     the name of a recipe, source or version is not there
├── GateFailed            3     the data is not what the recipe demands
│   └── AdapterRejected   3     the adapter did not learn, or is not the one that was saved
├── SourceError           4     an upstream corpus could not be had or read
│   ├── SourceMissing     4     no such file, 404
│   ├── SourceUnreachable 4     no answer, or 429 and 5xx to the end: the next try may succeed
│   ├── SourceChanged     4     not the bytes that were pinned
│   └── SourceEmpty       4     it was read, and not one record came out
├── StorageError          5     the lake cannot be read or written
│   └── CorpusDamaged     5     bytes in the lake are not those the manifest names
└── TrainingError         1     the model or the machine gave out during training
"""


class WinnowError(Exception):
    """An error that its user can act on; `str(error)` is the whole text to show.

    `outcome` is what was done all the same, where something was.
    """

    exit_code = 1
    outcome: object | None = None


class ConfigError(WinnowError):
    """A recipe, source file or option is wrong: nothing was run."""

    exit_code = 2


class UnknownName(ConfigError):
    """A recipe, source, version or record of that name does not exist."""


class GateFailed(WinnowError):
    """A gate of the recipe did not pass: the version is written, marked and not promoted."""

    exit_code = 3


class AdapterRejected(GateFailed):
    """The adapter failed its acceptance test and was not pushed."""


class SourceError(WinnowError):
    """A source could not be downloaded or read."""

    exit_code = 4


class SourceMissing(SourceError):
    """The upstream file is not there."""


class SourceUnreachable(SourceError):
    """Upstream gave no answer, or one that passes: the same request may succeed later."""


class SourceChanged(SourceError):
    """The upstream bytes are not those that the source file pins."""


class SourceEmpty(SourceError):
    """A source was read to its end and not one record came out of it."""


class StorageError(WinnowError):
    """The lake could not be read or written."""

    exit_code = 5


class CorpusDamaged(StorageError):
    """A file of the lake is missing or is not the one that its manifest names."""


class TrainingError(WinnowError):
    """Training stopped for a reason outside the recipe's control."""
