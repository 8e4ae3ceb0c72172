"""What the operating system and the clouds say, as errors that say what to do next."""

import contextlib
import re
from collections.abc import Iterator

from obstore.exceptions import BaseError, NotFoundError

from schemas.errors import StorageError

ABSENT = (NotFoundError, FileNotFoundError)
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|specified bucket does not exist")
_NO_LEAVE = re.compile(
    "accessdenied|403 forbidden|401 unauthorized|invalidaccesskeyid|expiredtoken"
)


@contextlib.contextmanager
def storage_errors(verb: str, where: str) -> Iterator[None]:
    """Turn what the operating system or the cloud says into a StorageError with a next step."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        said = error.strerror or first_line(error)
        raise StorageError(f"cannot {verb} {where}: {said}. {_next_step(error)}") from error
    except BaseError as error:
        raise StorageError(
            f"cannot {verb} {where}: {first_line(error)}. {_next_step(error)}"
        ) from error


def refuse_no_bucket(error: Exception) -> None:
    """Go on if a key is missing; raise if the bucket is, for then nothing can be said of keys."""
    if _NO_BUCKET.search(str(error)):
        raise error


def first_line(error: BaseException) -> str:
    """The first line of what an error says, at most 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _next_step(error: Exception) -> str:
    text = str(error).lower()
    if _NO_BUCKET.search(str(error)):
        return "There is no such bucket: create it, or correct --lake or WINNOW_LAKE."
    if "no space" in text or "quota" in text or "os error 28" in text:
        return "Free some space, then run it again: finished stages are kept."
    if "requesttimetooskewed" in text:
        return "Set this machine's clock, then run it again: finished stages are kept."
    if _NO_LEAVE.search(text):
        return (
            "See that your credentials are valid and may read, write, list and delete there, then "
            "run it again: finished stages are kept."
        )
    if (
        "read-only" in text
        or "permission" in text
        or "os error 13" in text
        or "os error 30" in text
    ):
        return "Make the lake writable for this user, or name another with --lake or WINNOW_LAKE."
    return "Check the lake's path and credentials, then run it again: finished stages are kept."
