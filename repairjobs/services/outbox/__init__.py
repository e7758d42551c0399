"""The outbox: work for outside systems, stored as rows and done by workers.

A kind of task is one class in one module here, registered in ``registry.py``.
"""
