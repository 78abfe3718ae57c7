//! `hookgate-edge-bindgen MODULE FOLDER`: ES modules and types around a Wasm module;
//! with `--page` behind it a script for a page, without modules.
//!
//! wasm-bindgen's library and not its command: one version of both, in
//! `Cargo.lock`, and a third of the crates to compile.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: hookgate-edge-bindgen MODULE FOLDER [--page]";
    let module = arguments.next().context(usage)?;
    let folder = arguments.next().context(usage)?;
    let is_page = match arguments.next() {
        None => false,
        Some(option) if option.as_os_str() == "--page" => true,
        Some(_) => bail!(usage),
    };
    let mut bindgen = Bindgen::new();
    if is_page {
        // No modules: a page that is opened from a file loads none.
        bindgen.no_modules(true)?.out_name("page").typescript(false);
    } else {
        bindgen.bundler(true)?.out_name("core").typescript(true);
    }
    bindgen
        .input_path(module)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
}
