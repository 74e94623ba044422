"""`affidavit keys`: the operator's signing key on the command line."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from certify.signature import keyid
from service import keys
from service.commands.complaints import complaints

app = typer.Typer(
    help="Make and show the key that signs documents.\n\nExample: affidavit keys new maker.pem",
    no_args_is_help=True,
)
said = Console()

File = Annotated[Path, typer.Argument(help="A PEM file.")]


@app.command()
def new(file: File) -> None:
    """Make an Ed25519 key: the private half in FILE, the public one in FILE.pub.

    Example: affidavit keys new maker.pem

    Then set AFFIDAVIT_SIGNING_KEY=maker.pem and give maker.pem.pub to whoever checks documents.
    Never overwrites a file. Keep FILE secret: whoever has it can sign in your name.
    """
    with complaints():
        _say(f"keyid {keys.new(file)}")
        _say(
            f"  {file}  the private key: keep it secret; AFFIDAVIT_SIGNING_KEY={file} signs with it"
        )
        _say(f"  {keys.beside(file)}  the public key: give it to whoever checks documents")


@app.command()
def show(file: File) -> None:
    """Print the keyid and the public half of the key in FILE, private or public.

    Example: affidavit keys show maker.pem.pub
    """
    with complaints():
        key = keys.public(file)
        _say(f"keyid {keyid(key)}")
        _say(keys.pem(key).decode().strip())


def _say(line: str) -> None:
    said.print(line, highlight=False, markup=False, soft_wrap=True)
