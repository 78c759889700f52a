//! Amounts in the cluster's own spelling: one that it would spell otherwise differs from what is there
//! for ever, and is written again and again.
//!
//! Kubernetes writes the largest suffix that leaves no fraction
//! (apimachinery, `pkg/api/resource`, "canonical form").

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Suffixes from one mebibyte on, each 1,024 of the one before.
const BINARY: [&str; 5] = ["Mi", "Gi", "Ti", "Pi", "Ei"];

/// Thousandths of a processor.
pub(super) fn processors(millis: u32) -> Quantity {
    Quantity(if millis.is_multiple_of(1_000) {
        (millis / 1_000).to_string()
    } else {
        format!("{millis}m")
    })
}

pub(super) fn mebibytes(count: u32) -> Quantity {
    binary(count.into(), 0)
}

pub(super) fn gibibytes(count: u32) -> Quantity {
    binary(count.into(), 1)
}

fn binary(mut count: u64, mut place: usize) -> Quantity {
    while count != 0 && count.is_multiple_of(1_024) && place + 1 < BINARY.len() {
        count /= 1_024;
        place += 1;
    }
    Quantity(format!("{count}{}", BINARY[place]))
}

/// Whether one amount is less than another, however each is spelled: storage drivers answer in bytes
/// what was asked in gibibytes. Amounts that cannot be read are not compared.
pub(crate) fn is_less(one: &Quantity, other: &Quantity) -> bool {
    matches!((thousandths(one), thousandths(other)), (Some(one), Some(other)) if one < other)
}

/// Thousandths of a unit; nothing for what is no amount, or too much.
fn thousandths(amount: &Quantity) -> Option<u128> {
    let end = amount.0.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, suffix) = amount.0.split_at(end.unwrap_or(amount.0.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (numerator, denominator): (u128, u128) = match suffix {
        "" => (1_000, 1),
        "m" => (1, 1),
        "k" => (10_u128.pow(6), 1),
        "M" => (10_u128.pow(9), 1),
        "G" => (10_u128.pow(12), 1),
        "T" => (10_u128.pow(15), 1),
        "P" => (10_u128.pow(18), 1),
        "E" => (10_u128.pow(21), 1),
        "Ki" => (1_000 << 10, 1),
        _ => {
            let place = BINARY.iter().position(|binary| *binary == suffix);
            match (place, suffix.strip_prefix(['e', 'E'])) {
                (Some(place), _) => (1_000 << (20 + 10 * place), 1),
                (None, Some(exponent)) => {
                    let exponent: i32 = exponent.parse().ok()?;
                    let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
                    if exponent < 0 { (1_000, power) } else { (power.checked_mul(1_000)?, 1) }
                }
                (None, None) => return None,
            }
        }
    };
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(digits.checked_mul(numerator)? / scale.checked_mul(denominator)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node of one gibibyte was written over every 60 ms: it was asked for as 1024 mebibytes.
    #[test]
    fn amounts_are_spelled_as_the_cluster_spells_them() {
        for (built, canonical) in [
            (processors(50), "50m"),
            (processors(60_000), "60"),
            (processors(2_500), "2500m"),
            (mebibytes(128), "128Mi"),
            (mebibytes(1_024), "1Gi"),
            (mebibytes(1_536), "1536Mi"),
            (mebibytes(1_048_576), "1Ti"),
            (gibibytes(10), "10Gi"),
            (gibibytes(2_048), "2Ti"),
        ] {
            assert_eq!(built.0, canonical);
        }
    }

    /// A volume that has what was asked for waits for nobody, in whatever unit its driver answers.
    #[test]
    fn amounts_are_compared_and_not_their_spellings() {
        let amount = |text: &str| Quantity(text.to_owned());
        for (one, other) in [
            ("1Gi", "1073741824"),
            ("2048Mi", "2Gi"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("0.5", "500m"),
            ("10E", "10000P"),
            ("1024Ki", "1Mi"),
        ] {
            let (one, other) = (amount(one), amount(other));
            assert!(!is_less(&one, &other) && !is_less(&other, &one), "{one:?} and {other:?}");
        }
        for (less, more) in [("1G", "1Gi"), ("1Gi", "1100000000"), ("999m", "1"), ("0", "1e-3")] {
            let (less, more) = (amount(less), amount(more));
            assert!(is_less(&less, &more) && !is_less(&more, &less), "{less:?} and {more:?}");
        }
        for nothing in ["", "Gi", "1GB", "-1", "1.2.3", "1e", "1e99", "９"] {
            let (nothing, one) = (amount(nothing), amount("1"));
            assert!(!is_less(&nothing, &one) && !is_less(&one, &nothing), "{nothing:?}");
        }
    }
}
