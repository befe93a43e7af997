"""Keras layers, and the encoder-decoder models built from them.

This package knows neither problems nor files: it takes the `model` section of a spec and the sizes of both
sides. Start with `seq2seq.py`, which assembles the models; `recurrent.py` and `attention.py` have the layers.
`architecture_plugin.py` is the interface of models of other packages.
"""
