//! Account groups: thousands of accounts, a handful of labels.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The group of events without an account.
const PLATFORM: &str = "platform";

/// The group of accounts that are in none.
const CONNECTED: &str = "connected";

/// Says into which group an account counts. Without configuration there are two:
/// events of the platform itself and those of connected accounts.
#[derive(Debug, Clone)]
pub(crate) struct AccountGroups {
    groups: HashMap<String, Arc<str>>,
    platform: Arc<str>,
    connected: Arc<str>,
}

/// Says why groups can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccountGroupsError {
    /// The name has its own meaning.
    #[error(
        "account_groups: `{0}` is what events outside of every group are counted under; choose another name"
    )]
    Reserved(String),
    /// An account would count twice.
    #[error("account_groups: `{account}` is in `{first}` and in `{second}`; leave it in one")]
    Twice {
        /// Which.
        account: String,
        /// One of its groups.
        first: Arc<str>,
        /// The other.
        second: Arc<str>,
    },
}

impl Default for AccountGroups {
    fn default() -> Self {
        Self {
            groups: HashMap::new(),
            platform: PLATFORM.into(),
            connected: CONNECTED.into(),
        }
    }
}

impl TryFrom<BTreeMap<String, Vec<String>>> for AccountGroups {
    type Error = AccountGroupsError;

    /// Reads the accounts of each group.
    fn try_from(configured: BTreeMap<String, Vec<String>>) -> Result<Self, AccountGroupsError> {
        let mut groups = HashMap::new();
        for (name, accounts) in configured {
            if name == PLATFORM || name == CONNECTED {
                return Err(AccountGroupsError::Reserved(name));
            }
            let second: Arc<str> = name.into();
            for account in accounts {
                if let Some(first) = groups.insert(account.clone(), Arc::clone(&second)) {
                    return Err(AccountGroupsError::Twice {
                        account,
                        first,
                        second,
                    });
                }
            }
        }
        Ok(Self {
            groups,
            ..Self::default()
        })
    }
}

impl AccountGroups {
    /// Returns the label of an account.
    pub(super) fn label(&self, account: Option<&str>) -> Arc<str> {
        let group = match account {
            None => &self.platform,
            Some(account) => self.groups.get(account).unwrap_or(&self.connected),
        };
        Arc::clone(group)
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountGroups, AccountGroupsError};

    fn groups(configured: &[(&str, &[&str])]) -> Result<AccountGroups, AccountGroupsError> {
        let configured = configured.iter().map(|(name, accounts)| {
            let accounts = accounts.iter().map(|account| (*account).to_owned());
            ((*name).to_owned(), accounts.collect())
        });
        AccountGroups::try_from(configured.collect::<std::collections::BTreeMap<_, _>>())
    }

    #[test]
    fn counts_an_account_under_its_group() {
        let groups = groups(&[("vip", &["acct_1", "acct_2"]), ("test", &["acct_3"])]).unwrap();
        for (account, label) in [
            (None, "platform"),
            (Some("acct_1"), "vip"),
            (Some("acct_3"), "test"),
            (Some("acct_4"), "connected"),
        ] {
            assert_eq!(&*groups.label(account), label);
        }
    }

    #[test]
    fn refuses_an_account_in_two_groups_and_a_reserved_name() {
        assert_eq!(
            groups(&[("a", &["acct_1"]), ("b", &["acct_1"])]).unwrap_err(),
            AccountGroupsError::Twice {
                account: "acct_1".to_owned(),
                first: "a".into(),
                second: "b".into(),
            }
        );
        assert_eq!(
            groups(&[("platform", &[])]).unwrap_err(),
            AccountGroupsError::Reserved("platform".to_owned())
        );
    }
}
