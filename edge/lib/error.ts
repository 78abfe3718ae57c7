/**
 * Says that options can't be used: a mistake of whoever wrote them, told when
 * they are taken and never when a delivery comes. Never shows a secret.
 */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** Runs what the core may refuse, with text for a reason. */
export function checked<T>(take: () => T): T {
  try {
    return take();
  } catch (reason) {
    if (typeof reason === 'string') throw new ConfigError(reason);
    throw reason;
  }
}

/**
 * Returns options that are there.
 *
 * @throws ConfigError where a caller without types has left them out.
 */
export function given<T extends object>(options: T): T {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError('options: expected an object');
  }
  return options;
}
