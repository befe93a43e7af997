"""Losses and gradients that are not finite numbers end training."""

import math

import numpy as np
import pytest
import tensorflow as tf
from fitting import COPY, PLAIN, trained

from job.errors import NonFiniteError
from job.problems.base import Examples
from job.problems.integers import Copy
from job.spec.training_section import TrainingSpec
from job.training.batch_groups import CallLimits


class Rare(Copy):
    """The value 5 stands in batch 6 and in no other."""

    def batch(self, epoch, index, batch_size, examples):
        source, target = super().batch(epoch, index, batch_size, examples)
        place = slice(0, 1) if index == 6 else slice(0, 0)
        source, target = np.minimum(source, 4), np.minimum(target, 4)
        source[place] = target[place] = 5
        return source, target


class PoisonedValidation(Rare):
    """A problem whose validation alone holds the value 5."""

    def batch(self, epoch, index, batch_size, examples):
        return super().batch(epoch, 0, batch_size, examples)

    def examples(self, split, count):
        found = super().examples(split, count)
        return Examples(np.full_like(found.source, 5), np.full_like(found.target, 5))


def poison_the_value_5(model):
    kernel = model.get_layer("encoder_1").weights[0]
    kernel.assign(tf.tensor_scatter_nd_update(kernel.value, [[5]], tf.fill([1, kernel.shape[1]], math.nan)))


@pytest.mark.parametrize(("most", "seconds"), [(1, 0.25), (128, 1e9)])
def test_a_nonfinite_loss_stops_the_job_and_names_the_step(most, seconds):
    limits, seen = CallLimits(max_steps=most, seconds=seconds), []
    spec = TrainingSpec(examples=320, batch_size=16, optimizer=PLAIN)
    with pytest.raises(NonFiniteError, match="the loss is not a finite number at step 7: lower") as caught:
        trained(Rare(COPY, 1), spec, prepare=poison_the_value_5, on_progress=seen.append, limits=limits)
    assert (caught.value.step, caught.value.quantity) == (7, "loss")
    assert max(progress.step for progress in seen) <= 6


@pytest.mark.usefixtures("eagerly")
def test_a_gradient_that_overflows_stops_the_job_though_the_loss_is_finite():
    def enlarge(model):
        kernel = model.get_layer("logits").weights[0]
        kernel.assign(kernel * 1e25)

    with pytest.raises(NonFiniteError, match="the gradient norm is not a finite number at step 1:"):
        trained(Copy(COPY, 1), TrainingSpec(examples=64, batch_size=16), prepare=enlarge)


@pytest.mark.usefixtures("eagerly")
def test_a_nonfinite_validation_loss_stops_the_job_and_names_the_step():
    spec = TrainingSpec(examples=64, batch_size=16, epochs=2)
    with pytest.raises(NonFiniteError, match="the validation loss is not a finite number at step 4: lower"):
        trained(PoisonedValidation(COPY, 1), spec, prepare=poison_the_value_5)
