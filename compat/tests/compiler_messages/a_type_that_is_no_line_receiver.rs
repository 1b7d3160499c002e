//~ `Chat` receives no lines
//~ a `LineProtocol` drives a `LineReceiver`
//~ implement `LineReceiver` for it: `line_received` is all that has to be there

#[derive(Default)]
struct Chat;

fn protocol() -> impl foster_compat::Protocol {
    foster_compat::framing::LineProtocol::<Chat>::default()
}

fn main() {
    protocol();
}
