"""Training networks whose explanations hold: one loop, one recipe a file, randomness by address."""
