"""Output directories: paths, atomic writes, moves, reading untrusted files; and their copies in stores.

Nothing here knows what a job, a result or a model is. Start with `artifacts`, and for stores
with `remote_files` and `mirror`.
"""
