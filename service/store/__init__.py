"""What outlives a process: jobs, their evidence so far, their results, and keys of callers.

The only SQL of the service, for SQLite and PostgreSQL alike. Each function over a connection is one
transaction; `service.store.store` runs them off the event loop.
"""
