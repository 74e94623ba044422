"""The arms of the training experiment with their controls, and how each data set is run.

Groups are what one bench can afford together: attributional recipes cost ten times the others, so
they have fewer pictures, and controls of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.attacks.plain import Strength
from models.examination.predictions import Pgd
from models.examination.report import Paper

SEEDS = (
    "affd0000000000000000000000000011",
    "affd0000000000000000000000000012",
    "affd0000000000000000000000000013",
)


@dataclass(frozen=True)
class Arm:
    """One recipe with its settings. control: the arm it must be compared with.

    share: of the others' bound, as for the controls of SPAT. taught: whether it needs the standard
    network as its teacher. bounded: whether it has a bound at all. points: whether it takes the
    setting's number of points on a path. scheduled: whether it has SAT's schedule.
    """

    recipe: str
    control: str = "standard"
    settings: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0
    taught: bool = False
    bounded: bool = True
    points: bool = False
    scheduled: bool = False


def _salient(recipe: str, control: str, source: str = "guided_backprop") -> Arm:
    taught = source != "annotation"
    return Arm(recipe, control, {"source": source}, taught=taught, scheduled=True)


ARMS: Mapping[str, Arm] = {
    "standard": Arm("standard", bounded=False),
    "noise": Arm("noise", bounded=False),
    "pgd": Arm("pgd"),
    "pgd-most": Arm("pgd", control="pgd", share=0.75),
    "pgd-half": Arm("pgd", control="pgd", share=0.5),
    "trades": Arm("trades", control="pgd"),
    "sat-noise": Arm("sat-noise"),
    "sat-masks": _salient("sat", "sat-noise", "annotation"),
    "sat-guided": _salient("sat", "sat-noise"),
    "sat-smoothgrad": _salient("sat", "sat-noise", "smoothgrad"),
    "sat-gradcam": _salient("sat", "sat-noise", "grad_cam_plus_plus"),
    "sat-pgd": _salient("sat-pgd", "pgd"),
    "sat-trades": _salient("sat-trades", "trades"),
    "sat-masks-pgd": _salient("sat-pgd", "pgd", "annotation"),
    "spat": Arm("spat", control="pgd-half"),
    "spat-trades": Arm("spat-trades", control="trades-ce"),
    # TRADES climbs the divergence, SPAT a cross-entropy: without smoothing, that alone is left.
    "trades-ce": Arm("spat-trades", "trades", {"smoothing": "0"}),
    "ig-norm": Arm("ig-norm", control="pgd", points=True),
    "ig-sum-norm": Arm("ig-sum-norm", control="pgd", points=True),
    "cacr-wacr": Arm("cacr-wacr", control="ig-sum-norm", points=True),
    "art": Arm("art", control="pgd"),
    # As released CACR's softmaxes are flat. Here maps are in units of their mean: one that sums to
    # 1 over 28×28 pixels has the mean 1.
    "cacr-wacr-sharp": Arm("cacr-wacr", "ig-sum-norm", {"gain": "784"}, points=True),
    # The same with the weight that RAR has for larger data sets, where it is 0.1 for this one.
    "ig-sum-norm-heavy": Arm("ig-sum-norm", "pgd", {"weight": "1"}, points=True),
    "cacr-wacr-heavy": Arm(
        "cacr-wacr", "ig-sum-norm-heavy", {"weight": "1", "gain": "784"}, points=True
    ),
}
ATTRIBUTIONAL = ("ig-norm", "ig-sum-norm", "cacr-wacr", "art")
SHARP, HEAVY = ("cacr-wacr-sharp",), ("ig-sum-norm-heavy", "cacr-wacr-heavy")
PREDICTIONAL = tuple(name for name in ARMS if name not in ATTRIBUTIONAL + SHARP + HEAVY)


@dataclass(frozen=True)
class Setting:
    """How every arm of one data set is trained and examined. bound: ℓ∞ grey levels.

    arms: those run unless others are asked for, where the data have what they need. take, test:
    pictures for training and testing, 0 for all. points, attack_points: of a path in training and
    in its attack, 0 for the recipe's own.
    """

    architecture: str
    epochs: int
    bound: float
    steps: int
    batch: int = 128
    pad: int = 0
    flip: bool = False
    rate: float = 1e-3
    paper: Paper = field(default_factory=Paper)
    arms: tuple[str, ...] = tuple(ARMS)
    take: int = 0
    test: int = 0
    points: int = 0
    attack_points: int = 0


def _paper(bound: float, explained: int = 12, certified: int = 24, attacked: int = 500) -> Paper:
    """What an hour of one core allows to be asked of all networks together."""
    return Paper(
        attacked=attacked,
        explained=explained,
        certified=certified,
        samples=400,
        pgd=Pgd(bound, bound / 8, 20, 1),
        strength=Strength(steps=6, length=bound / 4, restarts=1),
        transferred=False,
    )


def _whole(bound: float) -> Paper:
    return Paper(attacked=1000, explained=100, pgd=Pgd(bound, bound / 8, 20, 5))


# ε and its steps as in RAR's configurations for Fashion-MNIST, as is usual for CIFAR.
SETTINGS: Mapping[str, Setting] = {
    "fashion-mnist": Setting("small", 30, 25.5, 7, paper=_whole(25.5)),
    "cifar10": Setting("resnet18", 50, 8.0, 7, pad=4, flip=True, paper=_whole(8.0)),
    "cifar100": Setting("resnet18", 50, 8.0, 7, pad=4, flip=True),
    "gtsrb": Setting("small", 30, 8.0, 7, pad=2),
    "flower17": Setting("resnet10", 60, 8.0, 7, batch=32, pad=8, flip=True),
    "tiny-imagenet": Setting("resnet18", 50, 8.0, 7, pad=4, flip=True),
    "digits": Setting("tiny", 20, 16.0, 5, batch=64, rate=1e-2),
    # What a share of two busy cores can do in an hour and a half.
    "fashion-modest": Setting(
        "slim",
        6,
        25.5,
        3,
        batch=50,
        rate=5e-3,
        paper=_paper(25.5),
        arms=PREDICTIONAL,
        take=3000,
        test=2000,
    ),
    "fashion-paths": Setting(
        "slim",
        5,
        25.5,
        3,
        batch=25,
        rate=5e-3,
        paper=_paper(25.5, explained=16),
        arms=("standard", "pgd", *ATTRIBUTIONAL, *SHARP),
        take=1000,
        test=2000,
        points=3,
        attack_points=1,
    ),
    # What weights do that are ten times those of fashion-paths, a fifth longer.
    "fashion-heavy": Setting(
        "slim",
        6,
        25.5,
        3,
        batch=25,
        rate=5e-3,
        paper=_paper(25.5, explained=16),
        arms=("standard", "pgd", *HEAVY),
        take=1000,
        test=2000,
        points=3,
        attack_points=1,
    ),
    "chests": Setting(
        "slim",
        12,
        8.0,
        3,
        batch=20,
        rate=5e-3,
        paper=_paper(8.0),
        arms=PREDICTIONAL,
    ),
    "cifar-modest": Setting(
        "slim",
        6,
        8.0,
        3,
        batch=50,
        rate=5e-3,
        flip=True,
        paper=_paper(8.0, certified=32, attacked=1000),
        arms=(
            "standard",
            "noise",
            "pgd",
            "pgd-half",
            "trades",
            "sat-noise",
            "sat-guided",
            "sat-pgd",
            "sat-trades",
            "spat",
            "spat-trades",
        ),
        take=3000,
        test=2000,
    ),
}
MINIATURE = Setting(
    "tiny",
    2,
    16.0,
    2,
    batch=64,
    rate=1e-2,
    paper=Paper(
        attacked=20,
        explained=2,
        certified=1,
        samples=100,
        pgd=Pgd(16, 4, 2, 1),
        strength=Strength(steps=2, restarts=1),
        transferred=False,
    ),
)
