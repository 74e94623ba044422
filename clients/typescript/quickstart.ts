/**
 * A certificate of a photograph, watched while it is made.
 *
 *     npx tsc && node built/quickstart.js photo.jpg [http://127.0.0.1:8000]
 *
 * Where the server wants a key, AFFIDAVIT_KEY holds it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

import { createClient, createConfig, formDataBodySerializer, type Client } from './affidavit/client/index.js';
import { certify, showCertificate, showRadii, showRegions, watchJob } from './affidavit/index.js';
import type { CertifyAnswer, CertifyRequest, Job, Problem } from './affidavit/index.js';

/** The service answered a problem document. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.title}: ${problem.detail}`);
  }
}

/** A client of the server at this URL. */
export function connect(url: string, key?: string): Client {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  return createClient(createConfig({ baseUrl: url, headers }));
}

/** What came, or the problem as an error. */
function expect<Answer>(answer: { data?: Answer; error?: unknown }): Answer {
  if (answer.data === undefined) throw new Refused(answer.error as Problem);
  return answer.data;
}

/** Ask for a certificate as a job, the picture in base64. */
export async function start(client: Client, photo: Uint8Array, asked: Omit<CertifyRequest, 'image'>): Promise<Job> {
  const image = Buffer.from(photo).toString('base64');
  const headers = { Prefer: 'respond-async' };
  return expect(await certify({ client, headers, body: { ...asked, image } })) as Job;
}

/** The same with the picture as an uploaded file. */
export async function upload(client: Client, photo: Uint8Array, asked: Omit<CertifyRequest, 'image'>): Promise<Job> {
  // The generator knows one type of body for each route, and takes the one with base64.
  const body = { ...asked, image: new Blob([Uint8Array.from(photo)]) } as unknown as CertifyRequest;
  const headers = { Prefer: 'respond-async', 'Content-Type': null } as unknown as { Prefer: string };
  return expect(await certify({ client, headers, body, ...formDataBodySerializer })) as Job;
}

/** The job each time that it has changed, until it is over; every claim in it is proven. */
export async function* watch(client: Client, id: string): AsyncGenerator<Job> {
  const { stream } = await watchJob({ client, path: { id }, sseMaxRetryAttempts: 1 });
  for await (const job of stream) yield job as unknown as Job;
}

/** The certificate of a job that is done, its picture (PNG) and its radii (.npy). */
export async function fetchFiles(client: Client, id: string): Promise<{ answer: CertifyAnswer; regions: Blob; radii: Blob }> {
  const path = { id };
  return {
    answer: expect(await showCertificate({ client, path })) as CertifyAnswer,
    regions: expect(await showRegions({ client, path, parseAs: 'blob' })) as Blob,
    radii: expect(await showRadii({ client, path, parseAs: 'blob' })) as Blob,
  };
}

async function main(photo: string, url = 'http://127.0.0.1:8000'): Promise<void> {
  const client = connect(url, process.env.AFFIDAVIT_KEY);
  const { id } = await upload(client, await readFile(photo), { samples: 400, radius: 0.03 });
  for await (const job of watch(client, id)) console.log(`${job.state}: ${job.drawn} of ${job.samples} samples`);
  const { answer, regions, radii } = await fetchFiles(client, id);
  console.log(answer.summary.join('\n'));
  await writeFile('certificate.json', JSON.stringify(answer.certificate));
  await writeFile('regions.png', Buffer.from(await regions.arrayBuffer()));
  await writeFile('radii.npy', Buffer.from(await radii.arrayBuffer()));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [photo, url] = process.argv.slice(2);
  if (photo === undefined) throw new Error('usage: node built/quickstart.js photo.jpg [url]');
  await main(photo, url);
}
