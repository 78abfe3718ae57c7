//! The shipped configuration files, with nothing but addresses and paths changed.

use anyhow::{Result, bail};

/// Replaces each `from` by its `to` throughout a file's text, all at once: a `to` that holds
/// another's `from` (two ports exchanged) stays as it is.
///
/// # Errors
/// If a `from` isn't there: the file has changed and this program has not.
pub(crate) fn render(name: &str, text: &str, replacements: &[(&str, String)]) -> Result<String> {
    let place = |index: usize| format!("\u{0}{index}\u{0}");
    let mut rendered = text.to_owned();
    for (index, (from, _)) in replacements.iter().enumerate() {
        if !text.contains(from) {
            bail!("{name} no longer holds `{from}`, which xtask replaces");
        }
        rendered = rendered.replace(from, &place(index));
    }
    for (index, (_, to)) in replacements.iter().enumerate() {
        rendered = rendered.replace(&place(index), to);
    }
    Ok(rendered)
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn replaces_every_occurrence() {
        let rendered = render("f", "a: 1, b: 1", &[("1", "2".to_owned())]).unwrap();
        assert_eq!(rendered, "a: 2, b: 2");
    }

    #[test]
    fn exchanges_two_values() {
        let exchange = [("1", "2".to_owned()), ("2", "1".to_owned())];
        assert_eq!(render("f", "a: 1, b: 2", &exchange).unwrap(), "a: 2, b: 1");
    }

    #[test]
    fn refuses_a_file_that_lacks_what_is_replaced() {
        let error = render("f", "a: 1", &[("3", "2".to_owned())]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "f no longer holds `3`, which xtask replaces"
        );
    }
}
