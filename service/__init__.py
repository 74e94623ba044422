"""Affidavit over HTTP: the api process, its workers, the command line and the pictures.

The path of a request is `app`, `routes`, `requests`, `orders`, `pipeline`, `answers`; start with
`pipeline`. Each folder says in its `__init__.py` what is in it.
"""
