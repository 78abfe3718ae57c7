//! The way to a broker of Kafka, which can be cut and can lose an answer.

use std::{
    collections::BTreeSet,
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The number of a produce request in Kafka's protocol.
const PRODUCE: [u8; 2] = [0, 0];

/// Passes requests on to a broker, and its answers back.
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    broker: SocketAddr,
    cut: AtomicBool,
    loses: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Link {
    /// Opens a way to an address of this machine.
    pub(crate) fn to(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            broker,
            cut: AtomicBool::new(false),
            loses: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming() {
                // Nobody learns of a connection that fails.
                let _ = State::connect(&shared, client.unwrap());
            }
        });
        Self { address, state }
    }

    /// Closes every connection, and takes none until it is mended.
    pub(crate) fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
    }

    /// Closes the connection in place of the next answer to a produce request.
    pub(crate) fn lose_a_confirmation(&self) {
        self.state.loses.store(true, Ordering::SeqCst);
    }

    /// Whether it was lost.
    pub(crate) fn has_lost_it(&self) -> bool {
        !self.state.loses.load(Ordering::SeqCst)
    }
}

impl State {
    fn connect(state: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        if state.cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        let broker = TcpStream::connect(state.broker)?;
        for stream in [&client, &broker] {
            stream.set_nodelay(true)?;
            state.open.lock().unwrap().push(stream.try_clone()?);
        }
        let produced = Arc::new(Mutex::new(BTreeSet::new()));
        let (sent, asked) = (client.try_clone()?, broker.try_clone()?);
        let numbers = Arc::clone(&produced);
        thread::spawn(move || {
            pass(sent, asked, |frame| {
                if frame.starts_with(&PRODUCE) {
                    numbers.lock().unwrap().insert(frame[4..8].to_vec());
                }
                true
            });
        });
        let state = Arc::clone(state);
        thread::spawn(move || {
            pass(broker, client, |frame| {
                let confirms = produced.lock().unwrap().remove(&frame[..4]);
                !(confirms && state.loses.swap(false, Ordering::SeqCst))
            });
        });
        Ok(())
    }
}

/// Passes frames on until one is kept back, or a connection ends.
fn pass(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut next = || -> io::Result<bool> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut frame)?;
        if !passes(&frame) {
            return Ok(false);
        }
        to.write_all(&length)?;
        to.write_all(&frame)?;
        Ok(true)
    };
    while next().is_ok_and(|passed| passed) {}
    for stream in [&from, &to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
