"""Jobs: certificates that outlive the request that asked for them, and the processes too.

Start with `asking` (what becomes a job), then `runner` and `work`; docs/jobs.md tells it all.
"""
