//! What a configuration decides by, and whether the scheme's signature covers it.
//!
//! Whoever carries a delivery can write what isn't signed. So it may be counted,
//! and keep out the honest, but nothing is let through, refused, charged to
//! somebody or sent elsewhere by it.

use alloc::format;

use super::ConfigError;
use crate::scheme::{Attribute, Scheme};

/// Names an attribute by which a configuration decides.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decided {
    Type,
    Account,
    Mode,
}

impl Decided {
    /// Checks that what stands at `path` can rely on the attribute.
    pub(super) fn rely(self, path: &str, found: &str, scheme: &Scheme) -> Result<(), ConfigError> {
        self.exist(path, found, scheme)?;
        if self.attribute(scheme) != Attribute::Unsigned {
            return Ok(());
        }
        let expected = format!(
            "none: scheme `{}` doesn't sign the {}, so anybody could write one that fits",
            scheme.as_str(),
            self.name()
        );
        Err(ConfigError::value(path, found, expected))
    }

    /// Checks that events of the scheme have the attribute, signed or not.
    pub(super) fn exist(self, path: &str, found: &str, scheme: &Scheme) -> Result<(), ConfigError> {
        if self.attribute(scheme) != Attribute::Absent {
            return Ok(());
        }
        let expected = format!(
            "none: events of the scheme `{}` have no {}",
            scheme.as_str(),
            self.name()
        );
        Err(ConfigError::value(path, found, expected))
    }

    fn attribute(self, scheme: &Scheme) -> Attribute {
        match self {
            Self::Type => scheme.type_name(),
            Self::Account => scheme.account(),
            Self::Mode => scheme.livemode(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Account => "account",
            Self::Mode => "mode",
        }
    }
}
