"""The edge to HTTP, a rule each: who may come in, forms, slow callers, Accept, Prefer, HEAD.

Start with `gate`; `service.app` stacks these around the routes.
"""
