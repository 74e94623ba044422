"""A training run that is over in a moment."""

from pathlib import Path

from models.training.assignment import Assignment

DIGITS = f"digits:{Path(__file__).parents[2] / 'examples' / 'digits'}"
SHORT = Assignment(
    recipe="pgd",
    data=DIGITS,
    architecture="tiny",
    epochs=2,
    batch=32,
    rate=1e-2,
    pad=1,
    take=100,
    settings={"steps": "2", "bound": "16"},
)
