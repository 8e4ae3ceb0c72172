"""Every family of models as small as it can be built: configurations, no weights, no network."""

from typing import Any

from transformers import AutoConfig

_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_GATED = _SIZES | {"intermediate_size": 64, "num_key_value_heads": 2}
_FALCON = _SIZES | {"model_type": "falcon"}
# fmt: off
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2":              {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neo":           {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "intermediate_size": 64,
                          "attention_types": [[["global", "local"], 1]], "window_size": 16},
    "opt":               _SIZES | {"ffn_dim": 64, "word_embed_proj_dim": 32, "init_std": 0.2},
    "llama":             _GATED | {"max_position_embeddings": 256},
    "qwen2":             _GATED,
    "mistral":           _GATED | {"sliding_window": 16},
    "glm":               _GATED | {"head_dim": 8},
    "falcon":            _FALCON,
    "falcon with alibi": _FALCON | {"alibi": True},
    "bloom":             {"hidden_size": 32, "n_layer": 2, "n_head": 4},
}
# fmt: on


def config_of(family: str, **more: Any) -> Any:
    """A configuration with the tests' vocabulary, or with what is told in its place.

    Weights are drawn wide, so that the output layer, which LoRA leaves frozen, says much.
    """
    usual = {"vocab_size": 320, "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0}
    settings = usual | {"initializer_range": 0.2} | FAMILIES[family] | more
    return AutoConfig.for_model(settings.pop("model_type", family), **settings)
