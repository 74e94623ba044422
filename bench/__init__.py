"""Measurements: each program writes one JSON with commit, device and versions.

What belongs to a program begins with its name: NAME_page writes its page of docs from the JSON
alone, NAME_arms are the ways that it compares. What several use has a name of its own.
"""
