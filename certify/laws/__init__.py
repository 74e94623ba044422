"""Noise laws, each with its own formulas: see `certify.laws.law` for what a law must know."""
