//! Iterators against what they must yield: forwards, backwards, from both ends at once.

use std::fmt::Debug;

use hexxladb::Error;

use super::reads::Items;
use super::{Check, Excuses, Kind, brief, fail};

type Item<T> = Result<T, Error>;

/// From which end an iterator is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Forwards,
    Backwards,
    /// One from the front, two from the back, until they meet.
    BothEnds,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Forwards, Self::Backwards, Self::BothEnds];
}

/// Reads an iterator to its end, in a way.
pub(super) fn walk<T: PartialEq + Debug>(
    label: &'static str,
    mut items: Items<'_, Item<T>>,
    expected: &[T],
    way: Way,
    excuses: &Excuses,
) -> Check {
    let mut left = expected;
    let mut turn = 0;
    while let Some((first, last)) = left.first().zip(left.last()) {
        let front = match way {
            Way::Forwards => true,
            Way::Backwards => false,
            Way::BothEnds => turn % 3 == 0,
        };
        let (item, wanted) = if front {
            left = &left[1..];
            (items.next(), first)
        } else {
            left = &left[..left.len() - 1];
            (items.next_back(), last)
        };
        take_one(label, way, item, Some(wanted), excuses, &mut items)?;
        turn += 1;
    }
    let item = if turn % 2 == 0 { items.next() } else { items.next_back() };
    take_one(label, way, item, None, excuses, &mut items)?;
    let item = if turn % 2 == 0 { items.next_back() } else { items.next() };
    take_one(label, way, item, None, excuses, &mut items)
}

/// Judges one step of an iterator, which must end after an error.
fn take_one<T: PartialEq + Debug>(
    label: &'static str,
    way: Way,
    item: Option<Item<T>>,
    wanted: Option<&T>,
    excuses: &Excuses,
    items: &mut Items<'_, Item<T>>,
) -> Check {
    match (item, wanted) {
        (None, None) => Ok(()),
        (Some(Ok(found)), Some(wanted)) if found == *wanted => Ok(()),
        (Some(Err(error)), _) => {
            if items.next().is_some() || items.next_back().is_some() {
                return fail(Kind::Wrong, label, format!("{way:?}: goes on after {error}"));
            }
            Err(excuses.stop(label, &error))
        }
        (Some(Ok(found)), wanted) => {
            let wanted = wanted.map_or("the end".into(), brief);
            fail(Kind::Wrong, label, format!("{way:?}: {}, expected {wanted}", brief(&found)))
        }
        (None, Some(wanted)) => {
            fail(Kind::Wrong, label, format!("{way:?}: the end, expected {}", brief(wanted)))
        }
    }
}

/// The first and the last `limit` of what an iterator must yield.
pub(super) fn limited<'i, T: PartialEq + Debug>(
    label: &'static str,
    items: impl Fn() -> Items<'i, Item<T>>,
    expected: &[T],
    limit: u32,
    excuses: &Excuses,
) -> Check {
    let limit = limit as usize;
    if expected.len() <= limit {
        let all = |way: &Way| walk(label, items(), expected, *way, excuses);
        return Way::ALL.iter().try_for_each(all);
    }
    let mut front = items();
    for wanted in &expected[..limit] {
        let item = front.next();
        take_one(label, Way::Forwards, item, Some(wanted), excuses, &mut front)?;
    }
    let mut back = items();
    for wanted in expected[expected.len() - limit..].iter().rev() {
        let item = back.next_back();
        take_one(label, Way::Backwards, item, Some(wanted), excuses, &mut back)?;
    }
    Ok(())
}
