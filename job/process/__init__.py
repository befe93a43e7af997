"""The running process: signals, standard streams, import path, installed versions and the platform.

Code that deals with the operating system on behalf of the whole process belongs here; worker processes and
their resource limits belong to `job.workers`. Start with `stopping.py`, which turns signals into requests to
stop.
"""
