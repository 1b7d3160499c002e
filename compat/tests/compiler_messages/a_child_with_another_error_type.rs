//~ a child task or callback returns `()`, `foster::Result<()>` or never, not `Result<(), std::io::Error>`
//~ end the block with `Ok(())` and let errors convert with `?`, or keep the value with `create_task`

fn start(nursery: &foster_compat::Nursery) {
    nursery.start_soon(async { Err::<(), _>(std::io::Error::other("no")) });
}

fn main() {}
