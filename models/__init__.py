"""Networks, attributions and the sampling engine. Importing the package does not import torch."""
