"""The token that versions are pushed with: from the environment, and from nowhere else."""

import os

from schemas.errors import ConfigError
from schemas.recipe import Publish

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - the name of a variable, not a token
TOKENS_PAGE = "https://huggingface.co/settings/tokens"


def hub_token(publish: Publish) -> str:
    """The token to push with; empty where the recipe names no repository (raises ConfigError)."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if publish.hub and not token:
        raise ConfigError(
            f"publish.hub is {publish.hub}, but {TOKEN_VARIABLE} is not set. Set it to a token "
            f"that may write there (see {TOKENS_PAGE}), or leave publish.hub out."
        )
    return token
