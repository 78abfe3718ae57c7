//! The kinds of findings: stable names, how bad each is, and why it matters.

/// Says how bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check) enum Severity {
    /// The door is open, closed for good, or loses events.
    Error,
    /// It works until something happens that will happen.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// Returns its name.
    pub(in crate::check) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Lists the kinds: one row each.
macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $why:literal)+) => {
        /// Says what kind of thing was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(in crate::check) enum Code {
            $(#[doc = $why] $variant,)+
        }

        impl Code {
            /// Returns its stable name.
            pub(in crate::check) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns how bad it is.
            pub(in crate::check) const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// Returns in one sentence why it matters.
            pub(in crate::check) const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)+ }
            }
        }
    };
}

impl Code {
    /// Tells whether this is why a file has no gate that can be used.
    pub(in crate::check) const fn prevents_a_gate(self) -> bool {
        matches!(
            self,
            Self::Syntax
                | Self::GateMissing
                | Self::PluginConfig
                | Self::ConfigMissing
                | Self::ConfigNotString
        )
    }
}

codes! {
    Syntax "syntax" Error
        "Envoy does not start with a file that it can't read."
    FieldTwice "field_twice" Error
        "Envoy takes both spellings of a field's name; which of two counts is anybody's guess."
    GateMissing "gate_missing" Error
        "Without the filter every request passes unverified."
    PluginConfig "plugin_config" Error
        "A configuration is refused whole: at a start Envoy ends, at an update the old one stays."
    ConfigMissing "config_missing" Error
        "Without its configuration the plugin refuses to start, and Envoy ends."
    ConfigNotString "config_not_string" Error
        "Anything but a StringValue reaches the plugin as protobuf bytes, which are no JSON."
    StopIteration "stop_iteration" Error
        "Without it Envoy does not let the plugin hold the headers until the payload is verified."
    FailOpen "fail_open" Error
        "When the plugin fails, requests would pass unverified."
    FailurePolicy "failure_policy" Warning
        "By default one trap closes the gate on its worker until Envoy is restarted."
    CapabilitiesOpen "capabilities_open" Warning
        "A module that isn't what it should be could call whatever Envoy offers: other clusters, foreign functions, files."
    CapabilityMissing "capability_missing" Error
        "What the gate may not call fails: it closes, or Envoy doesn't start."
    CapabilityUnneeded "capability_unneeded" Info
        "What the gate never calls only helps a module that isn't what it should be."
    VmIdMissing "vm_id_missing" Error
        "The VM ID names the shared data: with an empty one any plugin of that kind can write the gate's table."
    VmIdShared "vm_id_shared" Error
        "A plugin of the same VM ID reads and writes the gate's table: it can make events look stored."
    SecretInClear "secret_in_clear" Error
        "Whoever reads the file or Envoy's config_dump could sign events of their own."
    EnvNotPassed "env_not_passed" Error
        "The plugin sees no variable that is not listed, so the endpoint answers 503."
    KeyringNotSet "keyring_not_set" Error
        "No filter puts the secrets where the gate looks, so its endpoints answer 503."
    KeyringSetLate "keyring_set_late" Error
        "Filters run in order: the gate looks before the secrets are there and answers 503."
    KeyringSetTwice "keyring_set_twice" Error
        "Only one of them counts, and not always the last: other secrets verify than it seems."
    KeyringFromRequest "keyring_from_request" Error
        "Whoever sends the request then chooses the secrets, and so signs whatever it likes."
    KeyringShown "keyring_shown" Error
        "Whoever reads that, a log, a header or a span, could sign events of their own."
    FileNotWatched "file_not_watched" Error
        "Without a watched directory Envoy misses files that are renamed into place, so a rotation is not seen."
    KeyringClusterMissing "keyring_cluster_missing" Error
        "The secrets can't be fetched, so the endpoints that use them answer 503."
    KeyringClusterTls "keyring_cluster_tls" Error
        "Signing secrets would cross the network in clear."
    KeyringClusterUnverified "keyring_cluster_unverified" Error
        "Envoy checks no certificate unless told what to trust: whoever answers in the store's place chooses the secrets."
    KeyringClusterName "keyring_cluster_name" Warning
        "Whoever has any certificate of that authority could answer in the store's place, and choose the secrets."
    KeyringCredential "keyring_credential" Warning
        "A secret store that hands out signing secrets without a credential hands them to anybody."
    WatchClusterMissing "watch_cluster_missing" Error
        "Nobody is told what the gate sees, and what it has learnt is gone at its next restart."
    RequestHeadersTimeout "request_headers_timeout" Error
        "It is off by default: whoever sends headers slowly holds a connection for ever."
    RequestTimeout "request_timeout" Error
        "It is off by default: whoever sends a body slowly holds memory for ever."
    StreamIdleTimeout "stream_idle_timeout" Error
        "A stream on which nothing moves holds memory; the default of 5 minutes is for long polls."
    PathNormalization "path_normalization" Error
        "The gate and the routes could take one path for two, or two for one."
    EscapedSlashes "escaped_slashes" Error
        "`%2F` and `/` are one path to some parsers and two to others: what the gate lets by, the upstream may take."
    UnderscoreHeaders "underscore_headers" Error
        "`ce_id` and `ce-id` are one header to many frameworks: a sender could overwrite what the gate says."
    RemoteAddress "remote_address" Error
        "Without it a sender's own X-Forwarded-For is taken for its address, by quotas, ranges and logs."
    ProxyProtocol "proxy_protocol" Warning
        "Quotas, ranges and logs go by that address: a sender could be anybody, or a new one each time."
    TrustedHops "trusted_hops" Info
        "Quotas and ranges judge the address that Envoy takes for the sender's."
    AdminOpen "admin_open" Error
        "The admin interface has no password: it shows the configuration and can stop Envoy."
    OverloadManager "overload_manager" Warning
        "Without bounds on memory and connections a flood ends Envoy instead of being refused."
    LocalReply "local_reply" Info
        "Envoy's own 408, 413 and 503 have another form than the gate's answers."
    FilterBefore "filter_before" Warning
        "What runs before the gate sees unverified requests, and what it changes can't be verified any more."
    RouteMissing "route_missing" Error
        "A verified event of this endpoint has nowhere to go and is answered 404."
    RouteRewrite "route_rewrite" Error
        "The upstream takes events at one path, and answers 404 at every other."
    RouteWithoutEndpoint "route_without_endpoint" Warning
        "The gate answers 404 before the route is used."
    UnknownPathsPass "unknown_paths_pass" Warning
        "Requests on every other path reach their routes unverified."
    BufferLimit "buffer_limit" Error
        "The gate holds a payload until it is verified: above Envoy's limit, events are refused with 413."
    RouteTimeout "route_timeout" Error
        "An answer that comes after the lease may find the same event forwarded a second time."
    RouteRetries "route_retries" Warning
        "A try that outlives the lease can meet the sender's own retry at the upstream."
    GateDisabled "gate_disabled" Error
        "Requests of this route pass unverified."
    WayAround "way_around" Error
        "Requests that take it reach the upstream unverified."
    RouteForName "route_for_name" Error
        "Events that the policy sends to this route go to the endpoint's common one instead."
    UpstreamTls "upstream_tls" Warning
        "Payloads and signatures cross the network in clear, and nobody proves to be the upstream."
    UpstreamUnverified "upstream_unverified" Warning
        "Envoy checks no certificate unless told what to trust: anybody on the way could be the upstream."
    GateToken "gate_token" Warning
        "Whoever reaches the upstream can bring it what a sender has signed, past quotas, policy and the gate's memory."
    SharedSource "shared_source" Warning
        "One event ID on both endpoints is one event: whoever holds either secret can make the other's event a duplicate."
    ToleranceRaised "tolerance_raised" Info
        "A captured request can be sent again for as long as the tolerance; the sender's libraries allow 300 s."
    UpstreamConfig "upstream_config" Error
        "`hookgate serve` refuses to start with this file."
    LogIncapable "log_incapable" Error
        "Not every log can do everything: `hookgate serve` would refuse to start."
    HeldByNobody "held_by_nobody" Warning
        "What a stranger signs reaches whoever reads the log, a person or not."
    DestinationInClear "destination_in_clear" Warning
        "Whoever is on the way reads the payloads; a signature doesn't hide them."
    DeliveriesUnsigned "deliveries_unsigned" Warning
        "The destination can't tell our deliveries from anybody's who reaches it."
    KeepTooShort "keep_too_short" Warning
        "An event that retention removes is delivered no more."
    NotChecked "not_checked" Info
        "What another server configures can't be seen here."
}
