// A real redis-server behind HTTP, as Upstash speaks it.

import { createServer } from 'node:http';
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { start } from './run.js';

export const TOKEN = 'token-of-the-fixture';

/** Starts both; returns the address, and how to stop the Redis. */
export async function redis(test) {
  const folder = mkdtempSync(join(tmpdir(), 'hookgate-redis-'));
  test.after(() => rmSync(folder, { recursive: true }));
  const socket = join(folder, 'redis.sock');
  const command = process.env.REDIS_SERVER_PATH ?? 'redis-server';
  const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder];
  const ready = (text) => text.match(/ready to accept connections/i);
  await start(test, command, args, ready);
  const server = createServer(async (request, response) => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      response.writeHead(401).end('{"error":"Unauthorized"}');
      return;
    }
    let text = '';
    for await (const chunk of request) text += chunk;
    const answer = await ask(socket, JSON.parse(text));
    const status = 'error' in answer ? 400 : 200;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Sends one command in RESP and reads its answer. */
async function ask(socket, words) {
  const connection = createConnection(socket);
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  connection.write(`*${words.length}\r\n${parts.join('')}`);
  let text = '';
  for await (const chunk of connection) {
    text += chunk.toString('latin1');
    const answer = read(text);
    if (answer !== undefined) {
      connection.destroy();
      return answer;
    }
  }
  return { error: 'closed' };
}

/** Reads a simple, whole or bulk answer; `undefined` while it isn't complete. */
function read(text) {
  const end = text.indexOf('\r\n');
  if (end < 0) return undefined;
  const line = text.slice(1, end);
  if (text[0] === '-') return { error: line };
  if (text[0] === '+') return { result: line };
  if (text[0] === ':') return { result: Number(line) };
  const length = Number(line);
  if (length < 0) return { result: null };
  const rest = text.slice(end + 2);
  return rest.length < length + 2 ? undefined : { result: rest.slice(0, length) };
}
