//! Step two: the effect and the identity, in one transaction.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, TransactionBehavior, params};

use crate::delivery::Delivery;

/// How long to remember an identity: longer than Hookgate may deliver an event
/// again by itself. One that a person redelivers later has to be looked at.
const REMEMBERED: &str = "-60 days";

/// Says what a delivery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Booked {
    /// Its effect is committed now.
    Now,
    /// Its effect was committed when it came first.
    Before,
}

/// Keeps what each account has, and which deliveries had their effect.
pub(crate) struct Ledger {
    connection: Connection,
}

impl Ledger {
    /// Opens the file, and makes it if need be.
    ///
    /// # Errors
    /// [`rusqlite::Error`].
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS balance (
                 account TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS delivery (
                 webhook_id TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS delivery_at ON delivery (at);",
        )?;
        Ok(Self { connection })
    }

    /// Commits a delivery's effect, unless it is committed already.
    ///
    /// # Errors
    /// [`rusqlite::Error`]: nothing is committed; Hookgate delivers again.
    pub(crate) fn book(&mut self, delivery: &Delivery) -> rusqlite::Result<Booked> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let fresh = transaction
            .prepare_cached(
                "INSERT INTO delivery (webhook_id, at) VALUES (?1, datetime())
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![delivery.webhook_id])?;
        if fresh == 0 {
            return Ok(Booked::Before);
        }
        if let Some(payment) = &delivery.payment {
            transaction
                .prepare_cached(
                    "INSERT INTO balance (account, amount) VALUES (?1, ?2)
                     ON CONFLICT (account) DO UPDATE SET amount = amount + excluded.amount",
                )?
                .execute(params![payment.account, payment.amount])?;
        }
        transaction
            .prepare_cached("DELETE FROM delivery WHERE at < datetime('now', ?1)")?
            .execute(params![REMEMBERED])?;
        transaction.commit()?;
        Ok(Booked::Now)
    }

    /// Returns what each account has.
    ///
    /// # Errors
    /// [`rusqlite::Error`].
    pub(crate) fn accounts(&self) -> rusqlite::Result<BTreeMap<String, i64>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT account, amount FROM balance")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Booked, Ledger};
    use crate::delivery::{Delivery, Payment};

    fn delivery(webhook_id: &str, amount: i64) -> Delivery {
        Delivery {
            webhook_id: webhook_id.to_owned(),
            payment: Some(Payment {
                account: "acct_1".to_owned(),
                amount,
            }),
        }
    }

    fn balance(ledger: &Ledger) -> i64 {
        ledger.accounts().unwrap().values().sum()
    }

    #[test]
    fn an_event_has_one_effect_however_often_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.book(&delivery("msg_1", 700)), Ok(Booked::Now));
        assert_eq!(ledger.book(&delivery("msg_1", 700)), Ok(Booked::Before));
        drop(ledger);
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.book(&delivery("msg_1", 700)), Ok(Booked::Before));
        assert_eq!(ledger.book(&delivery("msg_2", 50)), Ok(Booked::Now));
        assert_eq!(balance(&ledger), 750);
    }

    #[test]
    fn what_does_not_commit_is_not_remembered_either() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        ledger.book(&delivery("msg_1", i64::MAX)).unwrap();
        // The sum is too large for an integer of this table.
        assert!(
            ledger
                .book(&delivery("msg_2", 1))
                .is_err_and(|error| { error.to_string().contains("cannot store REAL value") })
        );
        ledger.book(&delivery("msg_3", -1)).unwrap();
        assert_eq!(ledger.book(&delivery("msg_2", 1)), Ok(Booked::Now));
        assert_eq!(balance(&ledger), i64::MAX);
    }
}
