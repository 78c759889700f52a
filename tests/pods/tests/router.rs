//! What plays the network between places that have no route to one another.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context as _, Result};

/// Leads connections on, from an address of this machine to the same port of another, until the test ends.
pub(crate) fn lead(address: &str, to: &str) -> Result<()> {
    let address = address.trim_start_matches("https://");
    let (_, port) = address.rsplit_once(':').with_context(|| format!("{address} has no port"))?;
    let to = format!("{to}:{port}");
    let listener = TcpListener::bind(address).with_context(|| address.to_owned())?;
    thread::spawn(move || {
        for from in listener.incoming().flatten() {
            let to = to.clone();
            thread::spawn(move || join(&from, &to));
        }
    });
    Ok(())
}

/// Passes on what both ends say, until both have ended.
fn join(from: &TcpStream, to: &str) -> io::Result<()> {
    let to = TcpStream::connect(to)?;
    thread::scope(|scope| {
        scope.spawn(|| pass(from, &to));
        pass(&to, from);
    });
    Ok(())
}

fn pass(mut from: &TcpStream, mut to: &TcpStream) {
    // Whichever end breaks, the other is told by the end of its stream.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
