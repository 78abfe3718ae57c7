//! Files stay short: nine of ten under 400 lines, none over 600.

use std::fs;
use std::io;
use std::path::Path;

const SHORT: usize = 400;
const LONGEST: usize = 600;
const MEMBERS: [&str; 11] = [
    "json",
    "core",
    "watch",
    "doctor",
    "plugin",
    "edge",
    "upstream",
    "examples",
    "host-tests",
    "xtask",
    "fuzz",
];

/// Names every file that is too long, and the share of files that are not short if that is too much.
fn violations(files: &[(String, usize)]) -> Vec<String> {
    let mut found: Vec<String> = files
        .iter()
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(name, lines)| format!("{name} has {lines} lines"))
        .collect();
    let long: Vec<&str> = files
        .iter()
        .filter(|(_, lines)| *lines >= SHORT)
        .map(|(name, _)| name.as_str())
        .collect();
    if long.len() * 10 > files.len() {
        found.push(format!(
            "more than a tenth is not short: {}",
            long.join(", ")
        ));
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<(String, usize)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path)?.lines().count();
            files.push((path.display().to_string(), lines));
        }
    }
    Ok(())
}

#[test]
fn the_workspace_keeps_its_files_short() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for member in MEMBERS {
        let folder = root.join(member);
        if folder.is_dir() {
            collect(&folder, &mut files)?;
        }
    }
    assert!(files.len() > 20, "{files:?}");
    assert_eq!(violations(&files), Vec::<String>::new());
    Ok(())
}

#[test]
fn refuses_one_file_over_the_longest() {
    let mut files = vec![("short".to_owned(), 100); 30];
    files.push(("huge".to_owned(), 601));
    assert_eq!(violations(&files), ["huge has 601 lines"]);
}

#[test]
fn refuses_too_many_that_are_not_short() {
    let mut files = vec![("short".to_owned(), 399); 9];
    files.extend(vec![("long".to_owned(), 400); 2]);
    assert_eq!(
        violations(&files),
        ["more than a tenth is not short: long, long"]
    );
}
