// Programs that a test starts, and waits for.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const edge = fileURLToPath(new URL('../../', import.meta.url));

/** Returns where npm has put a package's program. */
export const program = (name) => `${edge}node_modules/.bin/${name}`;

/** Runs a program to its end and returns what it printed. */
export async function run(command, args, { input, env, cwd = edge } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${code}\n${out}${err}`);
  return out;
}

/** Starts a program, waits for a line that `ready` reads something from, and returns that. */
export async function start(test, command, args, ready, { env, cwd = edge } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  test.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill();
    await once(child, 'exit');
  });
  let text = '';
  return new Promise((found, failed) => {
    const read = (data) => {
      text += data;
      const value = ready(text);
      if (value !== undefined && value !== null) found(value);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', failed);
    child.on('exit', (code) => failed(new Error(`${command}: ${code}\n${text}`)));
  });
}
