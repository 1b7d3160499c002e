//! Builders that hand most of their options on to the builder below.

/// Methods of a builder that has another in `$field`, each with the documentation of the other's.
macro_rules! delegated_options {
    ($field:ident: $builder:ident: $($name:ident($($argument:ident: $type:ty),+);)+) => {
        $(
            #[doc = concat!("See [`", stringify!($builder), "::", stringify!($name), "`](crate::",
                stringify!($builder), "::", stringify!($name), ").")]
            pub fn $name(mut self, $($argument: $type),+) -> Self {
                self.$field = self.$field.$name($($argument),+);
                self
            }
        )+
    };
}
pub(super) use delegated_options;
