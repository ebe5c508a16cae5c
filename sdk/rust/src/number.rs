//! Whole numbers as JSON writes them.

/// A number as it is written: digits scaled by ten to the power exp.
struct Decimal {
    negative: bool,
    digits: u64,
    exp: i32,
}

/// Beyond any power of ten that matters here.
const FAR: i32 = 1 << 20;

/// Returns the number, if an i64 holds it exactly. 1.0 and 1e2 are whole.
pub(crate) fn whole(s: &str) -> Option<i64> {
    let mut d = read(s)?;
    while d.exp < 0 && d.digits != 0 && d.digits % 10 == 0 {
        d.digits /= 10;
        d.exp += 1;
    }
    while d.exp > 0 && d.digits != 0 {
        d.digits = d.digits.checked_mul(10)?;
        d.exp -= 1;
    }
    if d.digits == 0 {
        return Some(0);
    }
    if d.exp < 0 {
        return None; // a fraction is left
    }
    if d.negative && d.digits == 1 << 63 {
        return Some(i64::MIN);
    }
    let n = i64::try_from(d.digits).ok()?;
    Some(if d.negative { -n } else { n })
}

fn read(s: &str) -> Option<Decimal> {
    let (negative, s) = match s.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, s),
    };
    let (mantissa, exp) = match s.find(|c| c == 'e' || c == 'E') {
        Some(i) => (&s[..i], exponent(&s[i + 1..])?),
        None => (s, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let after = after.trim_end_matches('0'); // so that they do not overflow the digits
    if before.is_empty() {
        return None;
    }
    let digits = append(append(0, before)?, after)?;
    Some(Decimal { negative, digits, exp: exp - after.len() as i32 })
}

fn append(mut n: u64, digits: &str) -> Option<u64> {
    for c in digits.bytes() {
        if !c.is_ascii_digit() {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(u64::from(c - b'0'))?;
    }
    Some(n)
}

fn exponent(s: &str) -> Option<i32> {
    let digits = s.strip_prefix(|c| c == '+' || c == '-').unwrap_or(s);
    if digits.is_empty() {
        return None;
    }
    let mut exp = 0;
    for c in digits.bytes() {
        if !c.is_ascii_digit() {
            return None;
        }
        exp = FAR.min(exp * 10 + i32::from(c - b'0'));
    }
    Some(if s.starts_with('-') { -exp } else { exp })
}

/// Appends n in decimal.
pub(crate) fn append_int(out: &mut Vec<u8>, n: i64) {
    let mut room = [0; 20];
    let mut at = room.len();
    let mut rest = n.unsigned_abs();
    loop {
        at -= 1;
        room[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&room[at..]);
}
