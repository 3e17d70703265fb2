//! The long drill: one program writes, others follow it, all are killed again and again, and in the
//! end nothing is lost or repeated anywhere.
//!
//! Where the program is built with the feature `nats`, it sends to a NATS server as well.
//!
//! `HEXXLADB_DRILL_KILLS=50 cargo test -p hexxladb-cli --test it drill` is the full one, a few
//! minutes long; without it each program is killed four times.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::nats::Server;
use crate::program::{Place, args, program, run, signal, wait};

const KILL: i32 = 9;
/// Kills of each program, where nothing else is asked for.
const FEW_KILLS: u32 = 4;

fn kills() -> u32 {
    let asked = std::env::var("HEXXLADB_DRILL_KILLS").ok();
    asked.map_or(FEW_KILLS, |kills| kills.parse().expect("HEXXLADB_DRILL_KILLS is a number"))
}

/// Times to live, the same each time.
struct Lives(u64);

impl Lives {
    /// Between 40 and 440 ms.
    fn next(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(40 + self.0 % 400)
    }
}

/// Starts a program again and again, each time to kill it, and lets the last one live until the
/// drill is over.
fn killed_often(
    seed: u64,
    over: &AtomicBool,
    start: &dyn Fn() -> Child,
    buried: &mut dyn FnMut(),
) -> u32 {
    let mut lives = Lives(seed);
    let mut killed = 0;
    for _ in 0..kills() {
        let mut child = start();
        thread::sleep(lives.next());
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {:?}", wait(child));
        signal(&child, KILL);
        wait(child).fails(-1);
        killed += 1;
        buried();
    }
    let mut child = start();
    while !over.load(Ordering::Relaxed) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {:?}", wait(child));
        thread::sleep(Duration::from_millis(5));
    }
    signal(&child, 15);
    wait(child).fails(143);
    buried();
    killed
}

fn follower(arguments: &[OsString], out: Stdio) -> Child {
    program().args(arguments).stdout(out).stderr(Stdio::piped()).spawn().unwrap()
}

/// The writer: each line is a commit; what was acknowledged is remembered.
struct Writer {
    db: PathBuf,
    /// Texts by commit.
    acknowledged: BTreeMap<u64, String>,
    lines: u64,
}

impl Writer {
    fn start(&self, first: bool) -> (Child, ChildStdin, BufReader<ChildStdout>) {
        let mut arguments = args!["ingest", &self.db, "--commit-every", "1", "--ack"].to_vec();
        // Later ones keep it on without being told.
        if first {
            arguments.push("--changelog".into());
        }
        let mut child = program()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        (child, stdin, BufReader::new(stdout))
    }

    /// Writes until the time is up; whether the program answered all along.
    fn write_for(
        &mut self,
        time: Duration,
        stdin: &mut ChildStdin,
        acks: &mut impl BufRead,
    ) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.lines += 1;
            let (n, q) = (self.lines, self.lines % 1000);
            let text = format!("line {n}");
            if writeln!(stdin, "{{\"q\":{q},\"r\":0,\"raw_content\":\"{text}\"}}").is_err() {
                return false;
            }
            let mut ack = String::new();
            acks.read_line(&mut ack).unwrap();
            let Some(seq) = ack.strip_prefix("ack ").and_then(|seq| seq.trim().parse().ok()) else {
                return false;
            };
            self.acknowledged.insert(seq, text);
        }
        true
    }

    /// Writes, is killed in the middle of it, writes again.
    fn all(&mut self) -> u32 {
        let mut lives = Lives(0x1d01_57a7);
        let mut killed = 0;
        for round in 0..kills() {
            let (child, mut stdin, mut acks) = self.start(round == 0);
            let pid = child.id();
            let life = lives.next();
            let killer = thread::spawn(move || {
                thread::sleep(life);
                signal(&child, KILL);
                wait(child)
            });
            assert!(!self.write_for(Duration::from_mins(2), &mut stdin, &mut acks), "{pid} lives");
            killer.join().unwrap().fails(-1);
            killed += 1;
        }
        let (child, mut stdin, mut acks) = self.start(false);
        assert!(self.write_for(Duration::from_millis(300), &mut stdin, &mut acks));
        drop(stdin);
        wait(child).ok();
        killed
    }
}

/// The whole lines of a file, which a kill may have cut off.
fn whole_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(str::to_owned).collect()
}

/// Where the last line of a stitched tail ends.
fn last_place(lines: &[String]) -> String {
    let Some(last) = lines.last() else { return "0".to_owned() };
    let line: serde_json::Value = serde_json::from_str(last).unwrap();
    format!("{}/{}", line["seq"], line["index"])
}

/// Follows with `tail`, and puts together what each run printed, going on after the last line.
fn stitched_tail(place: &Place, db: &Path, over: &AtomicBool) -> (u32, Vec<String>) {
    let part = place.path("part.jsonl");
    let lines = std::cell::RefCell::new(Vec::new());
    let start = || {
        let since = last_place(&lines.borrow());
        let arguments = args!["changelog", "tail", db, "--follow", "--json", "--since", since];
        follower(&arguments, File::create(&part).unwrap().into())
    };
    let mut buried = || lines.borrow_mut().extend(whole_lines(&part));
    let killed = killed_often(0x7a11, over, &start, &mut buried);
    (killed, lines.into_inner())
}

/// Waits until the followers have what there is.
fn caught_up(all: usize, sent: &Path, replica: &Path, head: &str, server: Option<&Server>) {
    let begun = Instant::now();
    loop {
        let lines = whole_lines(sent).len();
        let messages = server.map_or(all, |server| server.count(STREAM));
        // A replica that is followed is open for writing: only its reader tells how far it is.
        let last = run(args!["changelog", "info", replica, "--json"]);
        let last = last.json().first().map_or(String::new(), |info| info["last"].to_string());
        if lines == all && messages == all && last == head {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_mins(2),
            "{lines} and {messages} of {all} sent, replica at {last}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// A NATS server, if the program can send to one.
fn nats_server(db: &Path) -> Option<Server> {
    let tried = run(args!["changelog", "send", db, "--to", "nats://127.0.0.1:1/S"]);
    if tried.stderr.contains("lacks the feature") { None } else { Server::start() }
}

/// Lets the followers end, whatever becomes of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const STREAM: &str = "DRILL";

#[test]
fn nothing_is_lost_or_repeated_whoever_is_killed() {
    // spec: LOG-04, LOG-11, LOG-16
    let place = Place::new();
    let (db, replica, sent) = (place.path("s.db"), place.path("r.db"), place.path("sent.jsonl"));
    run(args!["put", &db, "0,0", "the first", "--changelog"]).ok();
    let server = nats_server(&db);
    let over = AtomicBool::new(false);
    let mut writer = Writer { db: db.clone(), acknowledged: BTreeMap::new(), lines: 0 };
    let begun = Instant::now();
    let (killed, tailed, all) = thread::scope(|scope| {
        let tail = scope.spawn(|| stitched_tail(&place, &db, &over));
        let replicate = scope.spawn(|| {
            let arguments = args!["replicate", &db, &replica, "--follow", "--changelog"];
            let start = || follower(&arguments, Stdio::null());
            killed_often(0x2e91, &over, &start, &mut || ())
        });
        let send = scope.spawn(|| {
            let to = sent.display().to_string();
            let arguments = args!["changelog", "send", &db, "--follow", "--to", to];
            let start = || follower(&arguments, Stdio::null());
            killed_often(0x5e4d, &over, &start, &mut || ())
        });
        let publish = scope.spawn(|| {
            let Some(server) = &server else { return kills() };
            let to = server.url(STREAM);
            let arguments = args!["changelog", "send", &db, "--follow", "--to", to];
            let start = || follower(&arguments, Stdio::null());
            killed_often(0x9a75, &over, &start, &mut || ())
        });
        let ended = Over(&over);
        let mut killed = vec![writer.all()];
        let all = run(args!["changelog", "tail", &db, "--json"]).ok();
        let head = all.json().last().unwrap()["seq"].to_string();
        let lines: Vec<_> = all.text().lines().map(str::to_owned).collect();
        caught_up(lines.len(), &sent, &replica, &head, server.as_ref());
        // The followers' own kills may take longer than the writer's.
        thread::sleep(Duration::from_millis(200));
        drop(ended);
        let (tail_killed, tailed) = tail.join().unwrap();
        killed.extend([tail_killed, replicate.join().unwrap(), send.join().unwrap()]);
        killed.push(publish.join().unwrap());
        (killed, tailed, lines)
    });
    assert_eq!(killed, [kills(); 5]);
    let commits = all.len();
    eprintln!("drill: {commits} commits, {killed:?} kills, {:.0?}", begun.elapsed());

    // What was acknowledged is there, under its sequence.
    let by_seq: BTreeMap<u64, serde_json::Value> = all
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| (line["seq"].as_u64().unwrap(), line))
        .collect();
    assert_eq!(by_seq.len(), commits, "an entry a commit");
    assert_eq!(
        by_seq.keys().copied().collect::<Vec<_>>(),
        (1..=commits as u64).collect::<Vec<_>>()
    );
    for (seq, text) in &writer.acknowledged {
        assert_eq!(by_seq[seq]["value"]["raw_content"], text.as_str(), "commit {seq}");
    }
    assert!(tailed == all, "the stitched tail has {} lines of {commits}", tailed.len());
    assert!(whole_lines(&sent) == all, "the file differs");
    if let Some(server) = &server {
        assert!(server.messages(STREAM) == all, "the stream differs");
    }
    run(args!["changelog", "verify", &db]).ok();
    run(args!["replicate", &db, &replica, "--verify"]).ok();
    let of = |db: &Path| run(args!["export", "jsonl", db, "--history"]).ok().text();
    assert!(of(&db) == of(&replica), "the replica differs");
    assert!(run(args!["changelog", "tail", &replica, "--json"]).ok().text().lines().eq(&all));
    run(args!["check", &db]).ok();
    run(args!["check", &replica]).ok();
}
