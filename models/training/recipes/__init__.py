"""Recipes by name, with their default parameters: a literal dict, never an import."""

from collections.abc import Mapping
from types import MappingProxyType

from models.training.lesson import Recipe
from models.training.recipes.art import Art
from models.training.recipes.contrast import Contrast
from models.training.recipes.noise import Noise
from models.training.recipes.pgd import Pgd
from models.training.recipes.rar import Rar
from models.training.recipes.sat import Sat
from models.training.recipes.spat import Spat
from models.training.recipes.standard import Standard
from models.training.recipes.trades import Trades

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "standard": Standard(),
        "noise": Noise(),
        "pgd": Pgd(),
        "trades": Trades(),
        "sat": Sat(),
        "sat-noise": Sat(source="none"),
        "sat-pgd": Sat(companion="pgd"),
        "sat-trades": Sat(companion="trades"),
        "spat": Spat(),
        "spat-trades": Spat(companion="trades"),
        "ig-norm": Rar(sum_norm=False, weight=1.0),
        "ig-sum-norm": Rar(),
        "cacr-wacr": Contrast(),
        "art": Art(),
    }
)
