"""Search for output sequences: greedy search, beam search, and the free-running forecast of numbers.

Every search works on a step function (see `step.py`) and knows neither Keras models nor problems; the step
functions of trained models are in `job.inference`. Start with `greedy.py`, the simplest search.
"""
