"""Base attributions: network, pictures and target in, signed maps out. The package loads no torch.

`methods` says what each name stands for, `bases` holds the functions by name.
"""
