"""Method dance: how far a map moves while decoys stand in for the picture, see docs/dance.md.

`orders`, `dancing` and `answers` are the path of a request; `models.decoys` does the looking.
"""
