//! The sender's side: deliveries over HTTP/1.1 and HTTP/2, and their answers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longer than any time-out of the door: who waits this long hangs.
const LIMIT: Duration = Duration::from_secs(60);

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// One HTTP request, as a sender would make it.
#[derive(Debug, Clone)]
pub struct Delivery {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
    unfinished: bool,
}

impl Delivery {
    /// Makes a POST of `body` to `path`.
    #[must_use]
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: body.into(),
            trailers: HeaderMap::new(),
            unfinished: false,
        }
    }

    /// Makes a PUT of `body` to `path`.
    #[must_use]
    pub fn put(path: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::PUT,
            ..Self::post(path, body)
        }
    }

    /// Makes a GET of `path`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            ..Self::post(path, Bytes::new())
        }
    }

    /// Adds a header; a name that is there already is sent twice.
    ///
    /// # Errors
    /// The name or the value can't be a header's.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self> {
        let name = HeaderName::try_from(name)?;
        self.headers
            .append(name, HeaderValue::from_bytes(value.as_ref())?);
        Ok(self)
    }

    /// Never ends the body once it is sent.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    /// Puts another body in the place of the one before.
    #[must_use]
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// Leaves a header out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Adds a trailer; over HTTP/1.1 the body is then chunked.
    ///
    /// # Errors
    /// The name or the value can't be a trailer's.
    pub fn trailer(mut self, name: &str, value: &str) -> Result<Self> {
        // hyper sends over HTTP/1.1 only trailers that were announced.
        self = self.header("trailer", name)?;
        self.trailers
            .append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        Ok(self)
    }

    fn into_request(self, authority: &str) -> Result<Request<Body>> {
        let mut request = Request::new(self.body());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().context("not a path")?;
        *request.headers_mut() = self.headers;
        request
            .headers_mut()
            .insert("host", HeaderValue::try_from(authority)?);
        Ok(request)
    }

    fn body(&self) -> Body {
        if self.trailers.is_empty() && !self.unfinished {
            return Full::new(self.body.clone()).boxed();
        }
        let (mut sender, body) = Channel::<Bytes, std::convert::Infallible>::new(2);
        let (data, trailers) = (self.body.clone(), self.trailers.clone());
        let unfinished = self.unfinished;
        tokio::spawn(async move {
            // A connection that ends early takes the rest of the body with it.
            if sender.send_data(data).await.is_ok() {
                if unfinished {
                    std::future::pending::<()>().await;
                }
                let _ = sender.send_trailers(trailers).await;
            }
        });
        body.boxed()
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body.
    pub body: Bytes,
}

impl Answer {
    /// Returns the problem's `code`, or the upstream's `status`; empty if the
    /// body has neither.
    #[must_use]
    pub fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        ["code", "status"]
            .iter()
            .find_map(|name| json.get(name)?.as_str())
            .unwrap_or_default()
            .to_owned()
    }

    /// Returns the log's sequence number, if the answer has one.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        let json: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        json.get("sequence")?.as_u64()
    }

    /// Returns a header's value as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// One HTTP/1.1 connection that is kept alive.
#[derive(Debug)]
pub struct Http1 {
    sender: http1::SendRequest<Body>,
    authority: String,
}

impl Http1 {
    /// Connects to `address`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(address).await?, address).await
    }

    /// Connects to `address` from `source`, one of this machine's addresses.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Result<Self> {
        Self::over(connect_from(source, address).await?, address).await
    }

    async fn over(stream: TcpStream, address: SocketAddr) -> Result<Self> {
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows at the next request.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            authority: address.to_string(),
        })
    }

    /// Sends `delivery` and waits for the whole answer.
    ///
    /// # Errors
    /// The connection ends without an answer, or none comes in a minute.
    pub async fn send(&mut self, delivery: Delivery) -> Result<Answer> {
        let request = delivery.into_request(&self.authority)?;
        let exchange = async {
            self.sender.ready().await?;
            answer(self.sender.send_request(request).await?).await
        };
        timeout(LIMIT, exchange).await.context("no answer")?
    }
}

/// One HTTP/2 connection without TLS (prior knowledge).
#[derive(Debug, Clone)]
pub struct Http2 {
    sender: http2::SendRequest<Body>,
    authority: String,
}

impl Http2 {
    /// Connects to `address`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            authority: address.to_string(),
        })
    }

    /// Sends `delivery` and waits for the whole answer.
    ///
    /// # Errors
    /// The stream ends without an answer, or none comes in a minute.
    pub async fn send(&mut self, delivery: Delivery) -> Result<Answer> {
        let mut request = delivery.into_request(&self.authority)?;
        let path = request.uri().to_string();
        *request.uri_mut() = format!("http://{}{path}", self.authority).parse()?;
        request.headers_mut().remove("host");
        let exchange = async { answer(self.sender.send_request(request).await?).await };
        timeout(LIMIT, exchange).await.context("no answer")?
    }
}

/// Sends `delivery` to `address` over a connection of its own.
///
/// # Errors
/// As [`Http1::connect`] and [`Http1::send`].
pub async fn send(address: SocketAddr, delivery: Delivery) -> Result<Answer> {
    Http1::connect(address).await?.send(delivery).await
}

/// Connects to `address` from `source`, one of this machine's addresses.
///
/// # Errors
/// Nobody listens there.
pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    Ok(socket.connect(address).await?)
}

async fn answer(response: hyper::Response<hyper::body::Incoming>) -> Result<Answer> {
    let (head, body) = response.into_parts();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.collect().await?.to_bytes(),
    })
}
