"""A trained token model for other runtimes: a SavedModel for TensorFlow, ONNX files for onnxruntime.

Writing the files and checking that their own runtime predicts what the model predicts belong here; searches
belong to `job.decoding`. Start with `export_model.py`. `run_saved_model.py` and `run_onnx.py` are programs
that run without this package.
"""
