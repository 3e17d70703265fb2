//! The memory of an assistant: facts with their sources, a change of mind, a contradiction, and what
//! it knew when.
//!
//! Nothing is overwritten. A fact that no longer holds is superseded by another, two facts that do
//! not fit together are joined by a seam until somebody finds out, and every earlier state of mind
//! can be asked.

use hexxladb::{
    Cell, Coord, Db, Error, Facet, FacetId, Options, ReadTx, ResolutionStatus, SeamFilter,
    SeamType, Timestamp, Validity,
};

/// Days of one week in 2026: Monday is 16 November.
const MONDAY: i64 = 16;
const TUESDAY: i64 = 17;
const THURSDAY: i64 = 19;
const FRIDAY: i64 = 20;

/// Noon of a day of November 2026.
fn noon(day: i64) -> Timestamp {
    const NOVEMBER_1: i64 = 1_793_491_200;
    Timestamp::from_secs(NOVEMBER_1 + (day - 1) * 86_400 + 43_200)
}

/// A fact that holds from a day on, and until another if one is named.
fn fact(text: &str, source: &str, confidence: f64, from: i64, to: Option<i64>) -> Cell {
    let validity = Validity { valid_from: Some(noon(from)), valid_to: to.map(noon) };
    Cell::new(text)
        .with_source(source)
        .with_confidence(confidence)
        .with_tags(["meeting"])
        .with_validity(validity)
}

/// Whether another cell takes the place of this one, as the state knows.
fn is_superseded(memory: &ReadTx, coord: Coord) -> Result<bool, Error> {
    for item in memory.seams_of(coord) {
        let (_, _, seam) = item?;
        if seam.seam_type == SeamType::Supersedes && seam.cell_b == coord {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a state of mind holds to be true at a time, around a subject.
fn believed(memory: &ReadTx, subject: Coord, time: Timestamp) -> Result<Vec<String>, Error> {
    let mut facts = Vec::new();
    for item in memory.walk_ring_valid_at(subject, 1, time) {
        let (coord, cell) = item?;
        if coord != subject && !is_superseded(memory, coord)? {
            facts.push(cell.raw_content);
        }
    }
    Ok(facts)
}

fn main() -> Result<(), Error> {
    let db = Db::open("memory", Options::in_memory())?;
    // A subject is a place on the lattice; what is known of it lies around it.
    let meeting = Coord::new(0, 0)?;
    let [room, room_again, host, host_again] =
        [(1, 0), (1, -1), (-1, 0), (-1, 1)].map(|(q, r)| Coord::new(q, r));
    let (room, room_again, host, host_again) = (room?, room_again?, host?, host_again?);

    db.update(|tx| {
        tx.set_commit_time(noon(MONDAY))?;
        tx.set_note("read the invitation")?;
        let subject = Cell::new("The planning meeting on Friday").with_source("mail/1");
        tx.put_cell(meeting, &subject)?;
        tx.put_facet(meeting, FacetId::ALL[0], &Facet::of(&subject, "planning, Friday"))?;
        tx.put_cell(room, &fact("It is in room 4.", "mail/1", 0.9, MONDAY, None))?;
        tx.put_cell(host, &fact("Ada leads it.", "mail/1", 0.8, MONDAY, None))?;
        tx.link_cells(meeting, room, "takes place in", 1.0)?;
        tx.link_cells(meeting, host, "is led by", 1.0)
    })?;

    // A change of mind: the room changes, the old fact stays as what was once believed.
    db.update(|tx| {
        tx.set_commit_time(noon(THURSDAY))?;
        tx.set_note("read the calendar")?;
        tx.put_cell(room_again, &fact("It is in room 7.", "calendar", 1.0, MONDAY, None))?;
        tx.mark_supersedes(room_again, room, "the calendar was changed")?;
        tx.link_cells(meeting, room_again, "takes place in", 1.0)
    })?;

    // A contradiction: two sources, no way to tell which is right.
    let dispute = db.update(|tx| {
        tx.set_commit_time(noon(THURSDAY))?;
        tx.set_note("overheard in the kitchen")?;
        tx.put_cell(host_again, &fact("Grace leads it.", "kitchen", 0.6, MONDAY, None))?;
        tx.mark_conflict(host, host_again, "two people cannot both lead it")
    })?;

    println!("What is known now about Friday:");
    let now = db.view(|tx| believed(tx, meeting, noon(FRIDAY)))?;
    for fact in &now {
        println!("  {fact}");
    }
    assert_eq!(now, ["Grace leads it.", "It is in room 7.", "Ada leads it."]);

    println!("What was known on Tuesday about Friday:");
    let then = db.view_at_time(noon(TUESDAY), |tx| believed(tx, meeting, noon(FRIDAY)))?;
    for fact in &then {
        println!("  {fact}");
    }
    assert_eq!(then, ["It is in room 4.", "Ada leads it."]);

    println!("What is known now about the Sunday before, when nothing was true yet:");
    let before = db.view(|tx| believed(tx, meeting, noon(MONDAY - 1)))?;
    println!("  {} facts", before.len());
    assert!(before.is_empty());

    println!("What does not fit together:");
    let open = SeamFilter::default()
        .with_type(SeamType::Conflict)
        .with_status(ResolutionStatus::Unresolved);
    let disputes = |tx: &ReadTx| -> Result<Vec<(String, String)>, Error> {
        let mut found = Vec::new();
        for item in tx.find_seams(meeting, 1, &open) {
            let (_, seam) = item?;
            let said = |coord| tx.get_cell(coord).map(Option::unwrap_or_default);
            let (a, b) = (said(seam.cell_a)?, said(seam.cell_b)?);
            println!(
                "  {} ({}, {})",
                a.raw_content, a.provenance.source_id, a.provenance.confidence
            );
            println!(
                "  {} ({}, {})",
                b.raw_content, b.provenance.source_id, b.provenance.confidence
            );
            println!("  because {}", seam.reason);
            found.push((a.raw_content, b.raw_content));
        }
        Ok(found)
    };
    let found = db.view(disputes)?;
    assert_eq!(found, [("Ada leads it.".to_owned(), "Grace leads it.".to_owned())]);

    // Somebody was asked. Both cells and the seam stay, with what became of it.
    db.update(|tx| {
        tx.set_commit_time(noon(FRIDAY))?;
        tx.set_note("asked Ada")?;
        tx.resolve_seam(dispute, ResolutionStatus::Superseded, Some("Ada says that Grace leads"))?;
        tx.mark_supersedes(host_again, host, "Ada says so").map(|_| ())
    })?;
    assert!(db.view(disputes)?.is_empty());

    println!("The context around the meeting, for the next prompt:");
    let context = db.view(|tx| {
        let mut lines = Vec::new();
        for item in tx.walk_ring(meeting, 1) {
            let (coord, cell) = item?;
            let mark = if is_superseded(tx, coord)? { "once believed: " } else { "" };
            let source = &cell.provenance.source_id;
            lines.push(format!("{mark}{} [{source}]", cell.raw_content));
        }
        Ok::<_, Error>(lines)
    })?;
    for line in &context {
        println!("  {line}");
    }
    let wanted = [
        "The planning meeting on Friday [mail/1]",
        "Grace leads it. [kitchen]",
        "It is in room 4. [mail/1]",
        "It is in room 7. [calendar]",
        "Ada leads it. [mail/1]",
    ];
    let plain = |line: &String| line.trim_start_matches("once believed: ").to_owned();
    assert_eq!(context.iter().map(plain).collect::<Vec<_>>(), wanted);
    assert_eq!(context.iter().filter(|line| line.starts_with("once")).count(), 2);

    println!("And why the room is another one:");
    for (_, _, seam) in db.view(|tx| tx.seams_of(room).collect::<Result<Vec<_>, _>>())? {
        println!("  {}", seam.reason);
        assert_eq!(seam.reason, "the calendar was changed");
    }
    for commit in db.commits(..)? {
        let commit = commit?;
        println!("  commit {}: {}", commit.seq, commit.note.unwrap_or_default());
    }
    assert_eq!(db.head()?, 4);
    db.close()
}
