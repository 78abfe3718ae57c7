//! The signature doctor's page, as `cargo xtask doctor` builds it.
//!
//! It is a file and not part of this program, so that who builds the program needs no
//! Wasm, and who changes the page builds no server. It runs in the browser alone; its
//! own `Content-Security-Policy` is stricter than the console's, but for the script that
//! stands in it and that it names by its hash.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Html, IntoResponse as _, Response},
};
use bytes::Bytes;

use super::{Console, access::Caller, answer, page};

/// Largest page, in bytes.
const MAX_BYTES: u64 = 4 * 1_048_576;

/// What stands before the policy in the page, and behind it.
const POLICY: (&str, &str) = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"",
    "\">",
);

/// Holds the page.
#[derive(Debug)]
pub(crate) struct DoctorPage {
    text: Bytes,
    policy: HeaderValue,
}

/// Says why the page can't be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoctorPageError {
    /// The file can't be read.
    #[error("can't read the doctor's page `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "found no page of the doctor in `{}`, expected what `cargo xtask doctor` builds",
        .0.display()
    )]
    Form(PathBuf),
}

impl DoctorPage {
    /// Reads the page, and the policy that it has for itself.
    ///
    /// # Errors
    /// [`DoctorPageError`].
    pub(super) fn load(path: &Path) -> Result<Self, DoctorPageError> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
            .map_err(|source| DoctorPageError::Read {
                path: path.to_owned(),
                source,
            })?;
        let policy = policy(&text).ok_or_else(|| DoctorPageError::Form(path.to_owned()))?;
        Ok(Self {
            policy,
            text: text.into(),
        })
    }
}

/// Takes the page's own policy, if that lets nothing out of the browser.
fn policy(text: &str) -> Option<HeaderValue> {
    let (_, rest) = text.split_once(POLICY.0)?;
    let (policy, _) = rest.split_once(POLICY.1)?;
    let is_closed = [
        "default-src 'none'",
        "connect-src 'none'",
        "form-action 'none'",
    ]
    .iter()
    .all(|it| policy.contains(it));
    let policy = format!("{policy}; frame-ancestors 'none'");
    HeaderValue::from_str(&policy).ok().filter(|_| is_closed)
}

/// Shows the page, or says how it comes here.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    match &console.doctor {
        None => answer::found(page::no_doctor(&caller)),
        Some(page) => (
            [(CONTENT_SECURITY_POLICY, page.policy.clone())],
            Html(page.text.clone()),
        )
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::policy;

    #[test]
    fn takes_a_policy_that_lets_nothing_out_and_no_other() {
        let page = |policy: &str| {
            format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\"><p>")
        };
        let closed = "default-src 'none'; connect-src 'none'; form-action 'none'";
        let header = policy(&page(closed)).unwrap();
        assert_eq!(header, format!("{closed}; frame-ancestors 'none'"));
        assert_eq!(policy(&page("default-src 'none'; connect-src *")), None);
        assert_eq!(policy("<p>"), None);
    }
}
