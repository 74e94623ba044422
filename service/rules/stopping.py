"""Whether sampling may end early, and what has to be asked for that."""

from service.problems import Fault, fault
from service.schemas import CertifyParameters, Stop


def stop(asked: CertifyParameters) -> Stop:
    """Whether to stop early: as asked, else where there is a claim whose proof may be watched."""
    watched = asked.overlap and asked.radius and asked.confidence == "anytime"
    return asked.stop or ("proven" if watched else "never")


def stop_rules(asked: CertifyParameters) -> list[Fault]:
    """Stopping early needs a claim, and bounds that hold wherever one stops."""
    if asked.stop != "proven":
        return []
    faults = []
    if asked.overlap is None or asked.radius is None:
        rule = "there must be a claim to prove"
        faults.append(fault("stop", asked.stop, rule, "give overlap and radius, or leave stop out"))
    if asked.confidence == "fixed":
        rule = "fixed confidence holds at its number of samples only"
        faults.append(fault("stop", asked.stop, rule, "leave stop out, or ask for anytime"))
    return faults
