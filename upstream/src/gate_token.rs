//! What tells the gate from anybody else who reaches the port.
//!
//! The gate's Envoy sends a token with each event (RFC 6750, bearer), and a file
//! lists those that count: one, or two while one is exchanged. Tokens are kept
//! as digests, which are compared in constant time; their text is forgotten.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, Weak},
    thread,
    time::Duration,
};

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::bearer;

/// Time between two looks at the file.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Most tokens at once: the old one and the new one.
const MAX_TOKENS: usize = 2;

/// Shortest and longest token, in bytes. One that can be guessed is none.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 32..=512;

/// Longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 4_096;

/// Says why a file of tokens can't be used; shows nothing of its text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateTokenError {
    /// The file can't be read.
    #[error("can't read the gate tokens `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What names the file is a token.
    #[error(
        "expected the path of a file with the gate's token, found what may be the token itself"
    )]
    Pasted,
    /// The text isn't a list of tokens.
    #[error("the gate tokens `{}`: {problem}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: Problem,
    },
}

/// Says what is wrong with a file of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// None, or too many.
    #[error("found {found} lines, expected one token, or two while one is exchanged")]
    Number {
        /// How many.
        found: usize,
    },
    /// A line that can be no token.
    #[error(
        "line {line}: expected a token of 32 to 512 of the characters A-Z a-z 0-9 - . _ ~ + / =, for example from `openssl rand -hex 32`"
    )]
    Form {
        /// Which.
        line: usize,
    },
}

/// Holds the tokens that a gate may show.
#[derive(Clone)]
pub(crate) struct GateTokens(Arc<Live>);

struct Live {
    path: PathBuf,
    tokens: RwLock<Vec<[u8; 32]>>,
}

impl fmt::Debug for GateTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateTokens")
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}

impl GateTokens {
    /// Reads a file and watches it for as long as the result is held. A text
    /// that can't be used later changes nothing.
    ///
    /// # Errors
    /// [`GateTokenError`].
    pub(crate) fn watch(path: &Path) -> Result<Self, GateTokenError> {
        if is_token(path.as_os_str().as_encoded_bytes()) && !path.exists() {
            return Err(GateTokenError::Pasted);
        }
        let live = Live {
            path: path.into(),
            tokens: RwLock::default(),
        };
        let text = live.read()?;
        live.take(&text)?;
        let live = Arc::new(live);
        let watched = Arc::downgrade(&live);
        let seen = Sha256::digest(&text).into();
        thread::spawn(move || poll(&watched, Ok(seen)));
        Ok(Self(live))
    }

    /// Tells whether a request shows one of the tokens, exactly once.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(token) = bearer::shown(headers) else {
            return false;
        };
        let tokens = self.0.tokens.read().unwrap_or_else(PoisonError::into_inner);
        bearer::find(token, tokens.iter().copied().map(Some)).is_some()
    }
}

/// What was seen last, so that it is said once.
type Seen = Result<[u8; 32], io::ErrorKind>;

fn poll(watched: &Weak<Live>, mut last: Seen) {
    loop {
        thread::sleep(POLL_INTERVAL);
        let Some(live) = watched.upgrade() else {
            return;
        };
        let read = live.read();
        let seen = match &read {
            Ok(text) => Ok(Sha256::digest(text).into()),
            Err(GateTokenError::Read { source, .. }) => Err(source.kind()),
            Err(_) => continue,
        };
        if seen == last {
            continue;
        }
        last = seen;
        match read.and_then(|text| live.take(&text)) {
            Ok(tokens) => info!(file = %live.path.display(), tokens, "took gate tokens"),
            Err(error) => warn!(%error, "kept the last good gate tokens"),
        }
    }
}

impl Live {
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, GateTokenError> {
        use io::Read as _;
        let error = |source| GateTokenError::Read {
            path: self.path.clone(),
            source,
        };
        let file = fs::File::open(&self.path).map_err(error)?;
        // Enough at once: what a buffer outgrows stays in memory.
        let capacity = usize::try_from(MAX_FILE_BYTES).unwrap_or_default() + 64;
        let mut text = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(MAX_FILE_BYTES)
            .read_to_end(&mut text)
            .map_err(error)?;
        Ok(text)
    }

    /// Takes a text's tokens instead of those before, all or none; returns how
    /// many they are.
    fn take(&self, text: &[u8]) -> Result<usize, GateTokenError> {
        let tokens = parse(text).map_err(|problem| GateTokenError::Parse {
            path: self.path.clone(),
            problem,
        })?;
        let found = tokens.len();
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(found)
    }
}

/// Reads one token a line; returns their digests.
fn parse(text: &[u8]) -> Result<Vec<[u8; 32]>, Problem> {
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines: Vec<(usize, &[u8])> = (1..).zip(lines).filter(|(_, it)| !it.is_empty()).collect();
    if !(1..=MAX_TOKENS).contains(&lines.len()) {
        return Err(Problem::Number { found: lines.len() });
    }
    lines
        .into_iter()
        .map(|(line, token)| {
            is_token(token)
                .then(|| Sha256::digest(token).into())
                .ok_or(Problem::Form { line })
        })
        .collect()
}

/// Tells whether a text can be a bearer token (RFC 6750, section 2.1).
fn is_token(text: &[u8]) -> bool {
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    TOKEN_BYTES.contains(&text.len()) && text.iter().all(is_of_token)
}

#[cfg(test)]
mod tests {
    use super::{GateTokenError, GateTokens, Problem, parse};
    use axum::http::{HeaderMap, HeaderValue};
    use std::fs;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";
    /// [`ONE`] without its last character.
    const SHORT: &str = "0123456789abcdef0123456789abcde";

    fn shown(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| {
            let value = HeaderValue::from_str(value).unwrap();
            (axum::http::header::AUTHORIZATION, value)
        });
        values.collect()
    }

    #[test]
    fn takes_one_token_or_two_and_nothing_else() {
        assert_eq!(parse(ONE.as_bytes()).unwrap().len(), 1);
        let two = format!("{ONE}\r\n\n  {TWO} \n");
        assert_eq!(parse(two.as_bytes()).unwrap().len(), 2);
        for (text, problem) in [
            (String::new(), Problem::Number { found: 0 }),
            ("\n \n".to_owned(), Problem::Number { found: 0 }),
            (
                format!("{ONE}\n{TWO}\n{ONE}x"),
                Problem::Number { found: 3 },
            ),
            (SHORT.to_owned(), Problem::Form { line: 1 }),
            (format!("\n{ONE}\nBearer {TWO}"), Problem::Form { line: 3 }),
            ("x".repeat(513), Problem::Form { line: 1 }),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(problem), "{text}");
        }
    }

    #[test]
    fn does_not_repeat_a_token_that_is_given_for_its_file() {
        let error = GateTokens::watch(ONE.as_ref()).unwrap_err();
        assert!(matches!(error, GateTokenError::Pasted));
        assert!(!error.to_string().contains(ONE), "{error}");
    }

    #[test]
    fn admits_who_shows_a_token_exactly_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        fs::write(&file, format!("{ONE}\n{TWO}\n")).unwrap();
        let tokens = GateTokens::watch(&file).unwrap();
        let bearer = |token: &str| format!("Bearer {token}");
        for token in [ONE, TWO] {
            assert!(tokens.admit(&shown(&[&bearer(token)])));
            assert!(tokens.admit(&shown(&[&format!("bearer {token}")])));
        }
        for refused in [
            &[][..],
            &[""],
            &["Bearer "],
            &[ONE],
            &[&format!("Basic {ONE}")],
            &[&bearer(SHORT)],
            &[&bearer(&format!("{ONE}0"))],
            &[&bearer(&ONE.to_uppercase())],
            &[&bearer(ONE), &bearer(ONE)],
            &[&bearer(ONE), "Bearer x"],
        ] {
            assert!(!tokens.admit(&shown(refused)), "{refused:?}");
        }
        let debug = format!("{tokens:?}");
        assert!(!debug.contains(ONE) && !debug.contains(TWO), "{debug}");
    }
}
