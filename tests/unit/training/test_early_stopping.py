"""Early stopping, and which weights are kept."""

import math

import numpy as np
import pytest
from fitting import COPY, PLAIN, trained

from job.errors import NonFiniteError, TrainingError
from job.problems.integers import Copy
from job.spec.training_section import EarlyStoppingSpec, TrainingSpec
from job.training import epochs as training
from job.training.validation import Measure

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.mark.parametrize(
    ("losses", "rule", "epochs", "best"),
    [
        ([1.0, 0.5, 0.7, 0.6, 0.1], {"patience": 2}, 4, 2),
        ([1.0, 0.5, 0.7, 0.4, 0.6, 0.5], {"patience": 2}, 6, 4),
        ([1.0, 0.95, 0.91, 0.9], {"patience": 2, "min_delta": 0.2}, 3, 1),
        ([1.0, 0.9, 0.75, 0.7, 0.69], {"patience": 2, "min_delta": 0.2}, 5, 3),
        ([1.0, 1.0], {"patience": 1}, 2, 1),
    ],
)
def test_early_stopping_ends_with_the_weights_of_the_best_epoch(monkeypatch, losses, rule, epochs, best):
    at_end_of_epoch = []

    def scripted(compiled, examples, between, **_):
        at_end_of_epoch.append(models[0].get_weights())
        return {"loss": losses[len(at_end_of_epoch) - 1], "token_accuracy": 0.5, "sequence_accuracy": 0.5}

    models = []
    monkeypatch.setattr(training, "validate", scripted)
    rules = EarlyStoppingSpec(**rule)
    spec = TrainingSpec(examples=32, batch_size=16, epochs=len(losses), early_stopping=rules, optimizer=PLAIN)
    model, fitted = trained(Copy(COPY, 1), spec, prepare=models.append)
    assert fitted.epochs == len(at_end_of_epoch) == epochs
    assert fitted.best_epoch == best
    assert fitted.stopped_early == (epochs < len(losses))
    assert fitted.steps == 2 * epochs
    kept = at_end_of_epoch[best - 1]
    assert all(map(np.array_equal, model.get_weights(), kept))
    others = [weights for weights in at_end_of_epoch if weights is not kept]
    assert not any(all(map(np.array_equal, model.get_weights(), weights)) for weights in others)


def test_without_early_stopping_the_last_weights_stay(monkeypatch):
    monkeypatch.setattr(training, "validate", lambda *_, **__: {"loss": next(rising), **accuracies})
    rising, accuracies = iter([0.1, 0.2, 0.3]), {"token_accuracy": 0.0, "sequence_accuracy": 0.0}
    spec = TrainingSpec(examples=32, batch_size=16, epochs=3, optimizer=PLAIN)
    _, fitted = trained(Copy(COPY, 1), spec)
    assert (fitted.epochs, fitted.best_epoch, fitted.stopped_early) == (3, None, False)
    assert [row.val_loss for row in fitted.history if row.val_loss is not None] == [0.1, 0.2, 0.3]


def with_measure(values, spec):
    """Fit with a scripted metric; return the model, what `fit` returned, and the weights after each epoch."""
    at_end_of_epoch = []

    def value(before_part):
        before_part()
        return values[len(at_end_of_epoch) - 1]

    measure = Measure(take_weights=lambda: at_end_of_epoch.append(models[0].get_weights()), value=value)

    models = []
    keyed = {"examples": 32, "batch_size": 16, "epochs": len(values), "optimizer": PLAIN, **spec}
    model, fitted = trained(
        Copy(COPY, 1), TrainingSpec(**keyed), prepare=models.append, measure=measure, validation_examples=5
    )
    return model, fitted, at_end_of_epoch


@pytest.mark.parametrize(
    ("rule", "values", "epochs", "best"),
    [
        ({"metric": "sequence_accuracy", "patience": 2}, [0.1, 0.5, 0.3, 0.4, 0.9], 4, 2),
        ({"metric": "edit_rate", "patience": 2}, [0.9, 0.5, 0.7, 0.4, 0.6, 0.4], 6, 4),
        ({"metric": "bleu", "patience": 1, "min_delta": 1.0}, [10.0, 10.9, 20.0], 2, 1),
        ({"metric": "token_accuracy", "patience": 1}, [0.5, 0.5], 2, 1),
    ],
)
def test_early_stopping_goes_by_any_metric_in_its_direction(rule, values, epochs, best):
    model, fitted, weights = with_measure(values, {"early_stopping": EarlyStoppingSpec(**rule)})
    assert (fitted.epochs, fitted.best_epoch) == (epochs, best)
    assert fitted.stopped_early == (epochs < len(values))
    assert all(map(np.array_equal, model.get_weights(), weights[best - 1]))
    assert not all(map(np.array_equal, model.get_weights(), weights[best % epochs]))
    decoded = [row.val_decoded for row in fitted.history if row.val_loss is not None]
    assert decoded == [{rule["metric"]: value} for value in values[:epochs]]


@pytest.mark.parametrize(("average", "best"), [("best", 2), ("none", None)])
def test_the_best_epoch_is_kept_without_stopping_early(monkeypatch, average, best):
    losses, weights = iter([0.3, 0.1, 0.2]), []

    def scripted(*_, **__):
        weights.append(models[0].get_weights())
        return {"loss": next(losses), "token_accuracy": 0.0, "sequence_accuracy": 0.0}

    models = []
    monkeypatch.setattr(training, "validate", scripted)
    spec = TrainingSpec(examples=32, batch_size=16, epochs=3, optimizer=PLAIN, average=average)
    model, fitted = trained(Copy(COPY, 1), spec, prepare=models.append)
    assert (fitted.epochs, fitted.stopped_early, fitted.best_epoch) == (3, False, best)
    assert all(map(np.array_equal, model.get_weights(), weights[(best or 3) - 1]))


def test_a_metric_that_is_no_number_stops_the_job_and_names_the_metric():
    rule = EarlyStoppingSpec(metric="edit_rate", patience=3)
    with pytest.raises(NonFiniteError, match="the validation edit_rate is not a finite number at step 4"):
        with_measure([0.5, math.nan], {"early_stopping": rule})


def test_without_validation_examples_no_epoch_can_be_the_best():
    spec = TrainingSpec(examples=32, batch_size=16, optimizer=PLAIN, average="best")
    with pytest.raises(TrainingError, match="the problem has no validation examples"):
        trained(Copy(COPY, 1), spec, validation_examples=0)
