//! The image that Envoy's image is built on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::engine::Engine;
use crate::process;
use crate::tools;
use crate::workspace::Workspace;

/// Returns the official image, or where it can't be pulled, one made of the same version's binary.
///
/// # Errors
/// If neither can be had.
pub(super) fn image(workspace: &Workspace, engine: &Engine, envoy: &Path) -> Result<String> {
    let version = tools::envoy_version(workspace)?;
    let official = format!("docker.io/envoyproxy/envoy:v{version}");
    let pulled = engine.has_image(&official)
        || process::succeeds(Command::new(engine.program()).args(["pull", &official]));
    if pulled {
        return Ok(official);
    }
    eprintln!("container: {official} can't be pulled: building a base from the binary");
    let own = format!("localhost/hookgate-envoy-base:{version}");
    build(engine, &own, envoy)?;
    Ok(own)
}

/// Builds an image of nothing but Envoy and the C library that it is linked to.
fn build(engine: &Engine, image: &str, envoy: &Path) -> Result<()> {
    let context = tempfile::tempdir()?;
    let root = context.path().join("root");
    place(&root, Path::new("/usr/local/bin/envoy"), envoy)?;
    let libraries = process::output(Command::new("ldd").arg(envoy), "ldd")?;
    for library in absolute_paths(&libraries) {
        place(&root, library, library)?;
    }
    // Envoy's users expect one; it is where a container may write.
    let temporary = root.join("tmp");
    fs::create_dir_all(&temporary)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777))?;
    let recipe = context.path().join("Containerfile");
    fs::write(&recipe, "FROM scratch\nCOPY root/ /\n")?;
    process::output(
        Command::new(engine.program())
            .args(["build", "--tag", image, "--file"])
            .arg(recipe)
            .arg(context.path()),
        "building the base image",
    )?;
    Ok(())
}

/// Copies a file (what it is a link to, if it is one) to its path under another root.
fn place(root: &Path, path: &Path, from: &Path) -> Result<()> {
    let to = root.join(path.strip_prefix("/")?);
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, &to).with_context(|| from.display().to_string())?;
    Ok(())
}

/// Finds the files in what `ldd` prints: `libm.so.6 => /lib/libm.so.6 (0x7f…)`.
fn absolute_paths(output: &str) -> impl Iterator<Item = &Path> {
    output
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_libraries_and_the_loader() {
        let output = "\tlinux-vdso.so.1 (0x00007fc5)\n\
                      \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fc5)\n\
                      \t/lib64/ld-linux-x86-64.so.2 (0x00007fc5)\n";
        let paths: Vec<&Path> = absolute_paths(output).collect();
        let expected = [
            Path::new("/lib/x86_64-linux-gnu/libm.so.6"),
            Path::new("/lib64/ld-linux-x86-64.so.2"),
        ];
        assert_eq!(paths, expected);
    }
}
