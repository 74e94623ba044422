"""Convolutions as code for this very processor, made when it is first asked for.

`windows` says which pixels a convolution reads for which of its outputs, there and back. `emitting`
writes loops, `tiles` what is computed in registers, `matrices` the same by instructions for
matrices of bfloat16, `endings` what becomes of a sum, `holding` how values lie in memory, and
`convolving` the loops around it; `masking` leads slopes back through a kink alone. `compiling` has
LLVM make machine code of it. `kernel` is one convolution in one direction, `link` there and back,
`way` how pictures of one size go through several, `ends` a linear layer. `chain` is what PyTorch
sees of them: begin there. `noise` writes noisy pictures.

Every output is a bias, to which products are added in a fixed order, each by one fused operation
with one rounding. So a value depends on the picture and on the weights alone: not on the batch, the
tile or the processor. Matrices add up as the processor does, so what they give, and with it
bfloat16, depends on the processor too.
"""
