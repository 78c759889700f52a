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
    fn written(&self) -> Option<Written> {
        let written = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
        Some((written(&self.certificate)?, written(&self.key)?))
    }
}

/// When certificate and key were written.
type Written = (SystemTime, SystemTime);

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
        let files = Watched { written: files.written(), files };
        let acceptor = Arc::new(Mutex::new(files.files.open()?));
        let (sender, accepted) = mpsc::channel(ACCEPTED_MAX);
        tokio::spawn(accept(listener, Arc::clone(&acceptor), sender.clone()));
        tokio::spawn(renew(files, acceptor, sender));
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

/// Certificates end: the next one is taken up without a restart.
async fn renew(mut files: Watched, acceptor: Arc<Mutex<SslAcceptor>>, sender: Accepted) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = sender.closed() => return,
        }
        if let Some(renewed) = files.look() {
            *acceptor.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
        }
    }
}

/// Files that are looked at now and then.
struct Watched {
    files: TlsFiles,
    /// When those in use were written.
    written: Option<Written>,
}

impl Watched {
    /// What is to be used from now on, if the files have changed. Files that cannot be used change
    /// nothing, so that a half-written pair does no harm; they are looked at again.
    fn look(&mut self) -> Option<SslAcceptor> {
        let now = self.files.written();
        if now == self.written {
            return None;
        }
        match self.files.open() {
            Ok(renewed) => {
                self.written = now;
                tracing::info!(certificate = %self.files.certificate.display(), "taken up");
                Some(renewed)
            }
            Err(error) => {
                tracing::warn!(%error, "the new certificate cannot be used");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::{Router, routing::get};

    use super::*;
    use crate::dev::{
        authority::{Issued, issue},
        folder::Folder,
    };

    /// A certificate for this machine, in files of a folder; another one at each call.
    fn issued(folder: &Path) -> Issued {
        issue(&Folder::create(folder).unwrap(), Ipv4Addr::LOCALHOST.into()).unwrap()
    }

    /// Whoever connects and says nothing must not keep others from being answered, and nobody is
    /// answered in clear.
    #[tokio::test]
    async fn a_silent_connection_delays_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let Issued { files, authority, .. } = issued(folder.path());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TlsListener::new(listener, files).unwrap();
        let router = Router::new().route("/", get(|| async { "answered" }));
        let served = tokio::spawn(async move { axum::serve(listener, router).await });
        let _silent = [TcpStream::connect(address).await, TcpStream::connect(address).await];
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(authority.as_bytes()).unwrap()])
            .build()
            .unwrap();
        let answer = client.get(format!("https://{address}/")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "answered");
        let clear = client.get(format!("http://{address}/")).send().await;
        assert!(clear.is_err(), "it answers in clear");
        served.abort();
    }

    /// A certificate that ends takes the control plane with it if its successor waits for a restart.
    #[test]
    fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let Issued { files, .. } = issued(folder.path());
        let mut watched = Watched { written: files.written(), files: files.clone() };
        assert!(watched.look().is_none(), "nothing has changed");
        let touch = |path: &Path, later: u64| {
            let at = SystemTime::now() + Duration::from_secs(later);
            fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
        };
        fs::write(&files.key, "half a ke").unwrap();
        touch(&files.key, 1);
        assert!(watched.look().is_none(), "a broken key was taken up");
        issued(folder.path());
        touch(&files.key, 2);
        assert!(watched.look().is_some(), "the renewed certificate is not taken up");
        assert!(watched.look().is_none(), "it is taken up once");
    }
}
