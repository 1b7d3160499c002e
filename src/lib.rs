//! Callback servers in asyncio style on a nursery runtime.
