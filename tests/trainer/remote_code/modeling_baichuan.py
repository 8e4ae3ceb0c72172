"""A tiny model with Baichuan's layout: queries, keys and values are one product, `W_pack`.

It lies in a repository beside its weights, as the code of such models does, and is run from there.
"""

import torch
from torch import nn
from torch.nn import functional
from transformers import DynamicCache, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class BaichuanConfig(PretrainedConfig):
    model_type = "baichuan"

    def __init__(
        self,
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        model_max_length=256,
        use_cache=True,
        **rest,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.model_max_length = model_max_length
        self.use_cache = use_cache
        super().__init__(**rest)


class Attention(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.layer, self.heads = layer, config.num_attention_heads
        self.W_pack = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden, mask, cache):
        rows, tokens, size = hidden.shape
        parts = self.W_pack(hidden).unflatten(-1, (3, self.heads, size // self.heads))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = cache.update(key, value, self.layer)
        said = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.o_proj(said.transpose(1, 2).reshape(rows, tokens, size))


class Layer(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self.input_layernorm = nn.RMSNorm(config.hidden_size)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size)

    def forward(self, hidden, mask, cache):
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), mask, cache)
        inner = functional.silu(self.up_proj(self.post_attention_layernorm(hidden)))
        return hidden + self.down_proj(inner)


class BaichuanForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = BaichuanConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, n) for n in range(config.num_hidden_layers))
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.embed_tokens

    def get_output_embeddings(self):
        return self.lm_head

    def _init_weights(self, module):
        if hasattr(module, "weight") and module.weight.dim() == 2:
            nn.init.normal_(module.weight, std=0.2)

    def forward(
        self, input_ids=None, attention_mask=None, past_key_values=None, use_cache=None, **_
    ):
        """Attention leans towards what is near (ALiBi), so positions need no embedding."""
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache()
        before = past_key_values.get_seq_length() if past_key_values is not None else 0
        mask = self._mask(input_ids, attention_mask, before)
        hidden = self.embed_tokens(input_ids)
        for layer in self.layers:
            hidden = layer(hidden, mask, past_key_values)
        logits = self.lm_head(hidden)
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)

    def _mask(self, input_ids, attention_mask, before):
        """Rows x heads x tokens x tokens seen: 0 or less by distance, its least where unseen."""
        tokens = input_ids.shape[1]
        ends = torch.arange(before, before + tokens, device=input_ids.device)[:, None]
        seen = torch.arange(before + tokens, device=input_ids.device)
        heads = torch.arange(1, self.config.num_attention_heads + 1, device=input_ids.device)
        slopes = 2.0 ** -(8 * heads / self.config.num_attention_heads)
        lean = -slopes[:, None, None] * (ends - seen).abs()
        open_ = (seen <= ends)[None]
        if attention_mask is not None and attention_mask.dim() == 2:
            open_ = open_ & attention_mask[:, None, :].bool()
        least = torch.finfo(lean.dtype).min
        return lean[None].masked_fill(~open_[:, None], least).to(self.lm_head.weight.dtype)
