"""What a trained network is worth: accuracy, attacked accuracy, attacked maps, certificates."""
