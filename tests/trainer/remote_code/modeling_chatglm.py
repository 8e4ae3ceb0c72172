"""A tiny model with ChatGLM's layout: `query_key_value` by heads, sequences first, own names.

It lies in a repository beside its weights, as the code of such models does, and is run from there.
"""

import torch
from torch import nn
from torch.nn import functional
from transformers import DynamicCache, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class ChatGLMConfig(PretrainedConfig):
    """Layers, vocabulary and window have names that transformers does not use."""

    model_type = "chatglm"

    def __init__(
        self,
        padded_vocab_size=300,
        hidden_size=32,
        ffn_hidden_size=64,
        num_layers=2,
        num_attention_heads=4,
        seq_length=256,
        use_cache=True,
        **rest,
    ):
        self.padded_vocab_size = self.vocab_size = padded_vocab_size
        self.hidden_size = hidden_size
        self.ffn_hidden_size = ffn_hidden_size
        self.num_layers = num_layers
        self.num_attention_heads = num_attention_heads
        self.seq_length = seq_length
        self.use_cache = use_cache
        super().__init__(**rest)


class SelfAttention(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.layer, self.heads = layer, config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=True)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden, turns, mask, cache):
        """`hidden` is tokens x rows x size; `turns` are the angles of its positions."""
        tokens, rows, size = hidden.shape
        mixed = self.query_key_value(hidden).view(tokens, rows, self.heads, 3 * size // self.heads)
        query, key, value = (one.permute(1, 2, 0, 3) for one in mixed.chunk(3, dim=-1))
        query, key = turned(query, turns), turned(key, turns)
        if cache is not None:
            key, value = cache.update(key, value, self.layer)
        said = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.dense(said.permute(2, 0, 1, 3).reshape(tokens, rows, size))


def turned(heads, turns):
    """The first half of each head turned by its position's angles; the second half as it is."""
    half = heads.shape[-1] // 2
    even, odd = heads[..., :half:2], heads[..., 1:half:2]
    cos, sin = turns.cos()[:, None], turns.sin()[:, None]
    spun = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
    return torch.cat((spun.to(heads.dtype), heads[..., half:]), dim=-1)


class Block(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.self_attention = SelfAttention(config, layer)
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.ffn_hidden_size, bias=False)
        self.dense_4h_to_h = nn.Linear(config.ffn_hidden_size, config.hidden_size, bias=False)
        self.input_layernorm = nn.LayerNorm(config.hidden_size)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size)

    def forward(self, hidden, turns, mask, cache):
        hidden = hidden + self.self_attention(self.input_layernorm(hidden), turns, mask, cache)
        inner = functional.gelu(self.dense_h_to_4h(self.post_attention_layernorm(hidden)))
        return hidden + self.dense_4h_to_h(inner)


class Transformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.padded_vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, n) for n in range(config.num_layers))
        self.output_layer = nn.Linear(config.hidden_size, config.padded_vocab_size, bias=False)


class ChatGLMForConditionalGeneration(PreTrainedModel, GenerationMixin):
    config_class = ChatGLMConfig

    def __init__(self, config):
        super().__init__(config)
        self.transformer = Transformer(config)
        self.post_init()

    def get_input_embeddings(self):
        return self.transformer.word_embeddings

    def get_output_embeddings(self):
        return self.transformer.output_layer

    def _init_weights(self, module):
        if hasattr(module, "weight") and module.weight.dim() == 2:
            nn.init.normal_(module.weight, std=0.2)

    def forward(
        self,
        input_ids=None,
        position_ids=None,
        attention_mask=None,
        past_key_values=None,
        use_cache=None,
        **_,
    ):
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache()
        before = past_key_values.get_seq_length() if past_key_values is not None else 0
        places = torch.arange(before, before + input_ids.shape[1], device=input_ids.device)
        positions = places[None].expand_as(input_ids) if position_ids is None else position_ids
        rates = 100.0 ** -torch.arange(0, 1, 0.5, device=input_ids.device)
        turns = positions[..., None] * rates
        mask = (torch.arange(before + len(places), device=input_ids.device) <= places[:, None])[
            None
        ]
        if attention_mask is not None and attention_mask.dim() == 2:
            mask = mask & attention_mask[:, None, :].bool()
        hidden = self.transformer.word_embeddings(input_ids).transpose(0, 1).contiguous()
        for layer in self.transformer.layers:
            hidden = layer(hidden, turns, mask[:, None], past_key_values)
        logits = self.transformer.output_layer(hidden).transpose(0, 1).contiguous()
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)
