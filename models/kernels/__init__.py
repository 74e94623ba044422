"""Kernels written in Triton. Nothing that runs without a GPU imports them, so none needs Triton."""
