//! One framed connection for each pair of nodes, over mutual TLS.
//!
//! The validator with the lower index dials. A frame is `length u32 little endian | message`. Each
//! peer has a bounded queue: when it is full messages are dropped, and the protocol sends again.

use std::{collections::HashMap, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use ledger_types::{Genesis, Message, ValidatorIndex, codec, limits};
use openssl::ssl::{Ssl, SslAcceptor, SslConnector};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_openssl::SslStream;

use crate::{net::Event, tls};

/// Messages waiting for one peer.
const QUEUE_MAX: usize = 4_096;
/// Bytes gathered for one write.
const WRITE_BYTES: usize = 256 * 1024;
/// Handshakes of strangers at the same time; whoever comes then waits in the system's queue.
const HANDSHAKES_MAX: usize = 256;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a peer may say nothing, or take over one message: it sends a head every second.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Pause between attempts to connect.
const REDIAL: Duration = Duration::from_millis(250);

/// An encoded frame, shared by all queues.
pub(crate) type Frame = Arc<[u8]>;

/// Encodes a message once for all its receivers.
pub(crate) fn frame(message: &Message) -> Frame {
    let body = codec::encode(message);
    let length = u32::try_from(body.len()).expect("messages are bounded");
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes.into()
}

/// The connections that are up.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    queues: HashMap<ValidatorIndex, mpsc::Sender<Frame>>,
}

impl Peers {
    pub(crate) fn connect(&mut self, peer: ValidatorIndex, queue: mpsc::Sender<Frame>) {
        self.queues.insert(peer, queue);
    }

    pub(crate) fn send(&self, to: ValidatorIndex, frame: &Frame) {
        if let Some(queue) = self.queues.get(&to) {
            // Full or closed: dropped, the protocol sends again.
            let _ = queue.try_send(frame.clone());
        }
    }

    pub(crate) fn broadcast(&self, frame: &Frame) {
        self.queues.keys().for_each(|peer| self.send(*peer, frame));
    }

    /// Peers whose connection is up.
    pub(crate) fn connected(&self) -> Vec<ValidatorIndex> {
        let mut up: Vec<_> =
            self.queues.iter().filter(|(_, q)| !q.is_closed()).map(|(peer, _)| *peer).collect();
        up.sort_unstable();
        up
    }
}

/// Everything that the connection tasks share.
#[derive(Clone)]
pub(crate) struct Mesh {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) own: ValidatorIndex,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Mesh {
    /// Accepts and dials until the node ends.
    pub(crate) fn start(
        self,
        listener: TcpListener,
        acceptor: SslAcceptor,
        connector: SslConnector,
    ) -> Vec<JoinHandle<()>> {
        let mut tasks = Vec::new();
        for (place, validator) in self.genesis.validators.iter().enumerate() {
            let index = ValidatorIndex(u16::try_from(place).expect("checked: at most 64"));
            if self.own < index {
                let (mesh, address) = (self.clone(), validator.p2p.clone());
                tasks.push(tokio::spawn(mesh.dial_for_ever(index, address, connector.clone())));
            }
        }
        tasks.push(tokio::spawn(self.accept_for_ever(listener, acceptor)));
        tasks
    }

    async fn accept_for_ever(self, listener: TcpListener, acceptor: SslAcceptor) {
        let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let Ok((socket, from)) = listener.accept().await else {
                tokio::time::sleep(REDIAL).await;
                continue;
            };
            let (mesh, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Err(error) = mesh.accept(socket, &acceptor, place).await {
                    tracing::info!(peer.address = %from, "peer connection ended: {error:#}");
                }
            });
        }
    }

    async fn accept(
        self,
        socket: TcpStream,
        acceptor: &SslAcceptor,
        place: OwnedSemaphorePermit,
    ) -> Result<()> {
        socket.set_nodelay(true)?;
        let mut stream = SslStream::new(Ssl::new(acceptor.context())?, socket)?;
        timeout(HANDSHAKE, Pin::new(&mut stream).accept()).await.context("handshake")??;
        let peer = tls::peer(stream.ssl(), &self.genesis)?;
        ensure!(peer < self.own, "validator {peer} should be dialled, not accepted");
        drop(place);
        self.serve(peer, stream).await
    }

    async fn dial_for_ever(self, peer: ValidatorIndex, address: String, connector: SslConnector) {
        loop {
            if let Err(error) = self.clone().dial(peer, &address, &connector).await {
                tracing::debug!(peer.index = peer.0, "peer connection: {error:#}");
            }
            tokio::time::sleep(REDIAL).await;
        }
    }

    async fn dial(
        self,
        peer: ValidatorIndex,
        address: &str,
        connector: &SslConnector,
    ) -> Result<()> {
        let address: SocketAddr = tokio::net::lookup_host(address)
            .await?
            .next()
            .context("the peer's address has no host")?;
        let socket = timeout(HANDSHAKE, TcpStream::connect(address)).await.context("connect")??;
        socket.set_nodelay(true)?;
        // Identity is the endorsed key, not a host name.
        let mut settings = connector.configure()?;
        settings.set_verify_hostname(false);
        settings.set_use_server_name_indication(false);
        let mut stream = SslStream::new(settings.into_ssl("")?, socket)?;
        timeout(HANDSHAKE, Pin::new(&mut stream).connect()).await.context("handshake")??;
        let found = tls::peer(stream.ssl(), &self.genesis)?;
        ensure!(found == peer, "validator {found} answers at the address of {peer}");
        self.serve(peer, stream).await
    }

    /// Reads and writes one connection until it breaks.
    async fn serve(self, peer: ValidatorIndex, stream: SslStream<TcpStream>) -> Result<()> {
        let (reader, writer) = tokio::io::split(stream);
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        self.events.send(Event::Connected(peer, queue)).await?;
        // A newer connection takes the queue's place: then this one ends.
        tokio::select! {
            read = self.read(peer, reader) => read,
            () = write(writer, waiting) => Ok(()),
        }
    }

    async fn read(&self, peer: ValidatorIndex, mut reader: impl AsyncRead + Unpin) -> Result<()> {
        loop {
            let length =
                timeout(SILENCE_MAX, reader.read_u32_le()).await.context("silence")?? as usize;
            ensure!(length <= limits::FRAME_BYTES_MAX, "a frame of {length} bytes");
            let mut body = vec![0; length];
            timeout(SILENCE_MAX, reader.read_exact(&mut body))
                .await
                .context("a slow message")??;
            let message: Message = codec::decode(&body)?;
            self.events.send(Event::Peer(peer, message)).await?;
        }
    }
}

/// Drains the queue into as few writes as possible.
async fn write(mut writer: impl AsyncWrite + Unpin, mut waiting: mpsc::Receiver<Frame>) {
    let mut buffer = Vec::with_capacity(WRITE_BYTES);
    while let Some(first) = waiting.recv().await {
        buffer.clear();
        buffer.extend_from_slice(&first);
        while buffer.len() < WRITE_BYTES
            && let Ok(next) = waiting.try_recv()
        {
            buffer.extend_from_slice(&next);
        }
        if writer.write_all(&buffer).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}
