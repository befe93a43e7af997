"""The models, the optimizer and the search once more, in plain NumPy and float64, from the papers' equations.

Nothing here is fast or shares a line with the package: one row, one step, one position at a time. Rows have
their true lengths, so that there is no padding and no mask to get wrong.
"""
