"""What orders have to keep that takes more than a schema: for each subject what is meant where
nothing was said, and what is wrong. `service.orders` asks them all; any may be read first.
"""
