"""Measurements: each program writes one JSON with commit, device and versions, and says what it ran."""
