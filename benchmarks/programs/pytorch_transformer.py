"""PyTorch: a pre-norm Transformer on `scaled_dot_product_attention`; its decoder keeps keys and values."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.programs.lesson import Lesson

State = list[tuple[Any, Any]]
"""Of each decoder layer the keys and values so far, (n, heads, T, D) each."""


class Attention(nn.Module):  # type: ignore[misc]
    """Multi-head attention behind a layer normalization; adds its input."""

    def __init__(self, lesson: Lesson, *, cross: bool) -> None:
        super().__init__()
        units, self.heads = lesson.units, lesson.heads
        self.norm = nn.LayerNorm(units)
        self.query = nn.Linear(units, units if cross else 3 * units, bias=False)
        self.memory = nn.Linear(units, 2 * units, bias=False) if cross else None
        self.output = nn.Linear(units, units, bias=False)

    def forward(self, x: Any, mask: Any, *, causal: bool, cache: Any = None) -> tuple[Any, Any]:
        """Attend from x to itself and to what is cached; return the output and the new cache."""
        query, keys, values = _split(self.query(self.norm(x)), 3, self.heads)
        if cache is not None:
            keys, values = (torch.cat(both, dim=2) for both in zip(cache, (keys, values), strict=True))
        found = functional.scaled_dot_product_attention(query, keys, values, mask, is_causal=causal)
        return x + self.output(_merge(found)), (keys, values)

    def remember(self, memory: Any) -> tuple[Any, Any]:
        """Return keys and values of the encoder's output."""
        assert self.memory is not None
        return tuple(_split(self.memory(memory), 2, self.heads))

    def attend(self, x: Any, keys: Any, values: Any, mask: Any) -> Any:
        """Attend from x to the encoder's output."""
        (query,) = _split(self.query(self.norm(x)), 1, self.heads)
        return x + self.output(_merge(functional.scaled_dot_product_attention(query, keys, values, mask)))


def _split(x: Any, parts: int, heads: int) -> Any:
    """(n, T, parts * heads * D) -> parts of (n, heads, T, D)."""
    return x.view(len(x), x.shape[1], parts, heads, -1).permute(2, 0, 3, 1, 4)


def _merge(x: Any) -> Any:
    """(n, heads, T, D) -> (n, T, heads * D)."""
    return x.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):  # type: ignore[misc]
    """The position-wise layer behind a layer normalization; adds its input."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(lesson.units)
        self.hidden = nn.Linear(lesson.units, lesson.feed_forward)
        self.output = nn.Linear(lesson.feed_forward, lesson.units)

    def forward(self, x: Any) -> Any:
        return x + self.output(torch.relu(self.hidden(self.norm(x))))


class Transformer(nn.Module):  # type: ignore[misc]
    """Encoder and decoder with the interface of `pytorch.EncoderDecoder`, initialized as the project does."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.lesson = lesson
        self.source_embedding = nn.Embedding(lesson.source_size, lesson.units)
        self.target_embedding = nn.Embedding(lesson.target_size, lesson.units)
        layers = range(lesson.layers)
        self.encoder = nn.ModuleList(Attention(lesson, cross=False) for _ in layers)
        self.encoder_feed_forward = nn.ModuleList(FeedForward(lesson) for _ in layers)
        self.encoder_norm = nn.LayerNorm(lesson.units)
        self.decoder = nn.ModuleList(Attention(lesson, cross=False) for _ in layers)
        self.cross = nn.ModuleList(Attention(lesson, cross=True) for _ in layers)
        self.decoder_feed_forward = nn.ModuleList(FeedForward(lesson) for _ in layers)
        self.decoder_norm = nn.LayerNorm(lesson.units)
        self.output = nn.Linear(lesson.units, lesson.target_size)
        for name, weight in self.named_parameters():
            if "norm" in name:
                continue
            if "embedding" in name:
                nn.init.normal_(weight, std=lesson.units**-0.5)
            elif "bias" in name:
                nn.init.zeros_(weight)
            else:
                nn.init.xavier_uniform_(weight)

    def encode(self, source: Any) -> tuple[State, Any, Any]:
        """Return empty caches, the keys and values of the encoder's output by layer, and a mask."""
        mask = (source != 0)[:, None, None] if self.lesson.masked else None
        x = self._enter(source, self.source_embedding, 0)
        for attention, feed_forward in zip(self.encoder, self.encoder_feed_forward, strict=True):
            x, _ = attention(x, mask, causal=False)
            x = feed_forward(x)
        memory = self.encoder_norm(x)
        return [], [layer.remember(memory) for layer in self.cross], mask

    def decode(self, symbols: Any, states: State, memory: Any, mask: Any) -> tuple[Any, State]:
        """Return the logits of the symbols after these, (n, T, classes), and the caches with them."""
        before = states[0][0].shape[2] if states else 0
        x = self._enter(symbols, self.target_embedding, before)
        new: State = []
        layers = zip(self.decoder, self.cross, self.decoder_feed_forward, memory, strict=True)
        for i, (attention, cross, feed_forward, (keys, values)) in enumerate(layers):
            causal = symbols.shape[1] > 1  # one step sees all that is cached
            x, state = attention(x, None, causal=causal, cache=states[i] if states else None)
            new.append(state)
            x = feed_forward(cross.attend(x, keys, values, mask))
        return self.output(self.decoder_norm(x)), new

    def _enter(self, ids: Any, embedding: Any, before: int) -> Any:
        """Return scaled embeddings with sinusoidal positions, the first of which is `before`."""
        units = self.lesson.units
        at = torch.arange(before, before + ids.shape[1], device=ids.device)[:, None]
        waves = torch.exp(torch.arange(0, units, 2, device=ids.device) * (-math.log(10_000.0) / units))
        positions = torch.cat([torch.sin(at * waves), torch.cos(at * waves)], dim=1)
        return embedding(ids) * math.sqrt(units) + positions
