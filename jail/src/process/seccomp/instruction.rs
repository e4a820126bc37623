//! The instructions that filters are made of: classic BPF, as linux/filter.h has it.

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

/// Offsets in `struct seccomp_data`: seccomp(2).
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Loads the low half of an argument. The kernel takes all numbers looked at here as 32-bit numbers and drops the
/// upper half, so a filter that compares all 64 bits can be got around.
pub(super) const fn load_argument(index: u32) -> sock_filter {
    load(ARGUMENTS + 8 * index)
}

/// Loads the high half of an argument that is an address: the kernel takes all of it.
pub(super) const fn load_upper_half(index: u32) -> sock_filter {
    load(ARGUMENTS + 8 * index + 4)
}

/// Skips `yes` instructions when the loaded value is `value`, else `no`.
pub(super) const fn if_equal(value: u32, yes: u8, no: u8) -> sock_filter {
    jump(BPF_JEQ, value, yes, no)
}

/// Skips `yes` instructions when the loaded value has a bit of `bits`, else `no`.
pub(super) const fn if_any_bit(bits: u32, yes: u8, no: u8) -> sock_filter {
    jump(BPF_JSET, bits, yes, no)
}

/// Ends with the action `value`, a SECCOMP_RET_*.
pub(super) const fn end(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, value, 0, 0)
}

/// Loads a word of `struct seccomp_data`.
pub(super) const fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

/// Compares the loaded value, and skips `yes` instructions or `no`.
pub(super) const fn jump(condition: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    instruction(BPF_JMP | condition | BPF_K, value, yes, no)
}

const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}
