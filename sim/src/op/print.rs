//! The text form of plans: writing.

use std::fmt::{self, Display};

use hexxladb::PruneProfile;

use super::{
    Act, Before, Changelog, ClockMove, Crash, CrashKind, Damage, Edit, End, Files, Op, Open, Plan,
    Setup, Survivors, Wrong,
};

impl Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("open")?;
        if self.read_only {
            f.write_str(" read_only")?;
        }
        if let Some(buffered) = self.buffered {
            write!(f, " durability={}", durability(buffered))?;
        }
        if let Some(bytes) = self.cache_bytes {
            write!(f, " cache={bytes}")?;
        }
        if let Some(bytes) = self.checkpoint_bytes {
            write!(f, " checkpoint={bytes}")?;
        }
        if let Some(commits) = self.keep_commits {
            write!(f, " keep={commits}")?;
        }
        if let Some(nanos) = self.keep_nanos {
            write!(f, " keep_nanos={nanos}")?;
        }
        if let Some(changelog) = self.changelog {
            write!(f, " changelog={changelog}")?;
        }
        Ok(())
    }
}

impl Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(files, _)| files == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            CrashKind::Kill => "crash kill",
            CrashKind::Cut => "crash cut",
            CrashKind::Hostile => "crash hostile",
        })?;
        if let Some(at) = self.at {
            write!(f, " at {at}")?;
        }
        if let Survivors::These(choice) = &self.survivors {
            write!(f, " keep {choice}")?;
        }
        Ok(())
    }
}

impl Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::CutLog(len) => write!(f, "damage cut_log {len}"),
            Damage::ZeroLog { from, to } => write!(f, "damage zero_log {from} {to}"),
            Damage::RepeatLog { from, to, at } => write!(f, "damage repeat_log {from} {to} {at}"),
            Damage::RemoveLog => f.write_str("damage remove_log"),
            Damage::EmptyPrimary => f.write_str("damage empty_primary"),
            Damage::RotPrimary { offset, mask } => write!(f, "damage rot_primary {offset} {mask}"),
            Damage::RotLog { offset, mask } => write!(f, "damage rot_log {offset} {mask}"),
            Damage::RemoveChangelog => f.write_str("damage remove_changelog"),
            Damage::RemoveSegment(file) => write!(f, "damage remove_segment {file}"),
            Damage::CutSegment(file, len) => write!(f, "damage cut_segment {file} {len}"),
            Damage::RotSegment { file, offset, mask } => {
                write!(f, "damage rot_segment {file} {offset} {mask}")
            }
            Damage::ForeignChangelog => f.write_str("damage foreign_changelog"),
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Open(open) => open.fmt(f),
            Op::OpenWrong(Wrong::Mvcc) => f.write_str("open_wrong mvcc"),
            Op::OpenWrong(Wrong::PageSize) => f.write_str("open_wrong page_size"),
            Op::SecondOpen { read_only: false } => f.write_str("second_open"),
            Op::SecondOpen { read_only: true } => f.write_str("second_open read_only"),
            Op::Close => f.write_str("close"),
            Op::Drop => f.write_str("drop"),
            Op::Sync => f.write_str("sync"),
            Op::Checkpoint => f.write_str("checkpoint"),
            Op::Check => f.write_str("check"),
            Op::Begin => f.write_str("begin"),
            Op::Do(edit) => edit.fmt(f),
            Op::Commit => f.write_str("commit"),
            Op::Pipeline(slot) => write!(f, "pipeline {slot}"),
            Op::Wait(slot) => write!(f, "wait {slot}"),
            Op::Forget(slot) => write!(f, "forget {slot}"),
            Op::Rollback => f.write_str("rollback"),
            Op::Abandon => f.write_str("abandon"),
            Op::Update(end, edits) => update(f, *end, edits),
            Op::PutCells { from, count, batch, value } => {
                write!(f, "put_cells {from} {count} {batch} {value}")
            }
            Op::Read(read) => read.fmt(f),
            Op::Snap(slot, None) => write!(f, "snap {slot}"),
            Op::Snap(slot, Some(seq)) => write!(f, "snap {slot} {seq}"),
            Op::ReadSnap(slot) => write!(f, "read_snap {slot}"),
            Op::DropSnap(slot) => write!(f, "drop_snap {slot}"),
            Op::Tag(name, None) => write!(f, "tag {name}"),
            Op::Tag(name, Some(seq)) => write!(f, "tag {name} {seq}"),
            Op::Untag(name) => write!(f, "untag {name}"),
            Op::Prune(Before::Seq(seq), rows) => write!(f, "prune {seq} {rows}"),
            Op::Prune(Before::Time(nanos), rows) => write!(f, "prune_time {nanos} {rows}"),
            Op::PruneBy(profile, tick) => {
                write!(f, "prune_by {}{}", profile_name(*profile), if *tick { " tick" } else { "" })
            }
            Op::HoldDiff(slot, a, b) => write!(f, "diff {slot} {a} {b}"),
            Op::ReadDiff(slot, count) => write!(f, "read_diff {slot} {count}"),
            Op::DropDiff(slot) => write!(f, "drop_diff {slot}"),
            Op::Consumer(name, act) => {
                write!(f, "consumer {name} ")?;
                match act {
                    Act::Register => write!(f, "register"),
                    Act::Advance(seq) => write!(f, "advance {seq}"),
                    Act::Hold(true) => write!(f, "hold"),
                    Act::Hold(false) => write!(f, "release"),
                    Act::Remove => write!(f, "remove"),
                }
            }
            Op::Replicate(None) => write!(f, "replicate"),
            Op::Replicate(Some(at)) => write!(f, "replicate {at}"),
            Op::HoldFollow(slot, spot) => write!(f, "follow {slot} {spot}"),
            Op::ReadFollow(slot, count) => write!(f, "read_follow {slot} {count}"),
            Op::DropFollow(slot) => write!(f, "drop_follow {slot}"),
            Op::LoseChangelog => f.write_str("lose_changelog"),
            Op::Clock(ClockMove::Step(nanos)) => write!(f, "clock step {nanos}"),
            Op::Clock(ClockMove::Stop) => f.write_str("clock stop"),
            Op::Clock(ClockMove::Run) => f.write_str("clock run"),
            Op::Fault(fault) => fault.fmt(f),
            Op::Heal => f.write_str("heal"),
            Op::Free(None) => f.write_str("free all"),
            Op::Free(Some(sectors)) => write!(f, "free {sectors}"),
            Op::Crash(crash) => crash.fmt(f),
            Op::Stash(slot) => write!(f, "stash {slot}"),
            Op::Restore(slot, files) => write!(f, "restore {slot} {files}"),
            Op::Damage(damage) => damage.fmt(f),
        }
    }
}

fn update(f: &mut fmt::Formatter<'_>, end: End, edits: &[Edit]) -> fmt::Result {
    f.write_str(match end {
        End::Ok => "update ok",
        End::Fail => "update fail",
        End::Panic => "update panic",
    })?;
    for (index, edit) in edits.iter().enumerate() {
        write!(f, "{} {edit}", if index == 0 { ":" } else { ";" })?;
    }
    Ok(())
}

const fn profile_name(profile: PruneProfile) -> &'static str {
    match profile {
        PruneProfile::LowLatency => "low_latency",
        PruneProfile::Balanced => "balanced",
        PruneProfile::LongHistory => "long_history",
    }
}

const fn durability(buffered: bool) -> &'static str {
    if buffered { "buffered" } else { "sync" }
}

impl Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "setup page={} segment={} cache={} checkpoint={} max_value={} mvcc={} durability={} \
             sector={} seed={}",
            self.page_bytes,
            self.segment_bytes,
            self.cache_bytes,
            self.checkpoint_bytes,
            self.max_value_bytes,
            if self.mvcc { "yes" } else { "no" },
            durability(self.buffered),
            self.sector_bytes,
            self.disk_seed,
        )?;
        // What is usual goes without saying.
        if !self.cut {
            f.write_str(" cut=no")?;
        }
        if self.changelog != Changelog::Off {
            write!(f, " changelog={}", self.changelog)?;
        }
        if self.changelog_bytes != Self::default().changelog_bytes {
            write!(f, " changelog_segment={}", self.changelog_bytes)?;
        }
        Ok(())
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.comment {
            if line.is_empty() {
                writeln!(f, "#")?;
            } else {
                writeln!(f, "# {line}")?;
            }
        }
        writeln!(f, "{}", self.setup)?;
        for op in &self.ops {
            writeln!(f, "{op}")?;
        }
        Ok(())
    }
}
