"""What a lake's URI stands for: the store behind it, and where this machine keeps copies of it.

Credentials come from where each cloud's own tools look: the environment, for S3 also the profile in
`~/.aws` (AWS_PROFILE), then what the machine is told by its cloud.
"""

import configparser
import functools
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from schemas.digests import digest_of

CACHE_VARIABLE = "WINNOW_CACHE"
RETRIES = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=150),  # signed requests are refused after five minutes
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=15)},
}
"""500, 503, 429 and dropped connections are tried again for about a minute."""
WAITS = {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "30m"}
"""A silent server is given up after a minute; a slow one that sends is not."""
FILE = "file://"
_S3 = ("s3://", "s3a://")
_GCS = ("gs://",)
_S3_SERVERS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_AZURE_SERVERS = ("AZURE_STORAGE_ENDPOINT", "AZURE_STORAGE_ACCOUNT_NAME")
_ENDPOINTS = (*_S3_SERVERS, "AZURE_STORAGE_ENDPOINT")
_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")


def is_bucket(uri: str) -> bool:
    """Whether a lake's URI names an object store; everything else is a folder."""
    return "://" in uri and not uri.startswith(FILE)


def without_scheme(uri: str) -> str:
    """The path of `file:///lake`, which is a folder as any other; another URI stays as it is."""
    return uri.removeprefix(FILE)


def open_store(uri: str) -> Any:
    """The object store of `s3://`, `gs://`, `az://` or `memory://`; raises obstore's errors.

    `memory://name` is one store for this whole process, `memory://` a new one each time.
    """
    from obstore.store import MemoryStore, from_url

    if uri.startswith("memory:"):
        name = uri.partition("://")[2].strip("/")
        return _named_memory(name) if name else MemoryStore()
    config = _aws_profile() if uri.startswith(_S3) else {}
    unencrypted = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
    options = {**WAITS, "allow_http": unencrypted}
    return from_url(uri, config=config, client_options=options, retry_config=RETRIES)  # type: ignore[call-overload]


@functools.cache
def _named_memory(_name: str) -> Any:
    from obstore.store import MemoryStore

    return MemoryStore()


def disk_of(uri: str) -> Path | None:
    """Where this machine works for a lake in a bucket; None for one in memory."""
    if uri.startswith("memory:"):
        return None
    uri = uri.rstrip("/")
    name = "".join(char if char.isalnum() else "-" for char in uri.partition("://")[2])
    server = _server(uri)
    told = digest_of([uri, *server] if server else uri)
    return cache_folder() / "lakes" / f"{name[:40]}-{told[:12]}"


def _server(uri: str) -> tuple[str, ...]:
    """What else than its URI says which bucket is meant: a server, an account's name.

    Empty for the public clouds, where a bucket's name is nobody else's.
    """
    names = _S3_SERVERS if uri.startswith(_S3) else () if uri.startswith(_GCS) else _AZURE_SERVERS
    found = (os.environ.get(name, "").rstrip("/") for name in names)
    return tuple(one for one in found if one)


def cache_folder() -> Path:
    """Where copies of what lies in buckets are kept: WINNOW_CACHE, else the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    place = Path(folder).expanduser() / "winnow"
    return place if place.is_absolute() else Path(tempfile.gettempdir()) / "winnow"


def _aws_profile() -> dict[str, str]:
    """Keys and region of the profile that AWS's own tools would take; the environment goes first.

    obstore reads the environment and asks the machine's cloud, but not these files.
    """
    profile = os.environ.get("AWS_PROFILE", "default")
    found: dict[str, str] = {}
    if not any(map(os.environ.get, _KEY_VARIABLES)):
        keys = _section("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", profile)
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        found = {name: keys[name] for name in names if name in keys}
    if not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        section = profile if profile == "default" else f"profile {profile}"
        region = _section("AWS_CONFIG_FILE", "~/.aws/config", section).get("region")
        found |= {"aws_region": region} if region else {}
    return found


def _section(variable: str, usual: str, name: str) -> dict[str, str]:
    """One section of an INI file, named by a variable or in its usual place; empty without one."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(Path(os.environ.get(variable) or usual).expanduser(), encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    return dict(parser[name]) if parser.has_section(name) else {}
