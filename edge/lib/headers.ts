// Headers in every form in which frameworks hand them out.

/** Holds headers: a `Headers`, a plain object as Node has it, or pairs. */
export type HeadersLike =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | Iterable<readonly [string, string]>;

/** HTTP allows NUL in no header, and the core's buffer is divided by it. */
const NUL = /\0/g;
// eslint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/**
 * Lists names and values; one whose value is no text is as good as not there, and
 * so are all of them where reading them fails.
 */
export function pairs(headers: HeadersLike): [string, string][] {
  try {
    return listed(headers);
  } catch {
    return [];
  }
}

function listed(headers: HeadersLike): [string, string][] {
  const found: [string, string][] = [];
  const add = (name: unknown, value: unknown) => {
    if (typeof name === 'string' && typeof value === 'string') found.push([name, value]);
  };
  if (typeof headers !== 'object' || headers === null) return found;
  if (Symbol.iterator in headers) {
    for (const pair of headers as Iterable<unknown>) {
      if (Array.isArray(pair)) add(pair[0], pair[1]);
    }
    return found;
  }
  for (const name of Object.keys(headers)) {
    const value: unknown = (headers as Record<string, unknown>)[name];
    if (Array.isArray(value)) for (const one of value) add(name, one);
    else add(name, value);
  }
  return found;
}

/** Writes headers as the core reads them. */
export function head(headers: readonly (readonly [string, string])[]): string | Uint8Array {
  let text = '';
  for (const [name, value] of headers) text += `${clean(name)}\0${clean(value)}\0`;
  return ASCII.test(text) ? text : latin1(text);
}

function clean(text: string): string {
  return text.includes('\0') ? text.replace(NUL, '\ufffd') : text;
}

/**
 * Returns the bytes that came: runtimes show each as one character. What was
 * never a byte is no character of a header either.
 */
function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    bytes[i] = code > 0xff ? 0x3f : code;
  }
  return bytes;
}
