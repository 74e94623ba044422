"""The commands of `affidavit`, for which `service.cli` is the way in, and what they alone need.

Start with `sources` (computed here or by a server, the same answer) and `output`.
"""
