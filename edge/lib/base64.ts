// Buckets as text, for stores that keep nothing else.

export function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

export function decode(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
