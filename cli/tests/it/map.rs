//! The map, as text and as a drawing: always the same for the same state.

use crate::by_hand::{hexxladb, kitchen, seam_ids};
use crate::program::{Place, args, run};

/// The ids of seams come from the clock.
fn steady(text: &str, ids: &[String]) -> String {
    ids.iter()
        .enumerate()
        .fold(text.to_owned(), |text, (number, id)| text.replace(id, &format!("[seam {number}]")))
}

#[test]
fn the_map_shows_cells_edges_and_seams() {
    let place = Place::new();
    let db = kitchen(&place);
    hexxladb(&db, &["link", "DB", "0,0", "0,0", "itself"]).ok();
    hexxladb(&db, &["put", "DB", "2,-1", "\u{1b}[31m odd & <b>\n", "--tag", "a<b"]).ok();
    hexxladb(&db, &["put", "DB", "0,5", "far away"]).ok();
    hexxladb(&db, &["link", "DB", "0,0", "0,5", "leaves"]).ok();
    let ids = seam_ids(&db);
    insta::assert_snapshot!(
        "map",
        hexxladb(&db, &["map", "DB", "0,0", "--radius", "2"]).ok().text()
    );
    let svg = place.path("map.svg");
    let draw = args!["map", &db, "0,0", "--radius", "2", "--svg", &svg];
    assert_eq!(run(draw.clone()).ok().text(), "");
    let drawing = std::fs::read_to_string(&svg).unwrap();
    insta::assert_snapshot!("map-svg", steady(&drawing, &ids));
    run(draw).ok();
    assert_eq!(std::fs::read_to_string(&svg).unwrap(), drawing);
    assert_eq!(hexxladb(&db, &["map", "DB", "--radius", "2", "--svg", "-"]).ok().text(), drawing);
    let json = &hexxladb(&db, &["map", "DB", "--radius", "2", "--json"]).ok().json()[0];
    assert_eq!(json["cells"].as_array().unwrap().len(), 4);
    assert_eq!(json["edges"].as_array().unwrap().len(), 3);
    assert_eq!(json["superseded"], serde_json::json!([{"q": 0, "r": 0}]));
}

/// A cell is greyed out as long as a seam says so: not before it, and not once it is archived.
#[test]
fn superseded_is_what_a_seam_says_at_that_state() {
    let place = Place::new();
    let db = kitchen(&place);
    let is_grey = |at: &str| {
        let map = hexxladb(&db, &["map", "DB", "--at", at]).ok().text();
        let drawing = hexxladb(&db, &["map", "DB", "--svg", "-", "--at", at]).ok().text();
        assert_eq!(drawing.contains("<g class=\"superseded\">"), map.contains("~superseded~"));
        map.contains("~superseded~")
    };
    let ids = seam_ids(&db);
    hexxladb(&db, &["seam", "resolve", "DB", &ids[0], "superseded"]).ok();
    hexxladb(&db, &["seam", "resolve", "DB", &ids[0], "archived"]).ok();
    assert_eq!(
        [is_grey("6"), is_grey("7"), is_grey("9"), is_grey("10")],
        [false, true, true, false]
    );
    // A newer cell beyond the border supersedes all the same.
    let alone = hexxladb(&db, &["map", "DB", "--at", "7", "--radius", "0"]).ok().text();
    assert!(alone.contains("~The kett…~"), "{alone}");
}

#[test]
fn the_map_ends_where_the_lattice_does() {
    let place = Place::new();
    let db = place.path("edge.db");
    hexxladb(&db, &["put", "DB", "262143,-262143", "corner"]).ok();
    let text = hexxladb(&db, &["map", "DB", "262143,-262143", "--radius", "1"]).ok().text();
    assert!(text.contains("corner"), "{text}");
    assert_eq!(text.matches('·').count(), 3 + 1, "{text}");
    hexxladb(&db, &["map", "DB", "--radius", "61"]).fails(2);
    hexxladb(&db, &["map", "DB", "--svg", "/no/such/directory/x.svg"]).fails(4);
}
