"""Write results as HTML, Markdown, JUnit, Prometheus metrics, GitHub annotations and tables on the terminal.

Start with `content.py` and `job_content.py`, which have the content that the renderers share; `formatting.py`
writes numbers, and `escaping.py` makes text from outside safe. Results are judged in `job.gating`, not here.
"""
