//! A NATS server of the test's own: a loopback port, a directory, killed at the end.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self, Context};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The server, and a client of it that is none of the sinks'.
pub(crate) struct Server {
    child: Child,
    dir: TempDir,
    port: u16,
    runtime: Runtime,
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
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let child = spawn(dir.path(), port);
        Some(Self { child, dir, port, runtime })
    }

    /// The URL of a stream there.
    pub(crate) fn url(&self, stream: &str) -> String {
        format!("nats://127.0.0.1:{}/{stream}", self.port)
    }

    /// Kills it, without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("an end");
    }

    /// Starts it again with what it has stored.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.dir.path(), self.port);
    }

    fn context(&self) -> Context {
        let address = format!("127.0.0.1:{}", self.port);
        self.runtime.block_on(async {
            jetstream::new(async_nats::connect(address).await.expect("a connection"))
        })
    }

    /// Makes a stream with a duplicate window.
    pub(crate) fn make_stream(&self, name: &str, duplicate_window: Duration) {
        let subjects = vec![format!("hexxladb.{name}")];
        self.make(Config { name: name.into(), subjects, duplicate_window, ..Config::default() });
    }

    /// Makes a stream that others publish to as well.
    pub(crate) fn make_shared_stream(&self, name: &str) {
        let subjects = vec![format!("hexxladb.{name}"), format!("hexxladb.{name}.others")];
        self.make(Config { name: name.into(), subjects, ..Config::default() });
    }

    fn make(&self, config: Config) {
        self.runtime.block_on(self.context().create_stream(config)).expect("a stream");
    }

    fn stream(&self, name: &str) -> Stream {
        self.runtime.block_on(self.context().get_stream(name)).expect("a stream")
    }

    /// Removes everything from a stream.
    pub(crate) fn purge(&self, name: &str) {
        let stream = self.stream(name);
        self.runtime.block_on(async { stream.purge().await }).expect("purged");
    }

    /// Publishes something that is no entry.
    pub(crate) fn publish(&self, name: &str, text: &'static str) {
        let context = self.context();
        let published = self.runtime.block_on(async {
            context.publish(format!("hexxladb.{name}"), text.into()).await?.await
        });
        published.expect("published");
    }

    /// The payloads of all messages of a stream, and the headers that must agree with them.
    pub(crate) fn messages(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let stream = self.stream(name);
        let state = &stream.cached_info().state;
        let read = |sequence| {
            let message = self.runtime.block_on(stream.get_raw_message(sequence));
            let message = message.expect("a message");
            let header = |name: &str| message.headers.get(name).map(ToString::to_string);
            let headers = hexxladb_sinks::HEADERS.into_iter().chain(["Nats-Msg-Id"]);
            let payload = String::from_utf8(message.payload.to_vec()).expect("text");
            (payload, headers.filter_map(header).collect())
        };
        (state.first_sequence..=state.last_sequence).map(read).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path, port: u16) -> Child {
    let child = Command::new("nats-server")
        .args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string(), "--store_dir"])
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server starts");
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nats-server does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}
