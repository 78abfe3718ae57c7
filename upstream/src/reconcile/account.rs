//! Whose events are asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What stands for the platform where a connected account could stand; no
/// account is called so.
const PLATFORM: &str = "platform";

/// Names an account of Stripe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Account {
    /// The one that the API key is of.
    Platform,
    /// One that is connected to it: `acct_…`.
    Connected(String),
}

impl Account {
    /// Returns the ID of a connected account.
    pub(crate) fn connected(&self) -> Option<&str> {
        match self {
            Self::Platform => None,
            Self::Connected(id) => Some(id),
        }
    }
}

impl From<String> for Account {
    fn from(text: String) -> Self {
        if text == PLATFORM {
            Self::Platform
        } else {
            Self::Connected(text)
        }
    }
}

impl From<Account> for String {
    fn from(account: Account) -> Self {
        account.to_string()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.connected().unwrap_or(PLATFORM))
    }
}
