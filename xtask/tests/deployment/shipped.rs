//! What `envoy.yaml` wants to find where it runs.

use anyhow::{Context, Result};

use crate::read;

/// The paths and ports of the shipped configuration.
#[derive(Debug)]
pub(crate) struct Shipped {
    /// The keyring file.
    pub(crate) keyring: String,
    /// The folder that is watched for it.
    pub(crate) watched: String,
    /// The folder of the gate token, which is watched too.
    pub(crate) gate_token: String,
    /// The folder of the certificate.
    pub(crate) certificate: String,
    text: String,
}

impl Shipped {
    /// Reads the file.
    ///
    /// # Errors
    /// If it doesn't name what it has to.
    pub(crate) fn read() -> Result<Self> {
        let text = read("envoy/envoy.yaml")?;
        let between = |start: &str, end: &str| {
            let (_, rest) = text.split_once(start)?;
            Some(rest.split_once(end)?.0.to_owned())
        };
        let watch = between("%FILE_CONTENT(", ")%").context("a watched file")?;
        let (keyring, watched) = watch.split_once(':').context("a watched folder")?;
        let gate_token = between("watched_directory: {path: ", "}").context("a gate token")?;
        let certificate = between("certificate_chain: {filename: ", "/tls.crt}");
        Ok(Self {
            keyring: keyring.to_owned(),
            watched: watched.to_owned(),
            gate_token,
            certificate: certificate.context("a certificate")?,
            text,
        })
    }

    /// Checks that it has an address of this port on loopback.
    pub(crate) fn has_port(&self, port: u16) -> bool {
        let address = format!("{{address: 127.0.0.1, port_value: {port}}}");
        self.text.contains(&address)
    }
}
