//! What the host has answered, kept while somebody only looks: a check asks the same about a user from several sides, and
//! changes nothing meanwhile.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

thread_local! {
    /// Which look is going on, if one is, and how many there have been.
    static LOOK: Cell<(Option<u64>, u64)> = const { Cell::new((None, 0)) };
}

/// A look. As long as it lives, what was answered is not asked again.
#[derive(Debug)]
#[must_use = "the look ends where this is dropped"]
pub(crate) struct Look(());

impl Look {
    /// Begins one. Nothing that was answered before counts.
    pub(crate) fn begin() -> Look {
        let next = LOOK.get().1.wrapping_add(1);
        LOOK.set((Some(next), next));
        Look(())
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        LOOK.set((None, LOOK.get().1));
    }
}

/// The answers to one kind of question.
#[derive(Debug)]
pub(crate) struct Kept<Q, A> {
    /// The look that they are of.
    look: Cell<u64>,
    answers: RefCell<BTreeMap<Q, A>>,
}

impl<Q: Ord, A: Clone> Kept<Q, A> {
    pub(crate) const fn new() -> Kept<Q, A> {
        Kept {
            look: Cell::new(0),
            answers: RefCell::new(BTreeMap::new()),
        }
    }

    /// Gives the answer to a question: the one that was given in this look, or else one that is asked for.
    pub(crate) fn get(&self, question: Q, ask: impl FnOnce(&Q) -> A) -> A {
        let (Some(look), _) = LOOK.get() else {
            return ask(&question);
        };
        if self.look.replace(look) != look {
            self.answers.borrow_mut().clear();
        }
        let known = self.answers.borrow().get(&question).cloned();
        known.unwrap_or_else(|| {
            let answer = ask(&question);
            let kept = answer.clone();
            self.answers.borrow_mut().insert(question, kept);
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, Look};

    #[test]
    fn an_answer_is_kept_as_long_as_the_look_and_no_longer() {
        let kept = Kept::new();
        let asked = |answer| kept.get("who", |_| answer);
        assert_eq!((asked(1), asked(2)), (1, 2));
        let look = Look::begin();
        assert_eq!((asked(3), asked(4)), (3, 3));
        assert_eq!(kept.get("what", |_| 5), 5);
        drop(look);
        assert_eq!(asked(6), 6);
        let _look = Look::begin();
        assert_eq!((asked(7), asked(8)), (7, 7));
    }
}
