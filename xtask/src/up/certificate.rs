//! A certificate for the TLS listener, for this machine only.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The files of a development certificate.
#[derive(Debug)]
pub(crate) struct DevCertificate {
    /// The authority that a client has to trust.
    pub(crate) authority: PathBuf,
    /// The server's certificate.
    pub(crate) certificate: PathBuf,
    /// The server's private key.
    pub(crate) key: PathBuf,
}

impl DevCertificate {
    /// Returns the certificate in `folder`, made at the first call and the same ever after.
    ///
    /// # Errors
    /// If the folder can't be written.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self> {
        let files = Self {
            authority: folder.join("ca.crt"),
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
        };
        let complete = [&files.authority, &files.certificate, &files.key]
            .into_iter()
            .all(|file| file.is_file());
        if !complete {
            fs::create_dir_all(folder)?;
            files.make()?;
        }
        Ok(files)
    }

    /// The authority's key is dropped with its one signature made: who trusts this
    /// authority trusts this one certificate and nothing that could come after it.
    fn make(&self) -> Result<()> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority
            .distinguished_name
            .push(DnType::CommonName, "Hookgate development authority");
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut server = CertificateParams::new(names)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server
            .distinguished_name
            .push(DnType::CommonName, "Hookgate development");
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;

        fs::write(&self.authority, authority_certificate.pem())?;
        fs::write(&self.certificate, server_certificate.pem())?;
        write_private(&self.key, &server_key.serialize_pem())
    }
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keeps_the_certificate_it_made() {
        let folder = tempfile::tempdir().unwrap();
        let first = DevCertificate::in_folder(folder.path()).unwrap();
        let pem = fs::read_to_string(&first.certificate).unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
        let second = DevCertificate::in_folder(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(second.certificate).unwrap(), pem);
    }

    #[test]
    fn lets_only_its_owner_read_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let files = DevCertificate::in_folder(folder.path()).unwrap();
        let mode = fs::metadata(files.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
