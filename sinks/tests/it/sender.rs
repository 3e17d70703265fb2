//! A sender in a process of its own, to be killed.
//!
//! The process is this test program again, told by its environment to run [`sends_as_it_is_told`]
//! on another's database. So it is the code under test that dies, with nobody to clean up after it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hexxladb::{ChangelogEntry, ChangelogFilter, ChangelogReader, Follow};
use hexxladb_sinks::{
    DeliverOptions, LastPosition, PumpOptions, Result, Sink, Target, deliver, open,
};

use crate::source::Source;

/// What a sender is told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Orders {
    /// Entries in a batch.
    pub(crate) batch: usize,
    /// Die between sending this batch, from 1, and the acknowledgement of it.
    pub(crate) die_in_batch: Option<u64>,
    /// Die so much later than sending it returned.
    pub(crate) die_after: Duration,
    /// Follow the changelog for as long as entries come within a second.
    pub(crate) follow: bool,
}

/// Starts a sender of a database's changelog to a target.
pub(crate) fn start(db: &Path, target: &str, orders: Orders) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "sender::sends_as_it_is_told", "--nocapture"])
        .env("SENDER_DB", db)
        .env("SENDER_TO", target)
        .env("SENDER_BATCH", orders.batch.to_string())
        .env("SENDER_FOLLOW", if orders.follow { "1" } else { "0" })
        .env("SENDER_DIE_IN_BATCH", orders.die_in_batch.unwrap_or(0).to_string())
        .env("SENDER_DIE_AFTER_MICROS", orders.die_after.as_micros().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().expect("a sender starts")
}

/// Waits for a sender's end and says whether it ended by itself and well.
pub(crate) fn ended_well(mut child: Child) -> bool {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child to wait for") {
            return status.success();
        }
        if begun.elapsed() > Duration::from_mins(2) {
            let _ = child.kill();
            panic!("the sender does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs many senders, one after the other, while the database grows: each dies between sending and
/// acknowledgement or whenever the kill comes. The last one lives, and the target must hold
/// everything once. Returns what it must hold.
pub(crate) fn kill_many(
    source: &mut Source,
    target: &str,
    rounds: u32,
    pause: Duration,
) -> Vec<String> {
    let mut random = Random(7);
    let mut died = 0;
    for round in 0..rounds {
        source.commit(8);
        let by_itself = round % 2 == 0;
        let orders = Orders {
            batch: [1, 7, 64, 1000][random.below(4)],
            die_in_batch: by_itself.then(|| 1 + random.below(3) as u64),
            die_after: Duration::from_micros([0, 50, 500, 5_000][random.below(4)]),
            follow: true,
        };
        let mut child = start(&source.path(), target, orders);
        if !by_itself {
            source.commit(8);
            std::thread::sleep(Duration::from_millis(random.below(60) as u64));
            child.kill().expect("a signal");
        }
        died += u32::from(!ended_well(child));
        std::thread::sleep(pause);
    }
    assert!(died > rounds * 2 / 3, "only {died} of {rounds} died");
    let last = Orders { batch: 100, ..Orders::default() };
    assert!(ended_well(start(&source.path(), target, last)));
    source.lines()
}

/// Small and the same everywhere (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound).expect("small")
    }
}

/// A sink whose process dies in it.
struct Dying {
    sink: Box<dyn Sink>,
    batches_left: u64,
    after: Duration,
}

impl Sink for Dying {
    fn last_position(&mut self) -> Result<LastPosition> {
        self.sink.last_position()
    }

    fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
        self.sink.send(entries)?;
        self.batches_left -= 1;
        if self.batches_left == 0 {
            std::thread::sleep(self.after);
            let pid = std::process::id().to_string();
            let _ = Command::new("kill").args(["-9", &pid]).status();
            panic!("the signal does not kill");
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.flush()
    }
}

/// Told nothing, it sends a database of its own to a file.
#[test]
fn sends_as_it_is_told() {
    let told = |name: &str| std::env::var(name).ok();
    let number = |name: &str| told(name).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    if let (Some(db), Some(to)) = (told("SENDER_DB"), told("SENDER_TO")) {
        let batch = usize::try_from(number("SENDER_BATCH")).expect("small");
        let die = (number("SENDER_DIE_IN_BATCH"), number("SENDER_DIE_AFTER_MICROS"));
        send(Path::new(&db), &to, batch, die, number("SENDER_FOLLOW") == 1).expect("all is sent");
        return;
    }
    let source = Source::with(8);
    let file = source.beside("sent.jsonl");
    send(&source.path(), &file.to_string_lossy(), 3, (0, 0), true).expect("all is sent");
    let sent = std::fs::read_to_string(&file).expect("a file");
    assert_eq!(sent.lines().collect::<Vec<_>>(), source.lines());
}

fn send(db: &Path, to: &str, batch: usize, die: (u64, u64), follow: bool) -> Result<u64> {
    // spec: LOG-11
    let reader = ChangelogReader::open(db)?;
    let target: Target = to.parse()?;
    let options = DeliverOptions::new().pump(PumpOptions::new().batch_entries(batch));
    let mut open_dying = || -> Result<Box<dyn Sink>> {
        let sink = open(&target)?;
        let (batches_left, after) = (die.0, Duration::from_micros(die.1));
        Ok(if batches_left == 0 { sink } else { Box::new(Dying { sink, batches_left, after }) })
    };
    if follow {
        let follow = Follow::new().timeout(Duration::from_secs(1));
        let mut read = |cursor| reader.follow(cursor, follow.clone());
        deliver(&mut open_dying, &mut read, &options, &mut |_| Ok(()))
    } else {
        let mut read = |cursor| reader.read(cursor, ChangelogFilter::new());
        deliver(&mut open_dying, &mut read, &options, &mut |_| Ok(()))
    }
}
