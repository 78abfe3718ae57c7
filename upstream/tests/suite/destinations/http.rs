//! What only an HTTP destination can do to us.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Place, append, destination, parked};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    harness::{PATIENCE, Server, hookgate, until},
    receiver::{Reaction, Receiver, request},
};

/// Serves each connection by a function.
pub(super) fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

/// Reads a request and says how it goes on; the rest is the test's.
fn answer(mut stream: TcpStream, head: &str) -> Option<TcpStream> {
    request(&mut stream)?;
    stream.write_all(head.as_bytes()).ok()?;
    Some(stream)
}

fn start(place: &Place, variables: &[(&str, &str)]) -> Server {
    let mut command = hookgate();
    command
        .args(["serve", "--log", &place.log, "--config"])
        .arg(place.folder.path().join("hookgate.toml"))
        .envs(variables.iter().copied());
    Server::spawn(command)
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let backend = Sqlite::new();
    let elsewhere = Receiver::start(|_, _| Reaction::Status(200));
    let head = format!(
        "HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url()
    );
    let redirecting = listen(move |stream| drop(answer(stream, &head)));
    let url = format!("http://{redirecting}/");
    let place = Place::new(&backend.address(), &destination("orders", &url, ""));
    let server = place.start();
    append(&server, 1);
    let parked = until("it is parked", || parked(&place).pop());
    assert_eq!(parked["status"], 307);
    assert_eq!(parked["reason"], "refused");
    assert_eq!(elsewhere.got().len(), 0);
}

#[test]
fn a_proxy_is_used_if_the_configuration_says_so_and_no_other() {
    let backend = Sqlite::new();
    let [direct, proxy, of_environment] =
        [(); 3].map(|()| Receiver::start(|_, _| Reaction::Status(200)));
    let variables = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"];
    let url = of_environment.url();
    let variables = variables.map(|name| (name, url.as_str()));
    let through = format!("proxy = \"http://{}\"", proxy.address);
    let place = Place::new(
        &backend.address(),
        // No resolver knows that name.
        &(destination("direct", &direct.url(), "")
            + &destination("proxied", "http://orders.invalid/hook", &through)
            + &destination(
                "asked",
                "http://orders.invalid/hook",
                "proxy = {env = \"ALL_PROXY\"}",
            )),
    );
    let server = start(&place, &variables);
    append(&server, 1);
    assert_eq!(direct.until_got(1)[0].line, "POST /hook HTTP/1.1");
    let proxied = proxy.until_got(1).remove(0);
    assert_eq!(proxied.line, "POST http://orders.invalid/hook HTTP/1.1");
    // Here the configuration names the variable.
    assert_eq!(of_environment.until_got(1)[0].line, proxied.line);
    assert_eq!(direct.got().len(), 1);
    assert_eq!(of_environment.got().len(), 1);
}

#[test]
fn who_never_takes_a_connection_is_left_for_the_secondary_in_time() {
    let backend = Sqlite::new();
    // Linux drops what is more than the queue: whoever connects then waits.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    let secondary = Receiver::start(|_, _| Reaction::Status(200));
    let more = format!("timeout = \"1s\"\nsecondary = \"{}\"", secondary.url());
    let url = format!("http://{address}/");
    let place = Place::new(&backend.address(), &destination("orders", &url, &more));
    let server = place.start();
    let start = Instant::now();
    append(&server, 1);
    let got = secondary.until_got(1);
    assert_eq!(got[0].attempt(), 2);
    let waited = start.elapsed();
    // Without its own time-out it would be given five seconds.
    assert!(waited < Duration::from_millis(4_500), "{waited:?}");
}

#[test]
fn who_never_speaks_tls_is_left_for_the_secondary_in_time() {
    let backend = Sqlite::new();
    let silent = listen(|mut stream| {
        // Reads until the other side gives up.
        while stream.read(&mut [0; 1_024]).is_ok_and(|count| count > 0) {}
    });
    let secondary = Receiver::start(|_, _| Reaction::Status(200));
    let more = format!("timeout = \"1s\"\nsecondary = \"{}\"", secondary.url());
    let url = format!("https://{silent}/");
    let place = Place::new(&backend.address(), &destination("orders", &url, &more));
    let server = place.start();
    let start = Instant::now();
    append(&server, 1);
    assert_eq!(secondary.until_got(1)[0].attempt(), 2);
    let waited = start.elapsed();
    // Without its own time-out it would be given five seconds.
    assert!(waited < Duration::from_millis(4_500), "{waited:?}");
}

#[test]
fn an_https_destination_is_reached_through_a_tunnel_of_the_proxy() {
    let backend = Sqlite::new();
    let (sender, asked) = std::sync::mpsc::channel();
    let proxy = listen(move |stream| {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        let _ = sender.send(line);
    });
    let more = format!("proxy = \"http://{proxy}\"");
    let text = destination("orders", "https://orders.invalid/hook", &more);
    let place = Place::new(&backend.address(), &text);
    let server = place.start();
    append(&server, 1);
    let line = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(line, "CONNECT orders.invalid:443 HTTP/1.1\r\n");
}

#[test]
fn who_answers_nobody_is_left_for_the_secondary() {
    let backend = Sqlite::new();
    let silent = listen(|mut stream| {
        // Reads until the other side gives up.
        while request(&mut stream).is_some() {}
    });
    let secondary = Receiver::start(|_, _| Reaction::Status(200));
    let more = format!("timeout = \"200ms\"\nsecondary = \"{}\"", secondary.url());
    let url = format!("http://{silent}/");
    let place = Place::new(&backend.address(), &destination("orders", &url, &more));
    let server = place.start();
    // Alone, so that each time it is this one that probes the primary.
    append(&server, 1);
    let got = secondary.until_got(1);
    // After five attempts of the primary, in which it may have been taken.
    assert_eq!(got[0].attempt(), 6);
}

/// Receivers that go on for ever, each in its way.
#[test]
fn endless_answers_cost_neither_memory_nor_time() {
    fn pour(mut stream: TcpStream, what: &[u8]) {
        while stream.write_all(what).is_ok() {}
    }
    let body = listen(|stream| {
        let head = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        if let Some(stream) = answer(stream, head) {
            pour(stream, chunk.as_bytes());
        }
    });
    let headers = listen(|stream| {
        if let Some(stream) = answer(stream, "HTTP/1.1 200 X\r\n") {
            pour(
                stream,
                format!("x-more: {}\r\n", "x".repeat(8_000)).as_bytes(),
            );
        }
    });
    // A byte a while: no pause is long enough to be noticed.
    let drops = listen(|stream| {
        if let Some(mut stream) = answer(stream, "HTTP/1.1 200 X\r\n") {
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        }
    });
    let backend = Sqlite::new();
    let text: String = [("body", body), ("headers", headers), ("drops", drops)]
        .map(|(name, address)| {
            let url = format!("http://{address}/");
            destination(name, &url, "timeout = \"2s\"") + "attempts = 2\njitter = 0.0\n"
        })
        .concat();
    let place = Place::new(&backend.address(), &text);
    let server = place.start();
    let before = server.peak_kib();
    // Fewer than would open a breaker.
    append(&server, 2);
    // Its status says that the first one has them.
    let delivered =
        r#"hookgate_attempts_total{destination="body",via="primary",outcome="delivered"}"#;
    until("all is delivered or given up", || {
        let is_delivered = server.scrape().value(delivered) == Some(2.0);
        (is_delivered && parked(&place).len() == 4).then_some(())
    });
    let grown = server.peak_kib().saturating_sub(before);
    assert!(grown < 32 * 1_024, "{grown} KiB");
    for event in parked(&place) {
        assert_eq!(event["reason"], "exhausted", "{event}");
    }
}

#[test]
fn an_answer_whose_body_never_comes_is_one() {
    let backend = Sqlite::new();
    let count = Arc::new(AtomicUsize::new(0));
    let requests = Arc::clone(&count);
    let address = listen(move |stream| {
        requests.fetch_add(1, Ordering::Relaxed);
        let head = "HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\n";
        if let Some(mut stream) = answer(stream, head) {
            // Until the other side gives up.
            let _ = stream.read(&mut [0]);
        }
    });
    let url = format!("http://{address}/");
    let more = "timeout = \"3s\"";
    let place = Place::new(&backend.address(), &destination("orders", &url, more));
    let server = place.start();
    append(&server, 1);
    let delivered =
        r#"hookgate_attempts_total{destination="orders",via="primary",outcome="delivered"}"#;
    until("it is delivered", || {
        (server.scrape().value(delivered) == Some(1.0)).then_some(())
    });
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_long_answer_is_no_reason_to_connect_again() {
    let backend = Sqlite::new();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = listen(move |mut stream| {
        count.fetch_add(1, Ordering::Relaxed);
        let page = "x".repeat(40_000);
        while request(&mut stream).is_some() {
            let head = "HTTP/1.1 200 X\r\ncontent-length: 40000\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(page.as_bytes()).unwrap();
        }
    });
    let url = format!("http://{address}/");
    let more = "concurrency = 1";
    let place = Place::new(&backend.address(), &destination("orders", &url, more));
    let server = place.start();
    let delivered =
        r#"hookgate_attempts_total{destination="orders",via="primary",outcome="delivered"}"#;
    for number in 1..=20_u8 {
        let answer = Delivery::new(&format!("evt_{number}")).send(&server);
        assert_eq!(answer.outcome().1, "stored");
        until("it is delivered", || {
            (server.scrape().value(delivered) == Some(number.into())).then_some(())
        });
    }
    // Now and then the next event is quicker than the end of the last answer.
    let connections = connections.load(Ordering::Relaxed);
    assert!(connections <= 10, "{connections}");
}

/// An authority of the test's own.
pub(super) fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// How a server for a name shows that the authority knows it.
pub(super) fn certified(
    authority: &CertifiedIssuer<'_, KeyPair>,
    name: &str,
) -> rustls::ServerConfig {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

/// An HTTPS destination for a name; returns its address and how many requests
/// it read.
fn https(authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let config = Arc::new(certified(authority, name));
    let got = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&got);
    let address = listen(move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        while request(&mut stream).is_some() {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(b"HTTP/1.1 204 X\r\n\r\n");
        }
    });
    (address, got)
}

/// What the destination `orders` gave as the reason of its last failure.
fn reason(place: &Place) -> String {
    let parked = until("it is given up", || parked(place).pop());
    parked["answer"].as_str().unwrap().to_owned()
}

fn trusting(path: &Path, url: &str) -> String {
    let more = format!("ca_file = \"{}\"", path.display());
    destination("orders", url, &more) + "attempts = 1\n"
}

#[test]
fn an_https_destination_shows_a_certificate_of_an_authority_that_is_trusted() {
    let authority = authority();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    fs::write(&ca_file, authority.pem()).unwrap();
    let (address, got) = https(&authority, "localhost");
    let url = format!("https://localhost:{}/", address.port());

    let backend = Sqlite::new();
    let place = Place::new(&backend.address(), &trusting(&ca_file, &url));
    let server = place.start();
    append(&server, 1);
    until("it is delivered", || {
        (got.load(Ordering::Relaxed) == 1).then_some(())
    });

    // Of another name.
    let (other, not_got) = https(&authority, "orders.invalid");
    let url = format!("https://localhost:{}/", other.port());
    let backend = Sqlite::new();
    let place = Place::new(&backend.address(), &trusting(&ca_file, &url));
    let server = place.start();
    append(&server, 1);
    assert!(
        reason(&place).contains("certificate not valid for name"),
        "{}",
        reason(&place)
    );
    assert_eq!(not_got.load(Ordering::Relaxed), 0);
    drop(server);

    // Of nobody whom this machine trusts.
    let backend = Sqlite::new();
    let url = format!("https://localhost:{}/", address.port());
    let text = destination("orders", &url, "") + "attempts = 1\n";
    let place = Place::new(&backend.address(), &text);
    let server = place.start();
    append(&server, 1);
    assert!(reason(&place).contains("certificate"), "{}", reason(&place));
    assert_eq!(got.load(Ordering::Relaxed), 1);
}

#[test]
fn a_file_without_certificates_is_refused_at_the_start() {
    let backend = Sqlite::new();
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (path, expected) in [
        (empty.as_path(), "found no certificate in"),
        (Path::new("/nowhere/ca.pem"), "can't read `/nowhere/ca.pem`"),
    ] {
        let place = Place::new(
            &backend.address(),
            &trusting(path, "https://orders.invalid/"),
        );
        let config = place.folder.path().join("hookgate.toml");
        let options = ["--config", config.to_str().unwrap()];
        let message = crate::harness::refusal(&place.log, &options);
        assert!(
            message.contains("destination `orders`, ca_file: "),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
}

/// As in a container image without `ca-certificates`.
#[test]
fn a_machine_without_authorities_delivers_all_the_same() {
    let nothing = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let (address, got) = https(&authority(), "localhost");
    let plain = Receiver::start(|_, _| Reaction::Status(200));
    let backend = Sqlite::new();
    let place = Place::new(&backend.address(), &destination("plain", &plain.url(), ""));
    let server = start(&place, &nothing);
    append(&server, 1);
    plain.until_got(1);
    assert!(
        !server.stderr().contains("authorities"),
        "{}",
        server.stderr()
    );
    drop(server);

    // Mozilla's, which aren't the test's.
    let url = format!("https://localhost:{}/", address.port());
    let backend = Sqlite::new();
    let text = destination("orders", &url, "") + "attempts = 1\n";
    let place = Place::new(&backend.address(), &text);
    let server = start(&place, &nothing);
    assert!(
        server.stderr().contains("ca-certificates"),
        "{}",
        server.stderr()
    );
    append(&server, 1);
    assert!(
        reason(&place).contains("UnknownIssuer"),
        "{}",
        reason(&place)
    );
    assert_eq!(got.load(Ordering::Relaxed), 0);
}
