//! One connection to the relay: the handshake of WebSocket, the proof of the key, and then frames both ways.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::frames::{self, KeyBytes, Said};
use super::limits::{FRAME_BYTES, HANDSHAKE, SILENCE};
use super::{Connected, Relay};
use crate::socket::handshake::{self, Refused};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers the handshake of WebSocket, and goes on with who has asked for it.
pub(super) fn upgrade(
    relay: Arc<Relay>,
    mut request: Request<Body>,
    permit: OwnedSemaphorePermit,
) -> Response<Body> {
    let response = match handshake::answer(&request, Some(frames::VERSION)) {
        Ok(response) => response,
        Err(refused) => return refused.response(Some(frames::VERSION)),
    };
    let Some(upgrading) = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>() else {
        return Refused::NoUpgrade.response(Some(frames::VERSION));
    };
    tokio::spawn(async move {
        // A peer that has gone before the answer was written is nobody's loss.
        let Ok(Ok(upgraded)) = timeout(HANDSHAKE, upgrading).await else { return };
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES))
            .max_frame_size(Some(FRAME_BYTES));
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let proven = timeout(HANDSHAKE, prove(&mut socket)).await;
        drop(permit);
        if let Ok(Some(key)) = proven {
            serve(&relay, socket, key).await;
        }
    });
    response
}

/// Asks for the proof of a key.
async fn prove(socket: &mut Socket) -> Option<KeyBytes> {
    let mut random = [0; 16];
    getrandom::getrandom(&mut random).ok()?;
    socket.send(Message::Binary(frames::challenge(&random))).await.ok()?;
    loop {
        match socket.next().await?.ok()? {
            Message::Binary(answer) => return frames::proven(&answer, &random),
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return None,
        }
    }
}

/// Serves a connection that has proven its key, until either side has enough.
async fn serve(relay: &Relay, mut socket: Socket, key: KeyBytes) {
    let (connected, waiting) = match relay.admit(key) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            let denied = Message::Binary(frames::denied(&refusal.message));
            // Whoever doesn't take it is refused all the same.
            let _ = timeout(HANDSHAKE, async {
                socket.send(denied).await?;
                socket.close(None).await
            })
            .await;
            return;
        }
    };
    connected.push(frames::confirmed());
    let (mut sink, mut stream) = socket.split();
    tokio::select! {
        () = connected.over.notified() => {}
        () = write(&mut sink, waiting, &connected) => {}
        () = read(relay, &mut stream, (key, &connected)) => {}
    }
    relay.leave(&key, &connected);
}

async fn write(
    sink: &mut futures_util::stream::SplitSink<Socket, Message>,
    mut waiting: UnboundedReceiver<Bytes>,
    connected: &Connected,
) {
    while let Some(frame) = waiting.recv().await {
        let length = frame.len();
        if sink.feed(Message::Binary(frame)).await.is_err() {
            return;
        }
        connected.written(length);
        if waiting.is_empty() && sink.flush().await.is_err() {
            return;
        }
    }
}

async fn read(
    relay: &Relay,
    stream: &mut futures_util::stream::SplitStream<Socket>,
    (key, connected): (KeyBytes, &Connected),
) {
    while let Ok(Some(Ok(message))) = timeout(SILENCE, stream.next()).await {
        let frame = match message {
            Message::Binary(frame) => frame,
            Message::Ping(_) | Message::Pong(_) => continue,
            _ => return,
        };
        match frames::read(&frame) {
            Some(Said::Ping(ping)) => connected.push(frames::pong(&ping)),
            Some(Said::Pong) => {}
            Some(Said::Packets(packets)) => {
                match relay.carry((&key, connected.may), &packets) {
                    Some(wait) if wait.is_zero() => {}
                    // What it sends meanwhile waits in its own TCP.
                    Some(wait) => sleep(wait).await,
                    None => return,
                }
            }
            None => return,
        }
    }
}
