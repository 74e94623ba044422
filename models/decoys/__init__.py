"""DANCE: maps from decoys, pictures that the first layers of a network cannot tell from one.

Reference: Lu, Guo, Xing, Noble (2021), "DANCE: Enhancing saliency maps using decoys", ICML 2021.
"""
