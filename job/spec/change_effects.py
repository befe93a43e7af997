"""What a change of a key of a job affects: training, evaluation, the verdict, or no result at all.

The fingerprints, the words of `plan` and the table in docs/running.md follow from `EFFECTS`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Effect = Literal["training", "evaluation", "gate", "operation", "name"]
"""What is done again after a change: the training (and the evaluation of what it trained), the evaluation
alone, the verdict alone; nothing for keys of operation (how a job is run) and for its name."""

EFFECTS: dict[str, Effect] = {
    "name": "name",
    "seeds": "operation",
    "timeout_minutes": "operation",
    "retries": "operation",
    "training.checkpoint_minutes": "operation",
    "gate": "gate",
    "evaluation": "evaluation",
    "export": "evaluation",  # it is made of the trained model, and must predict what the evaluation predicts
    "problem.licence": "evaluation",  # of the model card, which is written then
    "evaluation.ensemble": "operation",  # it is computed from the results of the seeds, which stay
    "evaluation.validation_examples": "training",  # of the validation loss, which may end the training
}
"""Dotted key, or prefix of keys -> its effect; the longest prefix decides. Other keys decide the training."""


def effect_of(key: str) -> Effect:
    """Return the effect of a change of a dotted key, such as `training.epochs`."""
    parts = key.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((EFFECTS[prefix] for prefix in prefixes if prefix in EFFECTS), "training")


def select(spec: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
    """Return the part of a resolved job whose keys have an effect.

    Args:
        spec: the job as JSON values.
        effect: to select by.
    """
    return _select(spec, effect, "")


def _select(section: Mapping[str, Any], effect: Effect, prefix: str) -> dict[str, Any]:
    selected: dict[str, Any] = {}
    for name, value in section.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and _is_divided(key):
            inner = _select(value, effect, f"{key}.")
            if inner or key != "problem":  # which fingerprints of earlier versions have in one of them only
                selected[name] = inner
        elif effect_of(key) == effect:
            selected[name] = value
    return selected


def _is_divided(key: str) -> bool:
    """Return whether keys inside a section have an effect of their own."""
    return any(other.startswith(f"{key}.") for other in EFFECTS)


@dataclass(frozen=True)
class KeyChange:
    """A key whose value differs between two resolved specs of a job.

    Args:
        key: dotted.
        before, after: the values as JSON; `absent` where a spec does not have the key.
    """

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key} {self.before} -> {self.after}"


_LONGEST_VALUE = 60


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[KeyChange, ...]:
    """Return the keys in which two resolved specs differ, in the order of the second.

    Args:
        before, after: JSON values; mappings inside are compared key by key.
    """
    return tuple(_changes(before, after, ""))


_ABSENT = object()


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> Iterator[KeyChange]:
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changes(old, new, f"{prefix}{name}.")
        elif _text(old) != _text(new):
            yield KeyChange(f"{prefix}{name}", _shown(old), _shown(new))


def _text(value: object) -> str:
    if value is _ABSENT:
        return "absent"
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) and value else _text(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
