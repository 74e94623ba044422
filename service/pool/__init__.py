"""Whatever computes samples: pools, worker processes, and what the two say to each other.

Start with `pools` (what the pipeline asks), then `desk` (what answers) and `workers`.
"""
