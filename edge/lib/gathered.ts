// A body, gathered into one buffer.

/** Room for an ordinary event. */
const FIRST_BYTES = 4_096;

/**
 * Gathers the chunks of a stream in a copy: what is forwarded has to be what is
 * hashed, whatever the stream does with its buffers later. One buffer for all,
 * because a sender may send each byte by itself.
 */
export class Gathered {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;
  #taken = 0;

  /**
   * Adds at most so many bytes of a chunk.
   *
   * @throws TypeError for what isn't bytes.
   */
  add(chunk: unknown, most: number): void {
    if (!ArrayBuffer.isView(chunk)) throw new TypeError('a chunk of the body is no bytes');
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, most));
    const start = this.#length;
    this.#length += bytes.length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, start);
  }

  /** Returns how many bytes were added since the last {@link take}. */
  get fresh(): number {
    return this.#length - this.#taken;
  }

  /** Returns the bytes that were added since the last time. */
  take(): Uint8Array {
    const start = this.#taken;
    this.#taken = this.#length;
    return this.#bytes.subarray(start, this.#length);
  }

  /** Returns all bytes. */
  get whole(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
