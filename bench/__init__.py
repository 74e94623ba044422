"""Measurements: each program writes one JSON with commit, device and versions."""
