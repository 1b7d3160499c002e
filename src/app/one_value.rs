//! What serde's view of one value has in common, wherever the value stands.

/// The methods of a `Deserializer<'de>` for what is one value, and is there: so it is some, it is what a new type has
/// inside, and nobody has to look at it.
macro_rules! as_one_value {
    ($error:ty) => {
        fn deserialize_option<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, $error> {
            visitor.visit_some(self)
        }

        fn deserialize_newtype_struct<Z: Visitor<'de>>(self, _: &'static str, visitor: Z) -> Result<Z::Value, $error> {
            visitor.visit_newtype_struct(self)
        }

        fn deserialize_ignored_any<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, $error> {
            visitor.visit_unit()
        }
    };
}
pub(super) use as_one_value;
