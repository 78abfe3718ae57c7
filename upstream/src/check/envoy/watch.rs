//! Whom the gate's watch asks and tells.

use hookgate_core::config::Config;

use super::{cluster, door::Door};
use crate::check::finding::{Code, Findings};

/// Checks that the clusters are there: a call to another fails, and says so in the
/// statistics alone.
pub(super) fn check(door: &Door<'_>, config: &Config, findings: &mut Findings) {
    let Some(watch) = &config.watch else {
        return;
    };
    let upstream = watch.upstream.as_ref();
    let alert = watch.alert.as_ref();
    for (field, name) in [
        ("upstream", upstream.map(|it| &it.cluster)),
        ("alert", alert.map(|it| &it.cluster)),
    ] {
        if let Some(name) = name
            && cluster::find(door.root, name).is_none()
        {
            findings.add(
                Code::WatchClusterMissing,
                door.gate.at,
                &format!("`watch.{field}` names the cluster `{name}`, which is not in this file"),
                &format!("add the cluster `{name}` to `static_resources.clusters`"),
            );
        }
    }
}
