//! The signature doctor's page: one file that needs nothing beside it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::process;
use crate::tools;
use crate::workspace::{EDGE_TARGET, Workspace};

/// Builds the page, and returns where it is.
///
/// # Errors
/// If something doesn't build.
pub(crate) fn page(workspace: &Workspace) -> Result<PathBuf> {
    tools::wasm_target::ensure(EDGE_TARGET)?;
    eprintln!("edge: the doctor's page ({EDGE_TARGET}, profile edge)");
    process::run(
        workspace
            .cargo()
            .args(["build", "--profile", "edge", "-p", "hookgate-doctor-page"])
            .args(["--target", EDGE_TARGET]),
        "building the doctor's Wasm",
    )?;
    let page = workspace.doctor_page();
    let folder = page.with_file_name("parts");
    process::run(
        workspace
            .cargo()
            .args(["run", "--quiet", "-p", "hookgate-edge-bindgen", "--"])
            .arg(workspace.doctor_module())
            .arg(&folder)
            .arg("--page"),
        "wasm-bindgen",
    )?;
    let part = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| path.display().to_string())
    };
    let source = |name: &str| {
        let path = workspace.path("edge/doctor").join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let glue = String::from_utf8(part("page.js")?)?;
    let script = format!("{glue}\n{}", source("page.js")?);
    let style = source("page.css")?;
    let wasm = STANDARD.encode(part("page_bg.wasm")?);
    let text = assemble(&source("page.html")?, &style, &script, &wasm)?;
    fs::write(&page, text).with_context(|| page.display().to_string())?;
    Ok(page)
}

/// Puts the parts into the page, and says which of them a browser may run.
fn assemble(html: &str, style: &str, script: &str, wasm: &str) -> Result<String> {
    ensure!(
        !script.contains("</script") && !style.contains("</style"),
        "a part of the page would end before its end"
    );
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    // Nothing is loaded, nothing is asked, nothing is sent.
    let policy = format!(
        "default-src 'none'; script-src 'wasm-unsafe-eval' 'sha256-{}'; style-src 'sha256-{}'; \
         img-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'",
        hash(script),
        hash(style)
    );
    let mut text = html.to_owned();
    for (name, part) in [
        ("{{policy}}", policy.as_str()),
        ("{{style}}", style),
        ("{{wasm}}", wasm),
        ("{{script}}", script),
    ] {
        ensure!(text.matches(name).count() == 1, "page.html has one {name}");
        text = text.replace(name, part);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::assemble;

    #[test]
    fn names_the_script_and_the_style_and_nothing_else() {
        let html = "{{policy}}|{{style}}|{{wasm}}|{{script}}";
        let page = assemble(html, "", "", "AA==").unwrap();
        let empty = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
        let expected = format!(
            "default-src 'none'; script-src 'wasm-unsafe-eval' {empty}; style-src {empty}; \
             img-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'||AA==|"
        );
        assert_eq!(page, expected);
        assert!(assemble(html, "", "</script>", "").is_err());
        assert!(assemble("", "", "", "").is_err());
    }
}
