"""The words of the page about DANCE and its controls; numbers come from bench.decoys.

What WORDS says of numbers is said again by tests/bench/test_comparison_page.py.
"""

from bench.decoys_duels import ADAPTIVE, QUALITY, TRANSFER

SOURCES = {
    "decoys": "decoys",
    "bounded": "noise of equal ℓ∞",
    "scattered": "noise of equal ℓ1 and ℓ∞",
    "constant": "mean colour in the decoys' places",
}
FIDELITY, SENSITIVITY, ITSELF = QUALITY[0], TRANSFER[0], ADAPTIVE[0]
ANSWERS = {"better": "**yes**", "worse": "**no, the opposite**", "open": "open"}
CLAIMS = (
    ("Maps of DANCE are more faithful than the base map.", "plain", FIDELITY),
    ("They move less than the base map when the base map is attacked.", "plain", SENSITIVITY),
    ("The range is more faithful than the mean of the same maps.", "decoys_mean", FIDELITY),
    ("It moves less than the mean of the same maps.", "decoys_mean", SENSITIVITY),
    ("Decoys are more faithful than constant patches.", "constant_range", FIDELITY),
    ("They move less than constant patches.", "constant_range", SENSITIVITY),
)
QUESTIONS = (
    ("More faithful than its own changes at random places?", "scattered_range", FIDELITY),
    ("Moves less than with its own changes at random places?", "scattered_range", SENSITIVITY),
    ("More faithful than noise of equal ℓ∞?", "bounded_range", FIDELITY),
    ("Moves less than with noise of equal ℓ∞?", "bounded_range", SENSITIVITY),
    ("Moves less than the base map when each is attacked itself?", "plain", ITSELF),
)
SETTING = """- **{name}**: {pictures}; {maps} decoys each, {null} null in all; layer
  `{layer}`, tolerance {tolerance}, patches of {patch} every {stride} pixels moved by at most {cap}
  grey levels in {steps} steps, scheme {scheme}. Attacks: ℓ∞ {bound} grey levels, {attack_steps}
  steps of {length}, {restarts}. Insertion begins with a blur of {blur} pixels."""
TEXT = """# DANCE beside its controls

DANCE (Lu et al. 2021) looks for decoys, pictures that the first layers of the network cannot tell
from the picture, and takes the range, maximum minus minimum, of a base map over them. A range grows
with the number of maps and with the distance of the pictures, whatever they are. So this page
compares at equal number, and with noise of equal size. `python -m bench.decoys` measures and writes
it; the numbers with their commit are in [bench/decoys.json](bench/decoys.json). They are ours, on
few pictures and two small networks; the paper's own are bar charts of other networks.

## What is compared

All arms have the same number of maps, but the base map alone. Mean changes of the pictures, in grey
levels:

{arms}

Noise of equal ℓ∞ is uniform up to each decoy's largest change, so it moves the picture much further
in ℓ1. Noise of equal ℓ1 and ℓ∞ is each decoy's own changes at random places with random signs: the
control that has everything of the decoys but the search. Constant patches, a control of the paper,
are the pixels that a decoy changed, set to the picture's mean colour: as many maps, but much larger
changes.

{settings}

## How it is measured

- **Fidelity**, lower is better: −log(F(E∘x) / F(Ē∘x)), F the probability of the explained class,
  E the map in [0, 1] as the paper shows it, Ē its mean everywhere; see
  `models/evaluation/fidelity.py`.
- **Deletion**, lower is better, and **insertion**, higher is better: area under the probability
  while pixels go to the mean colour, or come back into a blur, in the order of the map.
- **Under attack**: the three attacks of Ghorbani et al. (2019), each with the best of its restarts,
  averaged: `sensitivity`, change of the shown map over change of the picture, lower is better;
  intersection of the top tenth of the pixels, Kendall's τ and cosine, higher is better. Decoys are
  searched anew in the attacked picture.
- The paper attacks the **base map** and looks at what becomes of Z. We do that, and where it is
  affordable also attack **each map itself**, through all its base maps, the pictures' offsets held
  fixed while the attack climbs. A map that only stands the first has not been attacked. Whoever
  attacks may choose, so a map that is attacked itself counts by the worse of both.

a : b means that DANCE is better on a pictures and worse on b; "better" and "worse", or yes and no,
where two equal maps would show this much with a chance of at most 5 %, else "open". Four
photographs decide nothing by this rule, not even 4 : 0, and one is an example. Of the many
comparisons a few are decided by chance.

## Do the claims hold?

Base map gradient. The paper's claims:

{claims}

And what the controls ask:

{questions}

{words}

## The numbers

Means over the pictures, best in bold; then DANCE against each control, picture by picture.
Commits {commits}, {device}.

{tables}
## What this does not say

- Nothing about other networks, tolerances or layers (the card of efficientnet-lite0 names the next
  block, which takes more decoys), nor about the scheme of single patches, which takes thousands.
- Fidelity above 0, as on photographs, means that the picture seen through the map keeps less of its
  class than the picture darkened evenly. Only its order is used here.
- Sensitivity is about the map as it is shown. It is small for a map that is large everywhere, so
  read it beside the top tenth and Kendall's τ.
- Where the gradient of a network is the same everywhere, as in a linear one, all gradients agree,
  every range and deviation is 0, and there is no map to compare.
- On photographs SmoothGrad and integrated gradients are compared on one: a map of theirs takes 8
  and 16 times the gradient's passes.
- Attacks are as strong as stated above. Stronger ones can only lower what is robust here.
"""
WORDS = """In words:

- **On photographs the published claims are seen, but not because of decoys.** The range over decoys
  is more faithful than the gradient, and moves less when the gradient is attacked, on all four. But
  the range over noise of the same size, or over constant patches, is as faithful (more than DANCE
  on two or three of the four) and moves less still, on all four. What helps is a range over many
  pictures, whichever they are; the mean over the decoys hardly differs from the gradient alone. And
  by deletion the gradient alone is better, on all four.
- **On digits they are not seen.** The gradient alone, and the mean over the very same decoys, move
  less and are more faithful on every digit; attacked itself, DANCE moves more than three times as
  far as the gradient.
- **The search does something, but not enough.** On digits, decoys move less than their own changes
  at random places, though not if the base map is integrated gradients. Patches of the mean colour
  in the same places need no search and move less again, with both networks, on every picture.
- **A photograph whose maps are attacked themselves shows the same.** With eight decoys at the layer
  of the card DANCE moves less than the gradient, and the ranges over noise of its size and over
  constant patches move less than DANCE, by sensitivity, top tenth and Kendall's τ alike. Four steps
  are a short attack: some of those on ranges over noise found nothing, and the one on the gradient
  counts instead.

Why it can be so: a decoy keeps the values of its layer, so the gradient behind the layer hardly
changes, and the range shows which ReLUs before it switch. Where the gradient is steady, as on
digits, that adds movement; where it is not, as on photographs, every range over neighbours is
steadier."""
