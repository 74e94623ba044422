"""The generated TypeScript client: it type-checks (in the fixture), and a live server is used."""

import json
import subprocess
from pathlib import Path

import pytest

from certify.verify import verify

pytestmark = pytest.mark.slow

PROGRAM = """
import { readFile, writeFile } from 'node:fs/promises';
import { connect, start, upload, watch, fetchFiles, Refused } from './built/quickstart.js';
import { cancelJob, explain, listModels } from './built/affidavit/index.js';

const [photo, url] = process.argv.slice(2);
const client = connect(url), bytes = await readFile(photo), told = {};
const { id } = await upload(client, bytes, { samples: 3000, radius: 0.05 });
told.states = [];
for await (const job of watch(client, id)) told.states.push([job.state, job.drawn]);
const { answer, regions, radii } = await fetchFiles(client, id);
told.samples = answer.samples;
told.regions = [...new Uint8Array(await regions.arrayBuffer()).slice(0, 4)];
told.radii = [...new Uint8Array(await radii.arrayBuffer()).slice(0, 6)];
await writeFile('certificate.json', JSON.stringify(answer.certificate));
told.models = (await listModels({ client })).data.models.map((m) => m.name);
const image = bytes.toString('base64');
told.rows = (await explain({ client, body: { method: 'gradient', image } })).data.map.length;
const long = await start(client, bytes, { samples: 100000, stop: 'never' });
told.cancelled = (await cancelJob({ client, path: { id: long.id } })).data.state;
try {
  await start(client, bytes, { k: 0 });
} catch (error) {
  told.problem = error instanceof Refused && error.problem.errors[0].field;
}
console.log(JSON.stringify(told));
"""


def said(program: str, folder: Path, photo: Path, server: str) -> str:
    """What a program says that ends well."""
    done = subprocess.run(
        ("node", program, str(photo), server),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_job_from_upload_to_files(typescript_client: Path, server: str, photo: Path) -> None:
    (typescript_client / "use.mjs").write_text(PROGRAM)
    told = json.loads(said("use.mjs", typescript_client, photo, server))
    assert told["states"][-1] == ["done", 3000]
    assert (told["samples"], told["problem"], told["cancelled"]) == (3000, "k", "cancelled")
    assert bytes(told["regions"]) == b"\x89PNG" and bytes(told["radii"]) == b"\x93NUMPY"
    assert "digits-tiny" in told["models"] and told["rows"] > 1
    assert verify((typescript_client / "certificate.json").read_bytes()).holds


def test_the_quick_start_runs_as_it_stands(
    typescript_client: Path, server: str, photo: Path
) -> None:
    assert "done: " in said("built/quickstart.js", typescript_client, photo, server)
    assert (typescript_client / "regions.png").read_bytes().startswith(b"\x89PNG")
