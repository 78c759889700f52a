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
}
