"""Networks, attributions and the sampling engine. Importing this package alone does not import torch."""
