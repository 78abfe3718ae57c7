//! Drives the shipped module, in the shipped configuration, in a real Envoy.
//!
//! Every test starts what it needs and nothing else: its own Envoy ([`envoy`]),
//! a real `hookgate serve` ([`upstream`]) on SQLite or on its own nats-server
//! ([`nats`]), or, where a fault has to be scripted, an upstream that answers
//! by script ([`script`]). Deliveries come from [`client`] or, byte by byte,
//! from [`raw`]; what happened is read from the answers, from the log
//! ([`log`]), and from Envoy's admin ([`admin`]).
//!
//! Ports are picked by the system, those of servers that are killed and come back
//! at addresses of their own ([`loopback`]), files live in a temporary folder, and every
//! process is killed by its id when its owner is dropped, so all tests may run
//! side by side. What a machine lacks fails with the line that installs it.

pub mod admin;
pub mod artefact;
pub mod blocks;
pub mod bootstrap;
pub mod client;
pub mod clock;
pub mod consumer;
pub mod corpus;
pub mod envoy;
pub mod event;
pub mod frames;
pub mod gate_token;
pub mod keeper;
pub mod keyring;
pub mod load;
pub mod log;
pub mod loopback;
pub mod measure;
pub mod nats;
pub mod otlp;
pub mod payload;
pub mod process;
pub mod prometheus;
pub mod promql;
pub mod raw;
pub mod redis;
pub mod rls;
pub mod script;
pub mod sdk;
pub mod sink;
pub mod upstream;
pub mod vault;
pub mod vector;
pub mod wait;
