//! `hookgate-edge-bindgen MODULE FOLDER`: ES modules and types around a Wasm module.
//!
//! wasm-bindgen's library and not its command: one version of both, in
//! `Cargo.lock`, and a third of the crates to compile.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: hookgate-edge-bindgen MODULE FOLDER";
    let module = arguments.next().context(usage)?;
    let folder = arguments.next().context(usage)?;
    Bindgen::new()
        .input_path(module)
        .bundler(true)?
        .out_name("core")
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
}
