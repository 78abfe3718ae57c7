//! What the host lends: a clock, random bits, memory shared by all workers.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    time::UNIX_EPOCH,
};

use hookgate_core::{
    delivery::Entropy,
    shared::{Address, SharedStore, StoreError, Version},
    time::Timestamp,
};
use proxy_wasm::{
    hostcalls,
    types::{Bytes, Status},
};

/// A version that no present key has: the host takes it as "create if absent"
/// and refuses where another worker was first. Without a version the host
/// would overwrite, and two workers could both win.
const NEVER_A_VERSION: u32 = u32::MAX;

/// Returns the host's wall clock; the epoch if it has none, which makes every
/// signature too far in the future.
pub(crate) fn now() -> Timestamp {
    let since_epoch = hostcalls::get_current_time()
        .ok()
        .and_then(|now| now.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    Timestamp::from_unix_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// Deliveries that one call to the host brings random bits for.
const DELIVERIES: usize = 32;

thread_local! {
    /// Random bits that no delivery has had. A module's statics are its VM's.
    static UNUSED: RefCell<Vec<[u8; 32]>> = const { RefCell::new(Vec::new()) };
}

/// Returns fresh random bits; `None` if the host has none.
pub(crate) fn entropy() -> Option<Entropy> {
    UNUSED.with_borrow_mut(|unused| {
        if unused.is_empty() {
            let mut bits = [[0; 32]; DELIVERIES];
            getrandom::fill(bits.as_flattened_mut()).ok()?;
            unused.extend(bits);
        }
        unused.pop().map(Entropy)
    })
}

/// Returns a fresh random number; `None` if the host has none.
pub(crate) fn token() -> Option<u64> {
    getrandom::u64().ok()
}

/// Returns the peer's address: the one that Envoy trusts, so behind proxies
/// what `xff_num_trusted_hops` makes of X-Forwarded-For.
pub(crate) fn source_address() -> Option<IpAddr> {
    let address = hostcalls::get_property(vec!["source", "address"]).ok()??;
    let address: SocketAddr = str::from_utf8(&address).ok()?.parse().ok()?;
    Some(address.ip())
}

/// Keeps tables in Envoy's shared data, one key for each bucket.
pub(crate) struct SharedData;

impl SharedData {
    /// The digit is the version of the buckets' formats: buckets of another
    /// version, which no reload deletes, are never read.
    fn key(at: Address) -> String {
        format!("hookgate1.{at}")
    }
}

impl SharedStore for SharedData {
    fn load(&mut self, at: Address) -> Result<(Bytes, Version), StoreError> {
        let (bytes, version) =
            hostcalls::get_shared_data(&Self::key(at)).map_err(|_| StoreError::Failed)?;
        let version = version.map_or(Version::Absent, Version::Is);
        Ok((bytes.unwrap_or_default(), version))
    }

    fn store(&mut self, at: Address, bytes: &[u8], version: Version) -> Result<(), StoreError> {
        let version = match version {
            Version::Absent => NEVER_A_VERSION,
            Version::Is(version) => version,
        };
        hostcalls::set_shared_data(&Self::key(at), Some(bytes), Some(version)).map_err(|status| {
            match status {
                Status::CasMismatch => StoreError::Conflict,
                _ => StoreError::Failed,
            }
        })
    }
}
