//! A listener that speaks TLS, with a certificate that can be exchanged while it runs.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use openssl::ssl::{Ssl, SslAcceptor, SslFiletype, SslMethod};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_openssl::SslStream;

/// How long a handshake may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Handshakes at once: whoever comes later waits in the system's queue.
const HANDSHAKES_MAX: usize = 256;
/// Connections that have shaken hands and wait to be answered.
const ACCEPTED_MAX: usize = 64;
/// Between two looks whether the files have changed.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After an accept that failed, for want of descriptors for example.
const PAUSE: Duration = Duration::from_millis(100);

/// Files of a certificate, chain included, and its private key, PEM.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl TlsFiles {
    /// Reads both.
    ///
    /// # Errors
    /// When one is missing or no PEM, or they do not belong together.
    pub(crate) fn open(&self) -> Result<SslAcceptor> {
        let Self { certificate, key } = self;
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        let called = |path: &Path| path.display().to_string();
        builder.set_certificate_chain_file(certificate).with_context(|| called(certificate))?;
        builder.set_private_key_file(key, SslFiletype::PEM).with_context(|| called(key))?;
        builder.check_private_key().with_context(|| {
            format!("{} is not the key of {}", called(key), called(certificate))
        })?;
        builder.set_alpn_select_callback(|_, offered| {
            openssl::ssl::select_next_proto(b"\x02h2\x08http/1.1", offered)
                .ok_or(openssl::ssl::AlpnError::NOACK)
        });
        Ok(builder.build())
    }

    /// When they were last written.
    fn written(&self) -> Option<(SystemTime, SystemTime)> {
        let written = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
        Some((written(&self.certificate)?, written(&self.key)?))
    }
}

/// Connections over TLS. A slow handshake delays nobody else.
pub(crate) struct TlsListener {
    accepted: mpsc::Receiver<(SslStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Accepts on `listener` from now on, with the files as they are; a change of them is taken up.
    ///
    /// # Errors
    /// When the files cannot be used.
    pub(crate) fn new(listener: TcpListener, files: TlsFiles) -> Result<Self> {
        let address = listener.local_addr()?;
        let written = files.written();
        let acceptor = Arc::new(Mutex::new(files.open()?));
        let (sender, accepted) = mpsc::channel(ACCEPTED_MAX);
        tokio::spawn(accept(listener, Arc::clone(&acceptor), sender.clone()));
        tokio::spawn(renew(files, written, acceptor, sender));
        Ok(Self { accepted, address })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = SslStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // It accepts for as long as we are here.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

type Accepted = mpsc::Sender<(SslStream<TcpStream>, SocketAddr)>;

async fn accept(listener: TcpListener, acceptor: Arc<Mutex<SslAcceptor>>, sender: Accepted) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = sender.closed() => return,
        };
        let (stream, peer) = match connection {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let context = acceptor.lock().unwrap_or_else(PoisonError::into_inner).context().to_owned();
        let sender = sender.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let handshake = timeout(HANDSHAKE_TIME_MAX, async {
                let ssl = Ssl::new(&context).map_err(io::Error::other)?;
                let mut stream = SslStream::new(ssl, stream).map_err(io::Error::other)?;
                Pin::new(&mut stream).accept().await.map_err(io::Error::other)?;
                Ok::<_, io::Error>(stream)
            });
            match handshake.await {
                // Whoever listened has ended: so does the connection.
                Ok(Ok(stream)) => drop(sender.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no handshake"),
                Err(_) => tracing::debug!(%peer, "no handshake in time"),
            }
        });
    }
}

/// Certificates end: the next one is taken up without a restart. Files that cannot be used change
/// nothing, so that a half-written pair does no harm.
async fn renew(
    files: TlsFiles,
    mut written: Option<(SystemTime, SystemTime)>,
    acceptor: Arc<Mutex<SslAcceptor>>,
    sender: Accepted,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = sender.closed() => return,
        }
        let now = files.written();
        if now == written {
            continue;
        }
        match files.open() {
            Ok(renewed) => {
                *acceptor.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
                written = now;
                tracing::info!(certificate = %files.certificate.display(), "taken up");
            }
            Err(error) => tracing::warn!(%error, "the new certificate cannot be used"),
        }
    }
}
