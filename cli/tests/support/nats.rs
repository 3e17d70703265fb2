//! A NATS server of the test's own on a loopback port, and what a stream there holds, read in the
//! server's own words so that no client of the program's takes part.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The server, killed at the end.
pub(crate) struct Server {
    child: Child,
    _dir: TempDir,
    port: u16,
}

impl Server {
    /// Starts one. `None`, and a line that says so, where nats-server is not installed and need not
    /// be.
    pub(crate) fn start() -> Option<Self> {
        let found = Command::new("nats-server").arg("--version").stdout(Stdio::null()).status();
        if found.is_err() {
            let required = std::env::var("REQUIRE_ALL").is_ok_and(|value| value == "1");
            assert!(!required, "nats-server is missing: install Debian's package of that name");
            eprintln!("SKIPPED: nats-server is not installed, so nothing is sent to NATS");
            return None;
        }
        let dir = TempDir::new().expect("a temporary directory");
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a free port").port();
        let child = Command::new("nats-server")
            .args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string()])
            .arg("--store_dir")
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "nats-server does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { child, _dir: dir, port })
    }

    /// The URL of a stream there.
    pub(crate) fn url(&self, stream: &str) -> String {
        format!("nats://127.0.0.1:{}/{stream}", self.port)
    }

    /// How many messages a stream holds; none where it was not made yet.
    pub(crate) fn count(&self, stream: &str) -> usize {
        self.connect().count(stream)
    }

    /// The payloads of all messages of a stream.
    pub(crate) fn messages(&self, stream: &str) -> Vec<String> {
        let mut client = self.connect();
        let count = client.count(stream);
        client.send("SUB all 2\r\n");
        let config =
            json!({ "deliver_subject": "all", "deliver_policy": "all", "ack_policy": "none" });
        let wanted = json!({ "stream_name": stream, "config": config }).to_string();
        let subject = format!("$JS.API.CONSUMER.CREATE.{stream}");
        client.send(&format!("PUB {subject} {}\r\n{wanted}\r\n", wanted.len()));
        (0..count).map(|_| client.message()).collect()
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let mut client = Client(BufReader::new(stream));
        client.send("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB answers 1\r\n");
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("a server that listens");
    }

    fn count(&mut self, stream: &str) -> usize {
        self.send(&format!("PUB $JS.API.STREAM.INFO.{stream} answers 0\r\n\r\n"));
        let answer: Value = serde_json::from_str(&self.message()).expect("JSON");
        let count = answer["state"]["messages"].as_u64().unwrap_or_default();
        usize::try_from(count).expect("a count")
    }

    /// The payload of the next message.
    fn message(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("an answer") > 0, "the server is gone");
            let mut words = line.split_ascii_whitespace().rev();
            let mut length = || words.next().and_then(|word| word.parse().ok()).expect("a length");
            let (all, headers): (usize, usize) = match line.split(' ').next() {
                Some("MSG") => (length(), 0),
                Some("HMSG") => (length(), length()),
                Some("PING\r\n") => {
                    self.send("PONG\r\n");
                    continue;
                }
                // What the server says of itself.
                _ => continue,
            };
            let mut bytes = vec![0; all + 2];
            self.0.read_exact(&mut bytes).expect("a message");
            return String::from_utf8(bytes[headers..all].to_vec()).expect("text");
        }
    }
}
