//! How many files and connections this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use super::connections::{OF_PAGES, OF_THE_INTAKE};

/// Files beside the connections: the log, deliveries, brokers.
const OTHERS: usize = 1_024;

/// Raises the soft limit, which is often 1,024, to what the system lets this
/// process have. Source: <https://0pointer.net/blog/file-descriptor-limits.html>.
pub(super) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    let raised = setrlimit(Resource::Nofile, limit);
    let found = raised.map_or(current, |()| maximum);
    let wanted = u64::try_from(OF_THE_INTAKE + OF_PAGES + OTHERS).unwrap_or(u64::MAX);
    if found.is_some_and(|found| found < wanted) {
        warn!(
            ?found,
            wanted, "few open files are allowed: connections may have to wait (`ulimit -Hn`)"
        );
    }
}
