"""Computes what encoders return, from their GGUF files, in double precision and by the formulas of the papers.

Usage: python golden.py FILE.gguf... > golden.json     (needs numpy and gguf)

`cargo test -p stack-engine --lib models_for_the_reference -- --ignored` writes the models. The formulas:
BERT arXiv:1810.04805, GELU arXiv:1606.08415, RoFormer arXiv:2104.09864, ALiBi arXiv:2108.12409, GLU arXiv:2002.05202,
ModernBERT arXiv:2412.13663, Gemma 3 arXiv:2503.19786; which family has which part is written down in Hugging Face's
transformers.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader

INPUTS = [[2, 4, 5, 6, 7, 3], [2, 8, 4, 8, 5, 6, 7, 4, 5, 6, 8, 8, 7, 4, 5, 3], [2, 3]]
PAIR, BORDER = [2, 4, 5, 3, 5, 6, 7, 3], 4


def erf_gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def tanh_gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x):
    return x / (1 + np.exp(-x))


class Model:
    def __init__(self, path):
        reader = GGUFReader(path)
        self.tensors = {t.name: t.data.astype(np.float64).reshape(t.shape[::-1]) for t in reader.tensors}
        self.fields = reader.fields
        self.family = self.field("general.architecture", full=True)
        self.width, self.heads = self.field("embedding_length"), self.field("attention.head_count")
        self.kv_heads = self.field("attention.head_count_kv", self.heads)
        self.length = self.field("attention.key_length", self.width // self.heads)
        self.inner = self.field("feed_forward_length")
        self.gemma, self.modern = self.family == "gemma-embedding", self.family == "modern-bert"

    def field(self, name, default=None, full=False):
        name = name if full else f"{self.family}.{name}"
        return self.fields[name].contents() if name in self.fields else default

    def get(self, name):
        return self.tensors.get(name)

    def linear(self, name, x):
        y = x @ self.get(f"{name}.weight").T
        return y if self.get(f"{name}.bias") is None else y + self.get(f"{name}.bias")

    def norm(self, name, x):
        weight, bias = self.get(f"{name}.weight"), self.get(f"{name}.bias")
        if self.gemma:
            return x / np.sqrt((x**2).mean(-1, keepdims=True) + self.field("attention.layer_norm_rms_epsilon")) * weight
        x = x - x.mean(-1, keepdims=True)
        y = x / np.sqrt((x**2).mean(-1, keepdims=True) + self.field("attention.layer_norm_epsilon")) * weight
        return y if bias is None else y + bias

    def is_local(self, layer):
        period = self.field("attention.sliding_window_pattern")
        if period is None:
            return False
        return layer % period != (0 if self.modern else period - 1)

    def rotate(self, x, layer):
        key = "rope.freq_base_swa" if self.is_local(layer) else "rope.freq_base"
        base = self.field(key)
        if base is None:
            return x
        half = self.length // 2
        angles = np.outer(np.arange(len(x)), base ** (-np.arange(half) / half))[:, None, :]
        left, right = x[..., :half], x[..., half:]
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([left * cos - right * sin, right * cos + left * sin], -1)

    def attend(self, layer, x):
        name = f"blk.{layer}."
        rows = [self.heads * self.length, self.kv_heads * self.length, self.kv_heads * self.length]
        if self.get(name + "attn_qkv.weight") is not None:
            q, k, v = np.split(self.linear(name + "attn_qkv", x), np.cumsum(rows)[:2], axis=-1)
        else:
            q, k, v = (self.linear(name + f"attn_{part}", x) for part in "qkv")
        shape = lambda y, heads: y.reshape(len(x), heads, self.length)
        norm = self.get(name + "attn_q_norm.weight")
        whole = norm is not None and len(norm) != self.length
        if whole:
            q, k = self.norm(name + "attn_q_norm", q), self.norm(name + "attn_k_norm", k)
        q, k, v = shape(q, self.heads), shape(k, self.kv_heads), shape(v, self.kv_heads)
        if norm is not None and not whole:
            q, k = self.norm(name + "attn_q_norm", q), self.norm(name + "attn_k_norm", k)
        q, k = self.rotate(q, layer), self.rotate(k, layer)
        k, v = (np.repeat(y, self.heads // self.kv_heads, axis=1) for y in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(self.length)
        distance = np.abs(np.arange(len(x))[:, None] - np.arange(len(x))[None, :])
        if self.family == "jina-bert-v2":
            scores -= np.array(alibi_slopes(self.heads))[:, None, None] * distance
        if self.is_local(layer):
            scores = np.where(distance > self.field("attention.sliding_window") // 2, -np.inf, scores)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return self.linear(name + "attn_output", np.einsum("hqk,khd->qhd", weights, v).reshape(len(x), -1))

    def feed_forward(self, layer, x):
        name = f"blk.{layer}."
        function = tanh_gelu if self.gemma else silu if self.family == "nomic-bert" else erf_gelu
        up = self.linear(name + "ffn_up", x)
        if self.get(name + "ffn_gate.weight") is not None:
            up = function(self.linear(name + "ffn_gate", x)) * up
        elif up.shape[-1] == 2 * self.inner:
            up = function(up[:, : self.inner]) * up[:, self.inner :]
        else:
            up = function(up)
        return self.linear(name + "ffn_down", up)

    def hidden(self, tokens, border=None):
        kinds = [int(border is not None and place >= border) for place in range(len(tokens))]
        x = self.get("token_embd.weight")[tokens]
        if self.gemma:
            x = x * math.sqrt(self.width)
        if (types := self.get("token_types.weight")) is not None:
            x = x + types[np.minimum(kinds, len(types) - 1)]
        if (positions := self.get("position_embd.weight")) is not None:
            x = x + positions[: len(tokens)]
        if not self.gemma:
            x = self.norm("token_embd_norm", x)
        for layer in range(self.field("block_count")):
            name = f"blk.{layer}."
            if self.gemma:
                x = x + self.norm(name + "post_attention_norm", self.attend(layer, self.norm(name + "attn_norm", x)))
                x = x + self.norm(name + "post_ffw_norm", self.feed_forward(layer, self.norm(name + "ffn_norm", x)))
            elif self.modern:
                own = self.get(name + "attn_norm.weight") is not None
                x = x + self.attend(layer, self.norm(name + "attn_norm", x) if own else x)
                x = x + self.feed_forward(layer, self.norm(name + "ffn_norm", x))
            else:
                x = self.norm(name + "attn_output_norm", x + self.attend(layer, x))
                x = self.norm(name + "layer_output_norm", x + self.feed_forward(layer, x))
        return self.norm("output_norm", x) if self.gemma or self.modern else x

    def vector(self, tokens):
        vector = self.hidden(tokens).mean(0)
        return vector / np.linalg.norm(vector)

    def score(self):
        if self.get("cls.output.weight") is None:
            return None
        hidden = self.hidden(PAIR, BORDER)
        x = self.linear("cls", hidden.mean(0) if self.modern else hidden[0])
        x = erf_gelu(x) if self.modern else np.tanh(x)
        x = self.norm("cls.norm", x) if self.modern else x
        return float(self.linear("cls.output", x)[0])


def alibi_slopes(heads):
    even = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (head + 1) / even) for head in range(even)]
    return slopes + [2 ** (-8 * (2 * head + 1) / (2 * even)) for head in range(heads - even)]


def main():
    golden = {}
    for path in sys.argv[1:]:
        model = Model(path)
        vectors = [[round(float(x), 7) for x in model.vector(tokens)] for tokens in INPUTS]
        golden[Path(path).stem] = {"vectors": vectors, "score": model.score()}
    print(json.dumps({"inputs": INPUTS, "families": golden}, indent=1))


main()
