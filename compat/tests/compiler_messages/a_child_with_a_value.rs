//~ a child task or callback returns `()`, `foster::Result<()>` or never, not `u8`
//~ end the block with `Ok(())` and let errors convert with `?`, or keep the value with `create_task`

fn start(nursery: &foster_compat::Nursery) {
    nursery.start_soon(async { 42_u8 });
}

fn main() {}
