//! Small servers. Each serves a connection in an application of its own, until the other end is through.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;

use super::executor::Task;
use super::stream::{TcpListener, TcpStream};

/// Bytes that are moved at a time.
const CHUNK: usize = 8192;

/// Serves each connection to an address with a function of its own. Returns only if the address cannot be listened at.
///
/// # Errors
/// That.
pub fn serve(
    task: &Task,
    local: SocketAddr,
    backlog: u16,
    session: impl Fn(TcpStream<'_>) -> io::Result<()> + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(task, local, backlog)?;
    let session = Rc::new(session);
    loop {
        let (stream, _) = listener.accept()?;
        let (connection, session) = (stream.into_connection(), Rc::clone(&session));
        task.spawn(move |task| {
            // A connection that fails ends here; its other end has seen it.
            let _ = session(TcpStream::from_connection(task, connection));
        });
    }
}

/// Sends back what comes, until the other end sends no more.
///
/// # Errors
/// The connection failed.
pub fn echo(mut stream: TcpStream<'_>) -> io::Result<()> {
    let mut bytes = [0; CHUNK];
    loop {
        let length = stream.read(&mut bytes)?;
        if length == 0 {
            return stream.shutdown(Shutdown::Write);
        }
        stream.write_all(&bytes[..length])?;
    }
}

/// Takes what comes, and in the end says how much it was, in decimal digits.
///
/// # Errors
/// The connection failed.
pub fn sink(mut stream: TcpStream<'_>) -> io::Result<()> {
    let (mut bytes, mut total) = ([0; CHUNK], 0u64);
    loop {
        let length = stream.read(&mut bytes)?;
        if length == 0 {
            break;
        }
        total += length as u64;
    }
    write!(stream, "{total}")?;
    stream.shutdown(Shutdown::Write)
}

/// The byte that a source sends in this place.
pub fn source_byte(place: u64) -> u8 {
    // No period that divides a segment or a buffer.
    (place % 251) as u8 ^ (place >> 16) as u8
}

/// Reads a number of bytes in decimal digits up to a line's end, and sends as many.
///
/// # Errors
/// The connection failed, or it was no number.
pub fn source(mut stream: TcpStream<'_>) -> io::Result<()> {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 && byte[0] != b'\n' && line.len() < 20 {
        line.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&line);
    let total: u64 = text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let mut sent = 0;
    while sent < total {
        let length = (total - sent).min(CHUNK as u64);
        let bytes: Vec<_> = (sent..sent + length).map(source_byte).collect();
        stream.write_all(&bytes)?;
        sent += length;
    }
    stream.shutdown(Shutdown::Write)
}
