//! Stored twins of enums: domain types are no wire format, and the two may differ one day.

/// Makes the stored twin of an enum, and the ways there and back, so that none of the three can miss
/// a variant.
macro_rules! twin {
    ($record:ident, $of:ident { $( $variant:ident $( { $($field:ident: $type:ty),* } )? $( ( $inner:ident: $inner_type:ty ) )? ),* $(,)? }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum $record {
            $( $variant $( { $($field: $type),* } )? $( ( $inner_type ) )? ),*
        }

        impl From<$of> for $record {
            fn from(value: $of) -> Self {
                match value {
                    $( $of::$variant $( { $($field),* } )? $( ($inner) )? => Self::$variant $( { $($field),* } )? $( (convert($inner)) )? ),*
                }
            }
        }

        impl From<$record> for $of {
            fn from(value: $record) -> Self {
                match value {
                    $( $record::$variant $( { $($field),* } )? $( ($inner) )? => Self::$variant $( { $($field),* } )? $( (convert($inner)) )? ),*
                }
            }
        }
    };
}

pub(crate) use twin;

/// A field's own conversion; a list's is that of each element.
pub(crate) trait Convert<T> {
    fn convert(self) -> T;
}

impl<T> Convert<T> for T {
    fn convert(self) -> T {
        self
    }
}

/// As the macro calls it.
pub(crate) fn convert<T, U>(value: T) -> U
where
    T: Convert<U>,
{
    value.convert()
}
