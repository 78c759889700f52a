//! Two counters that order writers: the generation fences a writer, the revision a reader.

use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The first value.
            pub const FIRST: Self = Self(1);

            /// The number itself.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }

            /// The next value.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl From<i64> for $name {
            fn from(value: i64) -> Self {
                Self(value)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Of whoever drives an object: the holder of an older generation must not change it any more.
    Generation
}
counter! {
    /// Of a row: it grows with each change that a caller can see, and is the row's `ETag`.
    Revision
}
