//! The marked blocks of `envoy/complete.yaml`.
//!
//! A block begins with `# >>> name` and ends with `# <<< name`. Lines of the
//! shipped file that it replaces stand in it behind `#| `. Blocks don't nest.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

/// Returns the names of the blocks in `text`.
///
/// # Errors
/// A marker without its counterpart.
pub fn names(text: &str) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (block, _) in lines(text)? {
        names.extend(block.map(str::to_owned));
    }
    Ok(names)
}

/// Returns `text` with the blocks in `wanted` and without all others.
///
/// # Errors
/// A marker without its counterpart, or no block of a wanted name.
pub fn keep(text: &str, wanted: &[&str]) -> Result<String> {
    let names = names(text)?;
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(**name)) {
        bail!("no block `{unknown}` in envoy/complete.yaml");
    }
    Ok(lines(text)?
        .into_iter()
        .filter_map(|(block, line)| match block {
            Some(name) if !wanted.contains(&name) => replaced(line),
            _ => Some(line.to_owned()),
        })
        .collect())
}

/// Returns the shipped line that stands behind `#|`.
fn replaced(line: &str) -> Option<String> {
    let (indent, rest) = line.split_once("#|")?;
    if !indent.trim().is_empty() {
        return None;
    }
    Some(match rest.strip_prefix(' ') {
        Some(shipped) => format!("{indent}{shipped}"),
        None => rest.to_owned(),
    })
}

/// Returns every line with the block that it belongs to, markers included.
fn lines(text: &str) -> Result<Vec<(Option<&str>, &str)>> {
    let mut open = None;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let comment = line.trim();
        if let Some(name) = comment.strip_prefix("# >>> ") {
            if let Some(open) = open {
                bail!("block `{name}` begins inside of block `{open}`");
            }
            open = Some(name);
        }
        found.push((open, line));
        if let Some(name) = comment.strip_prefix("# <<< ") {
            if open != Some(name) {
                bail!("block `{name}` ends where it is not open");
            }
            open = None;
        }
    }
    match open {
        Some(open) => bail!("block `{open}` never ends"),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
one: 1
# >>> a
two: 2
# <<< a
  # >>> b
  #| three: 3
  #|
  #|   deep
  three: 33
  # <<< b
";

    #[test]
    fn leaves_out_a_block_and_restores_what_it_replaces() {
        let bare = "one: 1\n  three: 3\n\n    deep\n";
        assert_eq!(keep(TEXT, &[]).unwrap(), bare);
        let with_a = "one: 1\n# >>> a\ntwo: 2\n# <<< a\n  three: 3\n\n    deep\n";
        assert_eq!(keep(TEXT, &["a"]).unwrap(), with_a);
        assert_eq!(keep(TEXT, &["a", "b"]).unwrap(), TEXT);
    }

    #[test]
    fn refuses_unknown_and_broken_blocks() {
        let refused = |text: &str, wanted: &[&str]| keep(text, wanted).unwrap_err().to_string();
        assert_eq!(refused(TEXT, &["c"]), "no block `c` in envoy/complete.yaml");
        assert_eq!(refused("# >>> a\n", &[]), "block `a` never ends");
        assert_eq!(
            refused("# <<< a\n", &[]),
            "block `a` ends where it is not open"
        );
        assert_eq!(
            refused("# >>> a\n# >>> b\n", &[]),
            "block `b` begins inside of block `a`"
        );
    }
}
