//! What clients ask about the server and about themselves.

use super::commands::{Args, OK};
use super::database::{Database, MAX_MEMORY, matches};
use super::redis::Redis;
use super::wire::{MAX_BULK, Refusal, integer};
use super::{MAX_CLIENTS, RedisServerProtocol};

/// The version of Redis that this one answers as.
const VERSION: &str = "7.0.15";

impl RedisServerProtocol {
    /// HELLO: there is no other version of the protocol than 2.
    pub(crate) fn hello(&mut self, options: &Args) -> Result<(), Refusal> {
        if let [version, more @ ..] = options {
            let version = integer(version).ok_or("ERR Protocol version is not an integer or out of range")?;
            if version != 2 {
                return Err("NOPROTO unsupported protocol version".into());
            }
            if let [option, ..] = more {
                let option = String::from_utf8_lossy(option);
                return Err(format!("ERR Syntax error in HELLO option '{option}'").into());
            }
        }
        let reply = &mut self.reply;
        reply.array(10);
        for (name, value) in [("server", "redis"), ("version", VERSION), ("mode", "standalone"), ("role", "master")] {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.bulk(&b"proto"[..]);
        reply.integer(2);
        Ok(())
    }

    pub(crate) fn client(&mut self, subcommand: &[u8], args: &Args) -> Result<(), Refusal> {
        match (&*subcommand.to_ascii_lowercase(), args) {
            (b"id", []) => self.reply.integer(self.id),
            (b"getname", []) => self.reply.bulk(Some(&*self.name).filter(|name| !name.is_empty())),
            (b"setname", [name]) if name.iter().all(u8::is_ascii_graphic) => {
                self.name = name.to_vec();
                self.reply.raw(OK);
            }
            (b"setname", [_]) => {
                return Err("ERR Client names cannot contain spaces, newlines or special characters.".into());
            }
            (b"setinfo", [_, _]) => self.reply.raw(OK),
            _ => return Err(unknown_subcommand(subcommand, "CLIENT")),
        }
        Ok(())
    }

    pub(crate) fn config(&mut self, subcommand: &[u8], patterns: &Args) -> Result<(), Refusal> {
        if !subcommand.eq_ignore_ascii_case(b"get") || patterns.is_empty() {
            return Err(unknown_subcommand(subcommand, "CONFIG"));
        }
        let settings = [
            ("appendonly", "no".to_owned()),
            ("databases", "1".to_owned()),
            ("maxclients", MAX_CLIENTS.to_string()),
            ("maxmemory", MAX_MEMORY.to_string()),
            ("proto-max-bulk-len", MAX_BULK.to_string()),
            ("save", String::new()),
        ];
        let is_wanted = |name: &str| patterns.iter().any(|it| matches(&it.to_ascii_lowercase(), name.as_bytes()));
        let found: Vec<_> = settings.iter().filter(|(name, _)| is_wanted(name)).collect();
        self.reply.array(2 * found.len());
        for (name, value) in found {
            self.reply.bulk(name.as_bytes());
            self.reply.bulk(value.as_bytes());
        }
        Ok(())
    }
}

pub(crate) fn info(redis: &Redis, db: &Database) -> String {
    format!(
        "# Server\r\nredis_version:{VERSION}\r\nredis_mode:standalone\r\nprocess_id:{}\r\nuptime_in_seconds:{}\r\n\r\n\
         # Clients\r\nconnected_clients:{}\r\nmaxclients:{MAX_CLIENTS}\r\n\r\n\
         # Memory\r\nused_memory:{}\r\nmaxmemory:{MAX_MEMORY}\r\n\r\n\
         # Keyspace\r\ndb0:keys={},expires={},avg_ttl=0\r\n",
        std::process::id(),
        db.now / 1000,
        redis.n_clients.get(),
        db.n_bytes,
        db.entries.len(),
        db.expiring.len()
    )
}

fn unknown_subcommand(subcommand: &[u8], command: &str) -> Refusal {
    let subcommand = String::from_utf8_lossy(subcommand);
    format!("ERR unknown subcommand '{subcommand}'. Try {command} HELP.").into()
}
