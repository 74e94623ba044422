"""The generated Python client: it type-checks, and does with a live server all that there is."""

import base64
import importlib
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from certify.verify import verify


@pytest.fixture
def client(quickstart: Any, server: str) -> Any:
    with quickstart.connect(server) as connected:
        yield connected


@pytest.fixture(scope="module")
def quickstart(python_client: Path) -> Any:
    sys.path.insert(0, str(python_client))
    try:
        yield importlib.import_module("quickstart")
    finally:
        sys.path.remove(str(python_client))
        for name in [
            n for n in sys.modules if n.split(".")[0] in ("quickstart", "affidavit_client")
        ]:
            del sys.modules[name]


def test_a_job_from_upload_to_files(quickstart: Any, client: Any, photo: Path) -> None:
    job = quickstart.start(client, photo, samples=3000, radius=0.05)
    seen = list(quickstart.watch(client, job))
    assert seen[-1].state == "done" and seen[-1].drawn == 3000
    drawn = [each.drawn for each in seen]
    assert drawn == sorted(drawn) and len(seen) > 1
    answer, regions, radii = quickstart.fetch(client, seen[-1])
    assert answer.samples == 3000
    assert verify(json.dumps(answer.certificate.to_dict()).encode()).holds
    assert Image.open(BytesIO(regions)).format == "PNG"
    proven = np.load(BytesIO(radii))
    assert proven.dtype == np.float64 and proven.ndim == 2


def test_json_bodies_problems_and_everything_else(
    quickstart: Any, client: Any, photo: Path
) -> None:
    from affidavit_client import models as wire
    from affidavit_client.api.certificates import verify as verifying
    from affidavit_client.api.explanations import certify, estimate, explain
    from affidavit_client.api.health import ready
    from affidavit_client.api.jobs import cancel_job, list_jobs, show_job
    from affidavit_client.api.kserve import explain_instances
    from affidavit_client.api.models import list_models, show_model

    image = base64.b64encode(photo.read_bytes()).decode()
    assert ready.sync(client=client).ready is True
    assert "digits-tiny" in [m.name for m in list_models.sync(client=client).models]
    card = show_model.sync("digits-tiny", client=client)
    assert len(card.labels) == 10
    body = wire.ExplainRequest(method=wire.ExplainRequestMethod.GRADIENT, image=image)
    assert len(explain.sync(client=client, body=body).map_) > 1
    asked = wire.CertifyRequest(image=image, samples=400, k=4)
    answer = certify.sync(client=client, body=asked)
    document = wire.VerifyBody.from_dict(answer.certificate.to_dict())
    assert verifying.sync(client=client, body=document).holds is True
    told = estimate.sync(client=client, body=wire.EstimateRequest(overlap=0.5, radius=0.01))
    assert isinstance(told.feasible, bool)
    instance = wire.ExplainInstance(image=wire.EncodedImage(b64=image), samples=200)
    explained = explain_instances.sync(
        "digits-tiny", client=client, body=wire.ExplainInstances(instances=[instance])
    )
    assert len(explained.explanations) == 1
    refused = certify.sync_detailed(client=client, body=wire.CertifyRequest(image=image, k=0))
    assert refused.status_code == 422 and isinstance(refused.parsed, wire.Problem)
    assert refused.parsed.errors[0].field == "k"
    with pytest.raises(quickstart.Refused, match="such job"):
        quickstart.expect(wire.Job, show_job.sync("0" * 32, client=client))
    long = wire.CertifyRequest(
        image=image, samples=100_000, stop=wire.CertifyRequestStopType0.NEVER
    )
    job = certify.sync(client=client, body=long, prefer="respond-async")
    assert cancel_job.sync(job.id, client=client).state == "cancelled"
    assert job.id in [each.id for each in list_jobs.sync(client=client, limit=5).jobs]


@pytest.mark.slow
def test_client_and_quick_start_type_check(python_client: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "mypy", "--strict", "--config-file=", "quickstart.py"),
        cwd=python_client,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
