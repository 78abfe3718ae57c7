// The vector files of core, read: its own, those of a corpus beside the project,
// and further ones by HOOKGATE_VECTORS.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { delimiter, join, resolve } from 'node:path';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const own = join(root, 'core/tests/vectors');
const corpus = join(process.env.HOOKGATE_CORPUS ?? join(root, '../shared'), 'corpus/vectors');

const SCHEMES = ['github', 'shopify', 'slack', 'standard_webhooks'];

function read(file) {
  const lines = readFileSync(file, 'utf8').split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new Error(`${file} has no case`);
  return lines.map((line) => JSON.parse(line));
}

/** Lists Stripe's cases: core's own, and what else there is. */
export function stripeCases({ everything }) {
  const files = [join(own, 'stripe_signatures.jsonl')];
  if (everything) {
    const beside = join(corpus, 'stripe_signatures.jsonl');
    if (existsSync(beside)) files.push(beside);
    const further = (process.env.HOOKGATE_VECTORS ?? '').split(delimiter).filter((it) => it !== '');
    files.push(...further.map((file) => resolve(root, file)));
  }
  return files.flatMap(read);
}

/** Lists the cases of all schemes. */
export function allCases() {
  const files = SCHEMES.map((scheme) => join(corpus, `${scheme}.jsonl`)).filter(existsSync);
  const others = [join(own, 'schemes.jsonl'), ...files].flatMap(read);
  return [...stripeCases({ everything: true }), ...others];
}
