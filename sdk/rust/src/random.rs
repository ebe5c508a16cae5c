//! Random numbers that nobody can foresee, from the seed of a callback: ChaCha with 8 rounds (RFC 8439 has the cipher).

/// A stream of random numbers.
pub(crate) struct Random {
    seed: [u8; 16],
    counter: u32,
    block: [u32; 16],
    used: usize,
}

impl Random {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Random { seed, counter: 0, block: [0; 16], used: 16 }
    }

    /// Returns the next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        if self.used == self.block.len() {
            self.refill();
        }
        let (low, high) = (self.block[self.used], self.block[self.used + 1]);
        self.used += 2;
        u64::from(high) << 32 | u64::from(low)
    }

    /// Makes the next block. The key is the seed, twice.
    fn refill(&mut self) {
        let mut start = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574, 0, 0, 0, 0, 0, 0, 0, 0, self.counter, 0, 0, 0];
        for (i, word) in self.seed.chunks_exact(4).enumerate() {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            start[4 + i] = word;
            start[8 + i] = word;
        }
        let mut x = start;
        for _ in 0..4 {
            for i in 0..4 {
                quarter(&mut x, [i, 4 + i, 8 + i, 12 + i]);
            }
            for i in 0..4 {
                quarter(&mut x, [i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4]);
            }
        }
        for (sum, first) in x.iter_mut().zip(start) {
            *sum = sum.wrapping_add(first);
        }
        self.block = x;
        self.used = 0;
        self.counter += 1;
    }
}

fn quarter(x: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    for (first, second) in [(16, 12), (8, 7)] {
        x[a] = x[a].wrapping_add(x[b]);
        x[d] = (x[d] ^ x[a]).rotate_left(first);
        x[c] = x[c].wrapping_add(x[d]);
        x[b] = (x[b] ^ x[c]).rotate_left(second);
    }
}
