"""A certificate of a photograph, watched while it is made.

    python quickstart.py photo.jpg [http://127.0.0.1:8000]

Needs httpx, attrs and python-dateutil, and the generated `affidavit_client` beside this file. Where
the server wants a key, AFFIDAVIT_KEY holds it.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from affidavit_client import AuthenticatedClient, Client
from affidavit_client.api.explanations import certify
from affidavit_client.api.jobs import show_certificate, show_radii, show_regions
from affidavit_client.models import CertifyAnswer, CertifyUpload, Job, Problem
from affidavit_client.types import File

Wanted = TypeVar("Wanted")


class Refused(Exception):
    """The service answered a problem document."""

    def __init__(self, problem: Problem) -> None:
        faults = "; ".join(f"{f.field}: {f.rule} ({f.advice})" for f in problem.errors)
        super().__init__(f"{problem.title}: {problem.detail} {faults}")
        self.problem = problem


def connect(url: str, key: str | None = None) -> Client | AuthenticatedClient:
    """A client of the server at this URL."""
    return AuthenticatedClient(url, token=key) if key else Client(url)


def expect(kind: type[Wanted], answer: object) -> Wanted:
    """The answer, which is of this kind. Raises Refused for a problem."""
    if isinstance(answer, Problem):
        raise Refused(answer)
    if not isinstance(answer, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(answer).__name__}")
    return answer


def start(client: Client | AuthenticatedClient, photo: Path, samples: int, radius: float) -> Job:
    """Ask for a certificate as a job: how many regions stay under a change of this size?"""
    with photo.open("rb") as file:
        upload = CertifyUpload(image=File(file, photo.name), samples=samples, radius=radius)
        return expect(Job, certify.sync(client=client, body=upload, prefer="respond-async"))


def watch(client: Client | AuthenticatedClient, job: Job) -> Iterator[Job]:
    """The job each time that it has changed, until it is over; every claim in it is proven."""
    own = client.get_httpx_client()
    with own.stream("GET", job.events, headers={"Accept": "text/event-stream"}) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                yield Job.from_dict(json.loads(line.removeprefix("data: ")))


def fetch(client: Client | AuthenticatedClient, job: Job) -> tuple[CertifyAnswer, bytes, bytes]:
    """The certificate of a job that is done, its picture (PNG) and its radii (.npy)."""
    answer = expect(CertifyAnswer, show_certificate.sync(job.id, client=client))
    regions = expect(File, show_regions.sync(job.id, client=client))
    radii = expect(File, show_radii.sync(job.id, client=client))
    return answer, regions.payload.read(), radii.payload.read()


def main(photo: Path, url: str) -> None:
    """Ask, watch, fetch, write."""
    with connect(url, os.environ.get("AFFIDAVIT_KEY")) as client:
        job = start(client, photo, samples=400, radius=0.03)
        for now in watch(client, job):
            print(f"{now.state}: {now.drawn} of {now.samples} samples")
        answer, regions, radii = fetch(client, job)
    print(*answer.summary, sep="\n")
    Path("certificate.json").write_text(json.dumps(answer.certificate.to_dict()))
    Path("regions.png").write_bytes(regions)
    Path("radii.npy").write_bytes(radii)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000")
