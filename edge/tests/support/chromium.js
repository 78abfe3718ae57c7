// A page in a real Chromium, with the package served beside it.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';

import puppeteer from 'puppeteer-core';

import { edge } from './run.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };

function executable() {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  const folders = (process.env.PATH ?? '').split(':');
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
  if (!found) throw new Error('no chromium: apt-get install chromium, or set CHROMIUM_PATH to one');
  return found;
}

/** Opens an empty page of a server of the package's files. */
export async function page(test) {
  const server = createServer((request, response) => {
    const file = join(edge, normalize(request.url));
    const isFile = extname(file) in TYPES && existsSync(file);
    const body = isFile ? readFileSync(file) : '<!doctype html><title>empty</title>';
    const headers = {
      'content-type': isFile ? TYPES[extname(file)] : 'text/html',
      // What a page has to allow, and that it needs no eval.
      'content-security-policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
    };
    response.writeHead(200, headers).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => server.close());
  const browser = await puppeteer.launch({
    executablePath: executable(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  test.after(() => browser.close());
  const opened = await browser.newPage();
  await opened.goto(`http://127.0.0.1:${server.address().port}/`);
  return opened;
}
