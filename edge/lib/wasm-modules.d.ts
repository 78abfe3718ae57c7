// What an import of the Wasm gives depends on the runtime: its entry says.
declare module '*.wasm' {
  const module: unknown;
  export default module;
}
