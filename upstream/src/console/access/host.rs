//! Names that the console may be asked for by.
//!
//! A page of another site can point its own name at this machine's address (DNS
//! rebinding) and would then be of one origin with us. It can't change the name
//! that the browser sends.

use std::net::IpAddr;

/// Holds the names.
#[derive(Debug, Clone)]
pub(in crate::console) struct Hosts {
    names: Vec<String>,
    address: IpAddr,
}

impl Hosts {
    /// Takes the configured names; `address` is where it listens.
    pub(in crate::console) const fn new(names: Vec<String>, address: IpAddr) -> Self {
        Self { names, address }
    }

    /// Tells whether a value of `Host` (RFC 9110, section 7.2) is one of ours,
    /// whatever its port.
    pub(in crate::console) fn allow(&self, host: &[u8]) -> bool {
        let Some(name) = std::str::from_utf8(host).ok().and_then(without_port) else {
            return false;
        };
        let name = name.to_ascii_lowercase();
        if self.names.contains(&name) || name == "localhost" {
            return true;
        }
        let address = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        // An address resolves to nothing else, so that nobody can rebind it.
        let address: Option<IpAddr> = address.unwrap_or(&name).parse().ok();
        address.is_some_and(|it| {
            it.is_loopback() || it == self.address && !self.address.is_unspecified()
        })
    }

    /// Tells whether names were configured, which only a proxy or others use.
    pub(in crate::console) const fn are_configured(&self) -> bool {
        !self.names.is_empty()
    }

    /// Tells whether a value of `Host` is a name of this machine for itself:
    /// browsers don't ask for TLS there.
    pub(in crate::console) fn is_local(host: &[u8]) -> bool {
        let none = Self::new(Vec::new(), IpAddr::from([127, 0, 0, 1]));
        none.allow(host)
    }
}

fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rsplit_once(':') {
        // Of an IPv6 address without a port.
        Some(_) if host.ends_with(']') => (host, ""),
        Some((name, port)) => (name, port),
        None => (host, ""),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_port && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    #[test]
    fn allows_this_machine_and_what_is_configured() {
        let hosts = Hosts::new(vec!["console.example.com".to_owned()], [10, 0, 0, 1].into());
        for host in [
            "localhost",
            "LOCALHOST:9464",
            "127.0.0.1:1",
            "127.8.9.1",
            "[::1]:9464",
            "[::1]",
            "10.0.0.1:9464",
            "console.example.com",
            "Console.Example.com:443",
        ] {
            assert!(hosts.allow(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "console.example.com.evil.example",
            "xconsole.example.com",
            "console.example.com.",
            "localhost.evil.example",
            "localhost:80:80",
            "127.0.0.1.evil.example",
            "127.0.0.1:evil",
            "evil@localhost",
            "localhost/evil",
            "10.0.0.2",
            "0.0.0.0",
            "::1",
        ] {
            assert!(!hosts.allow(host.as_bytes()), "{host}");
        }
        assert!(!hosts.allow(b"\xff"));
        let everywhere = Hosts::new(Vec::new(), [0, 0, 0, 0].into());
        assert!(!everywhere.allow(b"0.0.0.0:9464"));
    }
}
