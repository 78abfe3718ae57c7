//! What fails at destinations, read from the schedule beside the log.

use tokio::runtime::Handle;

use crate::{
    console::answer::Problem,
    log::{Kept, LogAddress},
    review::{Board, Desk, Failure, LatestFailure, Retry, ReviewError},
};

/// Holds what fails at one destination.
#[derive(Debug, Default)]
pub(in crate::console) struct Failing {
    /// The newest attempts that failed.
    pub(in crate::console) failures: Vec<Failure>,
    /// What waits for another attempt; `None`: too many to tell which is first.
    pub(in crate::console) retries: Option<Vec<Retry>>,
    /// The newest one of all that failed.
    pub(in crate::console) latest: Option<LatestFailure>,
}

/// Reads what fails at a destination. Blocks.
///
/// # Errors
/// [`Problem`].
pub(super) fn failing(log: &Kept, runtime: &Handle, name: &str) -> Result<Failing, Problem> {
    let mut shown = Failing {
        retries: Some(Vec::new()),
        ..Failing::default()
    };
    let latest = match log.address() {
        LogAddress::Sqlite(path) => {
            let Some(board) = Board::open(path)? else {
                return Ok(shown);
            };
            shown.failures = board.failures(Some(name))?;
            shown.retries = Some(board.retries(name)?);
            board.latest_failures()?
        }
        LogAddress::Nats(_) => {
            let desk = match Desk::kept(log, runtime) {
                // Nothing was delivered yet.
                Err(ReviewError::NotServed) => return Ok(shown),
                desk => desk?,
            };
            let recent = desk.recent()?;
            shown.failures = desk.failures(&recent, name)?;
            shown.retries = desk.retries(name)?;
            desk.latest_failures(&recent, &[name.to_owned()])?
        }
        _ => return Ok(shown),
    };
    shown.latest = latest.into_iter().find(|it| it.destination == name);
    Ok(shown)
}

/// Reads the newest failure at each of these destinations. Blocks.
///
/// # Errors
/// [`Problem`].
pub(super) fn latest(
    log: &Kept,
    runtime: &Handle,
    names: &[String],
) -> Result<Vec<LatestFailure>, Problem> {
    Ok(match log.address() {
        LogAddress::Sqlite(path) => match Board::open(path)? {
            Some(board) => board.latest_failures()?,
            None => Vec::new(),
        },
        LogAddress::Nats(_) => match Desk::kept(log, runtime) {
            Err(ReviewError::NotServed) => Vec::new(),
            desk => {
                let desk = desk?;
                desk.latest_failures(&desk.recent()?, names)?
            }
        },
        _ => Vec::new(),
    })
}
