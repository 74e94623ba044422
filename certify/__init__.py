"""Proofs about saliency maps: noise laws, evidence, claims, certificates and their verification.

Needs numpy, scipy and python-flint only; installing it alone is the verifier.
"""
