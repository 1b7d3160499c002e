//~ expected `&[u8]`, found `&str`

fn reply(transport: &foster_compat::TransportRef) -> foster_compat::Result<()> {
    transport.write("str")
}

fn main() {}
