"""PyTorch: `nn.LSTM` or a Transformer, a training loop as users write it, batched greedy and beam search."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.programs import lesson as told
from benchmarks.programs.lesson import Figures, Ids, Lesson
from benchmarks.programs.pytorch_transformer import Transformer

Model = Any
"""`EncoderDecoder` or `Transformer`."""

IMPOSSIBLE = -1e30
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class EncoderDecoder(nn.Module):  # type: ignore[misc]
    """Both LSTMs, attention where there is some, and the output layer; begins as a Keras model does."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.lesson = lesson
        width = lesson.embedding_size
        self.source_embedding = nn.Embedding(lesson.source_size, width) if width else None
        self.target_embedding = nn.Embedding(lesson.target_size, width) if width else None
        options = {"num_layers": lesson.layers, "batch_first": True}
        self.encoder = nn.LSTM(width or lesson.source_size, lesson.units, **options)
        self.decoder = nn.LSTM(width or lesson.target_size, lesson.units, **options)
        if lesson.attention:
            self.query = nn.Linear(lesson.units, lesson.units, bias=False)
            self.combine = nn.Linear(2 * lesson.units, lesson.units, bias=False)
        self.output = nn.Linear(lesson.units, lesson.target_size)
        for name, weight in self.named_parameters():
            _initialise(name, weight, lesson.units)

    def encode(self, source: Any) -> tuple[Any, Any, Any]:
        """Return the decoder's first states, the encoder's outputs, and where a source has tokens."""
        x = _entered(source, self.source_embedding, self.lesson.source_size)
        if not self.lesson.masked:
            outputs, states = self.encoder(x)
            return states, outputs, None
        valid = source != 0
        packed = pack_padded_sequence(x, valid.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, states = self.encoder(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])
        return states, outputs, valid

    def decode(self, symbols: Any, states: Any, memory: Any, valid: Any) -> tuple[Any, Any]:
        """Return the logits of the symbols after these, (n, T, classes), and the next states."""
        x = _entered(symbols, self.target_embedding, self.lesson.target_size)
        x, states = self.decoder(x, states)
        if self.lesson.attention:
            scores = self.query(x) @ memory.transpose(1, 2)
            if valid is not None:
                scores = scores.masked_fill(~valid[:, None], IMPOSSIBLE)
            x = torch.tanh(self.combine(torch.cat([scores.softmax(-1) @ memory, x], dim=-1)))
        return self.output(x), states


def _entered(ids: Any, embedding: Any, size: int) -> Any:
    return functional.one_hot(ids, size).float() if embedding is None else embedding(ids)


def _initialise(name: str, weight: Any, units: int) -> None:
    """Draw a weight from the distribution that Keras draws it from."""
    if "bias" in name:
        nn.init.zeros_(weight)
        if "bias_ih" in name:
            with torch.no_grad():
                weight[units : 2 * units] = 1.0  # the forget gate's
    elif "weight_hh" in name:
        nn.init.orthogonal_(weight)
    elif "embedding" in name:
        nn.init.uniform_(weight, -0.05, 0.05)
    else:
        nn.init.xavier_uniform_(weight)


def fit(model: Model, lesson: Lesson) -> list[tuple[int, float]]:
    """Train for one epoch; return the clock's marks."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lesson.learning_rate, eps=1e-7)
    clock = told.Clock(lesson)
    for step, (source, target) in enumerate(lesson.batches()):
        for group in optimizer.param_groups:
            group["lr"] = lesson.rate(step)
        states, memory, valid = model.encode(_tensor(source))
        logits, _ = model.decode(_tensor(lesson.decoder_input(target)), states, memory, valid)
        loss = functional.cross_entropy(logits.flatten(0, 1), _tensor(target).flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), lesson.clip_norm)
        optimizer.step()
        if clock.due(step + 1):
            if DEVICE.type == "cuda":
                torch.cuda.synchronize()  # steps are only begun until somebody asks for their results
            clock.mark(step + 1)
    return clock.marks


def _tensor(ids: Ids) -> Any:
    return torch.from_numpy(ids.astype(np.int64)).to(DEVICE)


def greedy(model: Model, sources: Ids) -> Ids:
    """Decode a chunk of sources; stops when all have ended."""
    lesson = model.lesson
    states, memory, valid = model.encode(_tensor(told.trimmed(sources)))
    symbols = torch.full((len(sources), 1), lesson.start, device=DEVICE)
    found = np.zeros((len(sources), lesson.columns), np.int32)
    ended = np.zeros(len(sources), bool)
    for t in range(lesson.columns):
        logits, states = model.decode(symbols, states, memory, valid)
        symbols = logits.argmax(-1)
        found[:, t] = symbols[:, 0].cpu().numpy()
        if lesson.end is not None:
            ended |= found[:, t] == lesson.end
            if ended.all():
                break
    return told.after_end(found, lesson.end)


def beam(model: Model, sources: Ids) -> Ids:
    """Decode a chunk of sources, keeping `BEAM_WIDTH` hypotheses; ranks by log-probability."""
    lesson, width, n = model.lesson, told.BEAM_WIDTH, len(sources)
    states, memory, valid = model.encode(_tensor(told.trimmed(sources)))
    axis = 0 if lesson.heads else 1  # of the rows in a state: an LSTM has its layers first
    every = torch.arange(n, device=DEVICE).repeat_interleave(width)
    states, memory = selected(states, every, axis), selected(memory, every, 0)
    valid = None if valid is None else valid.repeat_interleave(width, dim=0)
    symbols = torch.full((n * width, 1), lesson.start, device=DEVICE)
    totals = torch.full((n, width), IMPOSSIBLE, device=DEVICE)
    totals[:, 0] = 0.0  # the others would be copies of it
    found = torch.zeros(n, width, lesson.columns, dtype=torch.long, device=DEVICE)
    ended = torch.zeros(n, width, dtype=torch.bool, device=DEVICE)
    stays = torch.full((lesson.target_size,), IMPOSSIBLE, device=DEVICE)
    stays[0] = 0.0
    rows = torch.arange(n, device=DEVICE)[:, None]
    for t in range(lesson.columns):
        logits, states = model.decode(symbols, states, memory, valid)
        logs = logits[:, 0].log_softmax(-1).view(n, width, -1)
        grown = totals[..., None] + torch.where(ended[..., None], stays, logs)
        totals, best = grown.view(n, -1).topk(width)
        parent, symbol = best // lesson.target_size, best % lesson.target_size
        found, ended = found[rows, parent], ended[rows, parent]
        found[:, :, t] = symbol
        if lesson.end is not None:
            ended = ended | (symbol == lesson.end)
            if ended.all():
                break
        flat = (rows * width + parent).flatten()
        states = selected(states, flat, axis)
        symbols = symbol.view(-1, 1)
    best_found: Ids = found[:, 0].cpu().numpy().astype(np.int32)
    return best_found


def selected(nested: Any, rows: Any, axis: int) -> Any:
    """Return the given rows of each tensor in nested lists and tuples."""
    if isinstance(nested, (list, tuple)):
        return type(nested)(selected(each, rows, axis) for each in nested)
    return nested.index_select(axis, rows)


def program(lesson: Lesson, threads: int, decoding: bool) -> Figures:
    """Train, and decode if asked to."""
    torch.manual_seed(lesson.seed)
    torch.set_num_threads(threads)
    model = (Transformer if lesson.heads else EncoderDecoder)(lesson).to(DEVICE)
    marks = fit(model, lesson)
    figures: dict[str, Any] = {}
    if decoding:
        with torch.inference_mode():
            figures = told.decoded(
                lesson,
                lambda sources: told.in_chunks(lambda chunk: greedy(model, chunk), sources),
                lambda sources: told.in_chunks(lambda chunk: beam(model, chunk), sources),
            )
    return Figures(
        parameters=sum(weight.numel() for weight in model.parameters()),
        examples=len(lesson.source),
        fit_seconds=marks[-1][1],
        examples_per_second=told.steady_rate(marks),
        device="gpu" if DEVICE.type == "cuda" else "cpu",
        versions={"torch": torch.__version__},
        **figures,
    )


if __name__ == "__main__":
    told.run(program)
