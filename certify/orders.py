"""The Rényi orders that are tried."""

from fractions import Fraction

# Orders 1 + E12 · 10^j: twelve to a decade from 1.01 to 821, exact decimals. The best radius is
# flat in the order; halving the spacing gains less than one part in a thousand.
_E12 = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
ORDERS = tuple(1 + Fraction(m, 1000) * 10**j for j in range(5) for m in _E12)
