"""Which noise law and norm a request means, and the rules they have to keep."""

from certify.ball import NORM_RULE, is_norm
from certify.choice import choose_law, with_law
from certify.noise import LAWS
from certify.plan import Plan, Question, Recipe
from service.problems import Fault, fault
from service.schemas import CertifyParameters


def law_rules(asked: CertifyParameters) -> list[Fault]:
    """The norm is a norm, and a shape is one of the law's."""
    faults = []
    if not is_norm(asked.norm):
        faults.append(fault("norm", asked.norm, f"it must {NORM_RULE}", "give 1, 2 or inf"))
    shapes = LAWS["generalized_normal"].shapes
    if asked.shape is not None and (asked.law != "generalized_normal" or asked.shape not in shapes):
        rule = f"only generalized_normal takes one, of {', '.join(map(str, shapes))}"
        faults.append(fault("shape", asked.shape, rule, "leave shape out, or choose one of these"))
    return faults


def recipe(asked: CertifyParameters, plan: Plan, question: Question) -> Recipe:
    """The plan's recipe with the law that is asked for, at its scale."""
    if asked.shape is not None:
        law = LAWS[asked.law].of(asked.shape, plan.recipe.scale)
    else:
        law = choose_law(asked.law, plan, question)
    return with_law(plan, law).recipe
