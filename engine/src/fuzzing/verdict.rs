//! Holding answers against the truth.
//!
//! Always: an answer that differs from the truth is wrong data, however many errors come with it;
//! an error is only collected, for the caller to judge.

use std::fmt::Debug;

use crate::error::{Error, Result};

/// Most of what is shown of a wrong answer: values are long.
const MAX_BLAME_CHARS: usize = 400;

/// Answers that were not given, and the first one that was wrong.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) errors: Vec<Error>,
    pub(super) wrong: Option<String>,
}

impl Verdict {
    /// One answer.
    pub(super) fn is<T: PartialEq + Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        answer: Result<T>,
        truth: &T,
    ) {
        match answer {
            Ok(answer) if answer == *truth => {}
            Ok(answer) => self.blame(|| format!("{}: {answer:?}, not {truth:?}", what())),
            Err(error) => self.errors.push(error),
        }
    }

    /// An answer, or the one error that is due in its place.
    pub(super) fn is_or<T: PartialEq + Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        answer: Result<T>,
        truth: Option<&T>,
        due: impl FnOnce(&Error) -> bool,
    ) {
        match (answer, truth) {
            (Err(error), None) if due(&error) => {}
            (answer, Some(truth)) => self.is(what, answer, truth),
            (Ok(answer), None) => self.blame(|| format!("{}: {answer:?}, not an error", what())),
            (Err(error), None) => self.errors.push(error),
        }
    }

    /// Items that must be the truth's, in its order; after an error nothing more may come.
    pub(super) fn items<T: Debug, U: Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        mut answers: impl Iterator<Item = Result<T>>,
        mut truth: impl Iterator<Item = U>,
        same: impl Fn(&T, &U) -> bool,
    ) {
        loop {
            match (answers.next(), truth.next()) {
                (None, None) => return,
                (Some(Ok(answer)), Some(truth)) if same(&answer, &truth) => {}
                (Some(Err(error)), _) => {
                    self.errors.push(error);
                    if answers.next().is_some() {
                        self.blame(|| format!("{}: it goes on after an error", what()));
                    }
                    return;
                }
                (answer, truth) => {
                    return self.blame(|| format!("{}: {answer:?}, not {truth:?}", what()));
                }
            }
        }
    }

    /// As [`Verdict::items`], from both ends.
    pub(super) fn both_ways<T: Debug, U: Debug, A: DoubleEndedIterator<Item = Result<T>>>(
        &mut self,
        what: impl Fn() -> String,
        answers: impl Fn() -> A,
        truth: impl DoubleEndedIterator<Item = U> + Clone,
        same: impl Fn(&T, &U) -> bool,
    ) {
        self.items(&what, answers(), truth.clone(), &same);
        self.items(|| format!("{}, back", what()), answers().rev(), truth.rev(), &same);
    }

    /// For a database that nothing was done to.
    pub(super) fn assert_right(self) {
        assert!(
            self.wrong.is_none() && self.errors.is_empty(),
            "{:?}, {:?}",
            self.wrong,
            self.errors
        );
    }

    pub(super) fn blame(&mut self, what: impl FnOnce() -> String) {
        self.wrong.get_or_insert_with(|| what().chars().take(MAX_BLAME_CHARS).collect());
    }
}
