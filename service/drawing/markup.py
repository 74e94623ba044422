"""HTML and SVG without a way to forget escaping: text is escaped unless an element made it."""

from html import escape


class Markup(str):
    """Text that is HTML already, because `element` made it."""


def element(name: str, /, *children: str, **attributes: object) -> Markup:
    """An element; children that are not Markup are text, and escaped like every attribute.

    Attribute names lose a trailing underscore, other underscores become hyphens: class_ is class,
    stroke_width stroke-width.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
    )
    inner = "".join(child if isinstance(child, Markup) else escape(child) for child in children)
    return Markup(f"<{name}{given}>{inner}</{name}>")


def void(name: str, /, **attributes: object) -> Markup:
    """An element of HTML that has no end tag."""
    return Markup(element(name, **attributes).removesuffix(f"</{name}>"))
