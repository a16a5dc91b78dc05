//! From an address to an open WebSocket.

use std::fmt;
use std::io;
use std::sync::Arc;

use portcullis_proto::limits;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::UrlError;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, handshake::client::Request};

use super::{Address, CONNECT, Door, TlsError, TlsRoots, tls};

/// A byte stream to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// An open WebSocket, over TLS or not.
pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// Nobody answers there, or not in time.
    Unreachable(io::ErrorKind),
    /// The server's certificate is not vouched for, or it does not speak TLS.
    Tls(String),
    /// It answers, and not as a Portcullis server does.
    NotPortcullis,
    /// It answers, and not as a classroom's server does.
    NotClassroom,
    /// It answers that what was behind this door has gone for good; what to do then, in the words of whoever chose
    /// the door.
    Gone(String),
    /// It answers that it can't serve now, with this HTTP status.
    Busy(u16),
}

impl ConnectError {
    /// Whether another try would end the same way.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::NotPortcullis | Self::NotClassroom | Self::Gone(_))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(kind) => write!(f, "{kind}"),
            Self::Tls(why) => write!(f, "TLS: {why}"),
            Self::NotPortcullis => f.write_str("there is no Portcullis server at this address"),
            Self::NotClassroom => f.write_str("there is no classroom server at this address"),
            Self::Gone(then) => f.write_str(then),
            Self::Busy(status) => write!(f, "the server can't serve now (HTTP status {status})"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// The way to one server, for whoever speaks with it otherwise than by a WebSocket.
#[derive(Debug, Clone)]
pub struct Connector {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    roots: Option<Arc<RootCertStore>>,
}

impl Connector {
    /// # Errors
    /// [`TlsError`] where the address asks for TLS and it can't be set up.
    pub fn new(address: Address, roots: &TlsRoots) -> Result<Self, TlsError> {
        let roots = address.is_tls().then(|| tls::store(roots)).transpose()?;
        let tls = roots.clone().map(tls::config).transpose()?;
        Ok(Self { address, tls, roots })
    }

    /// By whom the server has to be vouched for, where TLS is spoken.
    pub(crate) const fn roots(&self) -> Option<&Arc<RootCertStore>> {
        self.roots.as_ref()
    }

    /// The server's address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a byte stream.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let connected = tokio::time::timeout(CONNECT, connect(&self.address, self.tls.as_ref()));
        connected.await.unwrap_or(Err(ConnectError::Unreachable(io::ErrorKind::TimedOut)))
    }
}

/// Opens a WebSocket; `tls` is there where the address asks for it.
pub(super) async fn open(
    address: &Address,
    tls: Option<&Arc<ClientConfig>>,
    door: &Door,
) -> Result<Socket, ConnectError> {
    let opened = tokio::time::timeout(CONNECT, open_slowly(address, tls, door)).await;
    opened.unwrap_or(Err(ConnectError::Unreachable(io::ErrorKind::TimedOut)))
}

async fn open_slowly(
    address: &Address,
    tls: Option<&Arc<ClientConfig>>,
    door: &Door,
) -> Result<Socket, ConnectError> {
    let stream = connect(address, tls).await?;
    let request = request(address, door).map_err(|_| door.not_this())?;
    let handshake = client_async_with_config(request, stream, Some(config())).await;
    let (socket, response) = handshake.map_err(|error| handshake_error(error, door))?;
    let chosen = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    if chosen.map(HeaderValue::as_bytes) != door.subprotocol().map(str::as_bytes) {
        return Err(door.not_this());
    }
    Ok(socket)
}

/// Opens a byte stream to a server.
async fn connect(
    address: &Address,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, ConnectError> {
    let unreachable = |error: io::Error| ConnectError::Unreachable(error.kind());
    let tcp = TcpStream::connect((address.host(), address.port()));
    let tcp = tcp.await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let stream: Box<dyn Stream> = match tls {
        None => Box::new(tcp),
        Some(config) => {
            let name = ServerName::try_from(address.host().to_owned());
            let name = name.map_err(|error| ConnectError::Tls(error.to_string()))?;
            let connecting = TlsConnector::from(Arc::clone(config)).connect(name, tcp);
            Box::new(connecting.await.map_err(|error| tls_error(&error))?)
        }
    };
    Ok(stream)
}

fn request(address: &Address, door: &Door) -> Result<Request, Error> {
    let mut request = address.url(door.path()).into_client_request()?;
    if let Some(protocol) = door.subprotocol().map(HeaderValue::from_static) {
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok(request)
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(limits::SERVER_FRAME_BYTES))
        .max_frame_size(Some(limits::SERVER_FRAME_BYTES))
}

/// What went wrong under TLS is the network's fault, unless rustls says what it is.
fn tls_error(error: &io::Error) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => ConnectError::Tls(inner.to_string()),
        None => ConnectError::Unreachable(error.kind()),
    }
}

fn handshake_error(error: Error, door: &Door) -> ConnectError {
    match error {
        Error::Io(error) => ConnectError::Unreachable(error.kind()),
        Error::Http(response) if response.status().is_server_error() => {
            ConnectError::Busy(response.status().as_u16())
        }
        Error::Http(response) if response.status() == StatusCode::GONE => door.gone(),
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_)
            if !is_refusal(&error) =>
        {
            ConnectError::Unreachable(io::ErrorKind::ConnectionReset)
        }
        Error::Url(UrlError::UnableToConnect(_)) => {
            ConnectError::Unreachable(io::ErrorKind::ConnectionRefused)
        }
        _ => door.not_this(),
    }
}

/// Whether the answer was complete, and simply not the right one.
fn is_refusal(error: &Error) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    match error {
        Error::Protocol(error) => !matches!(
            error,
            ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake
        ),
        _ => false,
    }
}
