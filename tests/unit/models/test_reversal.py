"""The layer that turns sequences around."""

import pytest
import tensorflow as tf

from job.models.reversal import Reverse


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        (None, [[4, 3, 2, 1], [8, 7, 6, 5]]),
        ([4, 4], [[4, 3, 2, 1], [8, 7, 6, 5]]),
        ([3, 1], [[3, 2, 1, 4], [5, 6, 7, 8]]),
    ],
)
def test_reverse_turns_the_valid_steps_and_leaves_the_padding(lengths, expected):
    ids = tf.constant([[1, 2, 3, 4], [5, 6, 7, 8]])
    mask = None if lengths is None else tf.sequence_mask(lengths, 4)
    reverse = Reverse()
    turned = reverse(ids, mask=mask)
    assert turned.numpy().tolist() == expected
    assert reverse(turned, mask=mask).numpy().tolist() == ids.numpy().tolist()
    vectors = tf.stack([ids, 10 * ids], axis=-1)
    assert reverse(vectors, mask=mask)[:, :, 1].numpy().tolist() == (10 * turned).numpy().tolist()
