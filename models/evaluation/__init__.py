"""How good a map is, and how much of it an attack leaves. Importing the package imports no torch.

`scores`, `agreement`, `fidelity`, `curves` and `substitutes` are arithmetic on arrays; `scoring`
and `robustness` run networks.
"""
