//! `until`: from when on nobody is let in, and open sessions end.
//!
//! A date is one of the host's clock. Of a time that comes twice, as clocks are set back, the first counts; in place of one that
//! never comes, as clocks are set forward, the one before by as much.

use jail_config::{End, Until};

use crate::{
    door::refusal::Refusal,
    fault::StepFault,
    session::close::Close,
    sys::{environment::in_empty_environment, zone},
};

/// Has the C library read the zone that the environment names: after work in an empty environment it is the machine's.
pub use crate::sys::zone::read as read_zone;

/// The name of this stage in a refusal.
const UNTIL: &str = "until";

/// How far from a moment its offset from UTC is looked for, in seconds: no clock is set twice in so short a time.
const AROUND: i64 = 24 * 60 * 60;

/// Refuses a login that comes too late.
///
/// # Errors
/// It does, or the time zone is not known.
pub fn check(until: Option<Until>) -> Result<(), Refusal> {
    match until {
        Some(until) if left(until)? == 0 => Err(Refusal::Until(until)),
        _ => Ok(()),
    }
}

/// Tells how many seconds are left; many, where there is no end.
///
/// # Errors
/// The time zone is not known.
pub fn left(until: Until) -> Result<u64, Refusal> {
    let close = close(Some(until))?;
    Ok(close.map_or(u64::MAX, |close| {
        let left = close.left();
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    }))
}

/// Finds when an account closes; nothing where it does not.
///
/// # Errors
/// The time zone is not known.
pub(crate) fn close(until: Option<Until>) -> Result<Option<Close>, Refusal> {
    let Some((until, end)) = until.and_then(|until| Some((until, until.end()?))) else {
        return Ok(None);
    };
    let moment = match end {
        End::At(moment) => moment,
        End::OnClock(shown) => {
            // The zone is the machine's, not the caller's.
            let moment = in_empty_environment(|| {
                zone::read();
                on_clock(shown, zone::offset_at)
            });
            zone::read();
            moment.map_err(|errno| Refusal::Step(UNTIL, StepFault::Failed("localtime_r", errno)))?
        }
    };
    Ok(Some(Close { until, moment }))
}

/// Finds the moment in which a clock shows something; both are in seconds since 1970.
fn on_clock<E>(shown: i64, offset_at: impl Fn(i64) -> Result<i64, E>) -> Result<i64, E> {
    let before = shown - offset_at(shown - AROUND)?;
    let after = shown - offset_at(shown + AROUND)?;
    let earlier = before.min(after);
    let later = before.max(after);
    let is_right = |moment: i64| Ok(moment + offset_at(moment)? == shown);
    Ok(if !is_right(earlier)? && is_right(later)? {
        later
    } else {
        earlier
    })
}

#[cfg(test)]
mod tests {
    use super::on_clock;

    const HOUR: i64 = 60 * 60;

    /// A zone that is an hour ahead of UTC, and two from `forward` to `back`.
    fn moment(shown: i64, (forward, back): (i64, i64)) -> i64 {
        let offset = |moment: i64| {
            let is_summer = (forward..back).contains(&moment);
            Ok::<_, ()>(if is_summer { 2 * HOUR } else { HOUR })
        };
        on_clock(shown, offset).unwrap()
    }

    #[test]
    fn a_time_is_that_of_the_zone_in_summer_and_in_winter() {
        let summer = (1000 * HOUR, 2000 * HOUR);
        assert_eq!(moment(900 * HOUR, summer), 899 * HOUR);
        assert_eq!(moment(1500 * HOUR, summer), 1498 * HOUR);
        assert_eq!(moment(2500 * HOUR, summer), 2499 * HOUR);
        // Around the changes: 1001 becomes 1002, 2002 becomes 2001.
        assert_eq!(moment(1000 * HOUR, summer), 999 * HOUR);
        assert_eq!(moment(1002 * HOUR, summer), 1000 * HOUR);
        assert_eq!(moment(2000 * HOUR, summer), 1998 * HOUR);
        assert_eq!(moment(2002 * HOUR, summer), 2001 * HOUR);
    }

    #[test]
    fn of_a_time_that_comes_twice_the_first_counts_and_one_that_never_comes_is_not_after_the_change()
     {
        let summer = (1000 * HOUR, 2000 * HOUR);
        let half = HOUR / 2;
        assert_eq!(moment(2001 * HOUR + half, summer), 1999 * HOUR + half);
        assert_eq!(moment(1001 * HOUR + half, summer), 999 * HOUR + half);
    }
}
