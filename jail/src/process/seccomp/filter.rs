//! Makes a classic BPF program of a table of system calls, while the code is compiled.
//!
//! A login only hands the finished program to the kernel. It is a binary search over the call's number: some eight
//! comparisons to any answer. That counts at the login, not later: the kernel runs the program once for every number
//! when it is installed, and never again for those it always allows (Linux 5.11).
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "evaluated by the compiler: what is out of range does not compile"
)]

use libc::{BPF_JGE, sock_filter};

use super::{
    answer::Answer,
    instruction::{ARCH, NUMBER, end, if_equal, jump, load},
    refused::Entry,
};

/// Linux writes it into `seccomp_data.arch`, for the instruction the call came by: linux/audit.h. A program may use
/// the 32-bit one (`int 0x80`) at any time, where the numbers mean other calls.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "name this architecture's AUDIT_ARCH, and go through the tables for calls of its own"
);
#[cfg(target_endian = "big")]
compile_error!("the low half of an argument is elsewhere");

/// The last number of the system calls that were looked at, `file_setattr` of Linux 6.17. What came later is answered
/// as a kernel answers that does not have it. So are the numbers of x32, which have bit 30 set.
const LAST_KNOWN: u32 = 469;

/// The number a tracer sets to skip a call. The kernel answers it by itself: ENOSYS, or what the tracer wants.
const SKIPPED: u32 = u32::MAX;

/// More than any filter here needs; the compiler says so when it is not.
const LONGEST: usize = 256;

/// A finished program.
#[derive(Clone, Copy)]
pub(super) struct Filter {
    code: [sock_filter; LONGEST],
    length: usize,
}

impl Filter {
    /// Gives the instructions.
    pub(super) fn code(&self) -> &[sock_filter] {
        self.code.get(..self.length).unwrap_or_default()
    }

    const fn push(&mut self, instruction: sock_filter) {
        self.code[self.length] = instruction;
        self.length += 1;
    }
}

/// From the number `first` up to the next stretch's, calls get this answer.
#[derive(Clone, Copy)]
struct Stretch {
    first: u32,
    answer: Answer,
}

struct Stretches {
    list: [Stretch; LONGEST],
    length: usize,
}

impl Stretches {
    const fn push(&mut self, first: u32, answer: Answer) {
        if self.length > 0 && same(self.list[self.length - 1].answer, answer) {
            return;
        }
        self.list[self.length] = Stretch { first, answer };
        self.length += 1;
    }
}

/// Makes the program. Calls that are in no entry are allowed, up to the last known.
pub(super) const fn assemble(table: &[Entry]) -> Filter {
    let stretches = stretches(table);
    let mut filter = Filter {
        code: [end(0); LONGEST],
        length: 0,
    };
    filter.push(load(ARCH));
    filter.push(if_equal(ARCHITECTURE, 1, 0));
    filter.push(end(libc::SECCOMP_RET_KILL_PROCESS));
    filter.push(load(NUMBER));

    // A search over n stretches is n - 1 comparisons, and what answers follows them.
    let after_search = filter.length + stretches.length - 1;
    let answers = place_answers(&stretches, after_search);
    push_search(&mut filter, &stretches, 0, stretches.length, &answers);
    assert!(filter.length == after_search);
    let mut answer = 0;
    while answer < Answer::ALL.len() {
        if answers[answer] != 0 {
            let code = Answer::ALL[answer].code();
            let mut line = 0;
            while line < code.len() {
                filter.push(code[line]);
                line += 1;
            }
        }
        answer += 1;
    }
    filter
}

const fn stretches(table: &[Entry]) -> Stretches {
    let mut all = Stretches {
        list: [Stretch {
            first: 0,
            answer: Answer::Allow,
        }; LONGEST],
        length: 0,
    };
    // Sorted by taking, again and again, the entry with the lowest number not yet taken.
    let mut next = 0;
    loop {
        let mut lowest: Option<Entry> = None;
        let mut index = 0;
        while index < table.len() {
            let entry = table[index];
            if entry.number >= next {
                match lowest {
                    Some(other) if other.number < entry.number => {}
                    Some(other) if other.number == entry.number => panic!("a call is there twice"),
                    _ => lowest = Some(entry),
                }
            }
            index += 1;
        }
        let Some(entry) = lowest else { break };
        assert!(entry.number <= LAST_KNOWN);
        if entry.number > next {
            all.push(next, Answer::Allow);
        }
        all.push(entry.number, entry.answer);
        next = entry.number + 1;
    }
    if next <= LAST_KNOWN {
        all.push(next, Answer::Allow);
    }
    all.push(LAST_KNOWN + 1, Answer::NoSuchCall);
    all.push(SKIPPED, Answer::Allow);
    all
}

/// Says where the code of each answer will be, 0 for one that no stretch has.
const fn place_answers(stretches: &Stretches, start: usize) -> [usize; Answer::ALL.len()] {
    let mut places = [0; Answer::ALL.len()];
    let mut free = start;
    let mut answer = 0;
    while answer < places.len() {
        let mut index = 0;
        while index < stretches.length {
            if same(stretches.list[index].answer, Answer::ALL[answer]) && places[answer] == 0 {
                places[answer] = free;
                free += Answer::ALL[answer].code().len();
            }
            index += 1;
        }
        answer += 1;
    }
    places
}

/// Writes the search over the stretches from `low` to below `high`: a comparison with the one in the middle, the
/// search over the lower half, the search over the upper half. A half that is one stretch is a jump to its answer.
const fn push_search(
    filter: &mut Filter,
    stretches: &Stretches,
    low: usize,
    high: usize,
    answers: &[usize; Answer::ALL.len()],
) {
    if high - low < 2 {
        return;
    }
    let middle = low.midpoint(high);
    let next = filter.length + 1;
    let lower = if middle - low == 1 {
        answers[stretches.list[low].answer as usize]
    } else {
        next
    };
    let upper = if high - middle == 1 {
        answers[stretches.list[middle].answer as usize]
    } else {
        next + (middle - low - 1)
    };
    filter.push(jump(
        BPF_JGE,
        stretches.list[middle].first,
        distance(next, upper),
        distance(next, lower),
    ));
    push_search(filter, stretches, low, middle, answers);
    push_search(filter, stretches, middle, high, answers);
}

const fn distance(from: usize, to: usize) -> u8 {
    let distance = to - from;
    assert!(distance <= u8::MAX as usize);
    distance as u8
}

const fn same(one: Answer, other: Answer) -> bool {
    one as usize == other as usize
}

#[cfg(test)]
pub(super) mod tests {
    //! A machine that runs a filter as the kernel does, so that every number can be tried without making the call.

    use super::{ARCHITECTURE, Filter};

    pub(in super::super) struct Call {
        data: [u32; 16],
    }

    impl Call {
        pub(in super::super) fn native(number: libc::c_long, arguments: &[u64]) -> Call {
            let mut call = Call::foreign(ARCHITECTURE, number as u32);
            for (index, argument) in arguments.iter().enumerate() {
                call.data[4 + 2 * index] = *argument as u32;
                call.data[5 + 2 * index] = (*argument >> 32) as u32;
            }
            call
        }

        pub(in super::super) fn foreign(arch: u32, number: u32) -> Call {
            let mut data = [0; 16];
            data[0] = number;
            data[1] = arch;
            Call { data }
        }
    }

    /// Gives the action for a call. Panics where the kernel would not have taken the program.
    pub(in super::super) fn run(filter: &Filter, call: Call) -> u32 {
        let code = filter.code();
        let (mut line, mut loaded) = (0, 0);
        loop {
            let instruction = code[line];
            line += 1;
            let jump = |yes| usize::from(if yes { instruction.jt } else { instruction.jf });
            match instruction.code {
                // BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ, BPF_JGE, BPF_JSET, BPF_RET: linux/filter.h.
                0x20 => loaded = call.data[instruction.k as usize / 4],
                0x15 => line += jump(loaded == instruction.k),
                0x35 => line += jump(loaded >= instruction.k),
                0x45 => line += jump(loaded & instruction.k != 0),
                0x06 => return instruction.k,
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    #[test]
    fn any_answer_is_few_comparisons_away() {
        let code = super::super::DEFAULT.code();
        assert!(code.len() < 120, "{}", code.len());
        let code = super::super::HOST_PROGRAM.code();
        assert!(code.len() < 160, "{}", code.len());
    }
}
