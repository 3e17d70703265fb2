//! Coordinates on the command line: `Q,R`, one word.

use std::str::FromStr;

use hexxladb::Coord;

use crate::failure::Failure;

/// Reads `Q,R` or `(Q,R)`.
pub(crate) fn parse(text: &str) -> Result<Coord, String> {
    Coord::from_str(text).map_err(|error| match error {
        hexxladb::Error::CoordOutOfRange { .. } => error.to_string(),
        _ => format!("{text:?} is not a coordinate; write Q,R, for example 3,-1"),
    })
}

/// A coordinate as `Q,R`, or as two words.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The coordinate, for example 3,-1
    #[arg(value_name = "Q,R", allow_hyphen_values = true)]
    coord: String,
    /// The second half of a coordinate that is given as two words
    #[arg(value_name = "R", allow_hyphen_values = true, hide = true)]
    r: Option<String>,
}

impl Place {
    pub(crate) fn coord(&self) -> Result<Coord, Failure> {
        let text = match &self.r {
            Some(r) => format!("{},{r}", self.coord),
            None => self.coord.clone(),
        };
        parse(&text).map_err(Failure::Usage)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_what_coordinates_show() {
        for (text, q, r) in [("3,-1", 3, -1), ("(-2,5)", -2, 5), (" 0 , 0 ", 0, 0)] {
            assert_eq!(parse(text), Ok(hexxladb::Coord::new(q, r).unwrap()), "{text:?}");
        }
        for text in ["", "3", "3,", "3;1", "3,1,2", "a,b"] {
            assert!(parse(text).is_err_and(|what| what.contains("write Q,R")), "{text:?}");
        }
        assert!(parse("262144,0").is_err_and(|what| what.contains("out of range")));
    }
}
