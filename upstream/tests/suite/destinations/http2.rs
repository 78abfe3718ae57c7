//! A destination that speaks HTTP/2, where all attempts share a connection.

use std::{
    convert::Infallible,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use hyper::{Response, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::{
    Place, append, destination,
    http::{authority, certified, listen},
};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    harness::until,
};

/// A server that answers 204 over HTTP/2 and over nothing else.
struct Http2 {
    address: SocketAddr,
    got: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Http2 {
    fn start(mut config: rustls::ServerConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&got);
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.unwrap();
                    let answer = service_fn(|_| {
                        counter.fetch_add(1, Ordering::SeqCst);
                        let answer = Response::builder().status(204).body(String::new());
                        async { Ok::<_, Infallible>(answer.unwrap()) }
                    });
                    // How it ends is the client's.
                    let _ = http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        Self {
            address,
            got,
            _runtime: runtime,
        }
    }

    fn until_got(&self, events: usize) {
        until("every event is delivered", || {
            (self.got.load(Ordering::SeqCst) >= events).then_some(())
        });
    }
}

/// A way to a server on which every connection can die without a word, as
/// behind a firewall that forgot it: what is sent is taken, and nothing comes.
struct Way {
    address: SocketAddr,
    open: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

impl Way {
    /// Only the first connection can die.
    fn to(server: SocketAddr) -> Self {
        let open = Arc::new(AtomicBool::new(true));
        let connections = Arc::new(AtomicUsize::new(0));
        let (first, count) = (Arc::clone(&open), Arc::clone(&connections));
        let address = listen(move |client| {
            let open = match count.fetch_add(1, Ordering::SeqCst) {
                0 => Arc::clone(&first),
                _ => Arc::new(AtomicBool::new(true)),
            };
            let server = TcpStream::connect(server).unwrap();
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let flag = Arc::clone(&open);
            thread::spawn(move || pass(back.0, back.1, &flag));
            pass(client, server, &open);
        });
        Self {
            address,
            open,
            connections,
        }
    }
}

/// Takes everything, and passes it on for as long as the way is open.
fn pass(mut from: TcpStream, mut to: TcpStream, open: &AtomicBool) {
    let mut buffer = [0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if open.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}

#[test]
fn a_connection_that_died_without_a_word_is_left_for_a_new_one() {
    let authority = authority();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    fs::write(&ca_file, authority.pem()).unwrap();
    let server = Http2::start(certified(&authority, "localhost"));
    let way = Way::to(server.address);
    let url = format!("https://localhost:{}/", way.address.port());
    let more = format!("ca_file = \"{}\"\ntimeout = \"1s\"", ca_file.display());
    let backend = Sqlite::new();
    let place = Place::new(&backend.address(), &destination("orders", &url, &more));
    let upstream = place.start();
    append(&upstream, 1);
    server.until_got(1);
    way.open.store(false, Ordering::SeqCst);
    for number in 1..=4 {
        let later = Delivery::new(&format!("evt_later_{number}"));
        assert_eq!(later.send(&upstream).outcome().1, "stored");
    }
    server.until_got(5);
    assert!(way.connections.load(Ordering::SeqCst) > 1);
}
