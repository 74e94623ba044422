"""Proofs about saliency maps: noise laws, evidence, claims, certificates and their verification.

Needs numpy, scipy, python-flint, rfc8785 and cryptography only; installed alone it is the verifier.
"""
