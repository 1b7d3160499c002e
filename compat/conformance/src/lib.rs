//! Plays asyncio scenarios against a driver and compares the traces.
