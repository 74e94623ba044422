"""Whatever computes samples: pools, the worker processes behind them, and what the two say to each
other. Start with `pools` (what the pipeline asks), then `desk` (what answers) and `workers`."""
