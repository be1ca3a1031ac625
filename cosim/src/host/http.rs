//! An HTTP/1.1 server of static files (RFC 9110, RFC 9112): GET and HEAD, persistent connections.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::stream::TcpStream;

/// Longest request header.
const MAX_HEADER: usize = 8192;

/// Files by their path, which starts with `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a request asks.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    keeps: bool,
}

/// Serves a connection until it is closed, or asks to be.
///
/// # Errors
/// The connection failed.
pub fn serve(mut stream: TcpStream<'_>, files: &Files) -> io::Result<()> {
    let mut waiting = Vec::new();
    let mut bytes = [0; 2048];
    loop {
        let Some(end) = header_end(&waiting) else {
            if waiting.len() > MAX_HEADER {
                return respond(&mut stream, "431 Request Header Fields Too Large", "text/plain", b"", true, false);
            }
            let length = stream.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            waiting.extend(&bytes[..length]);
            continue;
        };
        let header = waiting.drain(..end).collect::<Vec<_>>();
        let keeps = answer(&mut stream, &header, files)?;
        if !keeps {
            return stream.shutdown(std::net::Shutdown::Write);
        }
    }
}

/// Behind the empty line.
fn header_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn answer(stream: &mut TcpStream<'_>, header: &[u8], files: &Files) -> io::Result<bool> {
    let asked = std::str::from_utf8(header).ok().and_then(parse);
    let Some(asked) = asked else {
        respond(stream, "400 Bad Request", "text/plain", b"", true, false)?;
        return Ok(false);
    };
    let with_body = asked.method == "GET";
    if !matches!(asked.method, "GET" | "HEAD") {
        respond(stream, "405 Method Not Allowed", "text/plain", b"", true, asked.keeps)?;
        return Ok(asked.keeps);
    }
    let path = if asked.path == "/" { "/index.html" } else { asked.path };
    match files.get(path) {
        Some(file) => respond(stream, "200 OK", content_type(path), file, with_body, asked.keeps)?,
        None => respond(stream, "404 Not Found", "text/plain", b"not found\n", with_body, asked.keeps)?,
    }
    Ok(asked.keeps)
}

fn parse(header: &str) -> Option<Asked<'_>> {
    let mut lines = header.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !target.starts_with('/') {
        return None;
    }
    let path = target.split(['?', '#']).next()?;
    let mut keeps = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ => return None,
    };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("connection") {
            keeps = match value.trim() {
                v if v.eq_ignore_ascii_case("close") => false,
                v if v.eq_ignore_ascii_case("keep-alive") => true,
                _ => keeps,
            };
        }
    }
    Some(Asked { method, path, keeps })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("txt") => "text/plain",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

fn respond(
    stream: &mut TcpStream<'_>,
    status: &str,
    kind: &str,
    body: &[u8],
    with_body: bool,
    keeps: bool,
) -> io::Result<()> {
    let connection = if keeps { "keep-alive" } else { "close" };
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n"
    )
    .into_bytes();
    if with_body {
        bytes.extend(body);
    }
    stream.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_rfc_9112_writes_them() {
        let asked = |method, path, keeps| Some(Asked { method, path, keeps });
        assert_eq!(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), asked("GET", "/", true));
        assert_eq!(parse("HEAD /a?b=c HTTP/1.0\r\n\r\n"), asked("HEAD", "/a", false));
        assert_eq!(parse("GET /a HTTP/1.1\r\nconnection:  Close\r\n\r\n"), asked("GET", "/a", false));
        assert_eq!(parse("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), asked("GET", "/a", true));
        for bad in
            ["", "GET", "GET /", "GET / HTTP/2", "GET a HTTP/1.1", "GET / HTTP/1.1 x", "GET / HTTP/1.1\r\nx\r\n\r\n"]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(header_end(b"GET / HTTP/1.1\r\n\r\nmore"), Some(18));
        assert_eq!(header_end(b"GET / HTTP/1.1\r\n\r"), None);
    }
}
