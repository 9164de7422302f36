//! The records of a zone file (RFC 1035, section 5; RFC 2308, section 4): [`ZoneText`] applies `$ORIGIN`, `$TTL` and `$INCLUDE`, and
//! fills in what records leave out. `$GENERATE` is in `generate.rs`. Does not know which records belong together.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    ZoneConfig, ZoneError, ZoneFault,
    data::{read, seconds},
    error::excerpt,
    generate::Generate,
    lex::{Entry, Lexer, Token},
    name::WireName,
    record::ZoneRecord,
    schema::{SOA, is_meta, type_number, type_text},
};

/// Reads a text, with the files that it includes.
pub(super) struct ZoneText<'a> {
    config: &'a ZoneConfig,
    records: Vec<ZoneRecord>,
    /// `$TTL`.
    ttl_default: Option<u32>,
    /// The TTL of the record before.
    ttl_last: Option<u32>,
    includes: usize,
    generated: usize,
    text_len: usize,
}

/// What a file has of its own.
struct Scope {
    origin: WireName,
    owner: Option<WireName>,
    depth: usize,
}

impl<'a> ZoneText<'a> {
    /// Reads the records of a text.
    pub(super) fn read(
        text: &[u8],
        origin: &WireName,
        file: Option<Arc<PathBuf>>,
        config: &'a ZoneConfig,
    ) -> Result<Vec<ZoneRecord>, ZoneError> {
        let mut this = Self {
            config,
            records: Vec::new(),
            ttl_default: None,
            ttl_last: None,
            includes: 0,
            generated: 0,
            text_len: 0,
        };
        let mut scope = Scope { origin: origin.clone(), owner: None, depth: 0 };
        this.text(text, file, &mut scope)?;
        Ok(this.records)
    }

    fn text(
        &mut self,
        text: &[u8],
        file: Option<Arc<PathBuf>>,
        scope: &mut Scope,
    ) -> Result<(), ZoneError> {
        let mut lexer = Lexer::new(text, file, self.config.entry_len_max);
        self.text_len = self.text_len.saturating_add(text.len());
        if self.text_len > self.config.text_len_max {
            let max = self.config.text_len_max;
            let fault = ZoneFault::TooMany { what: "bytes of text", max };
            return Err(ZoneError::new(lexer.place(), fault));
        }
        while let Some(entry) = lexer.next_entry()? {
            let first = &entry.tokens[0];
            if !entry.begins_blank && !first.is_quoted && first.text.starts_with(b"$") {
                self.directive(&lexer, &entry, scope)?;
            } else {
                self.record(&lexer, &entry, scope)?;
            }
        }
        Ok(())
    }

    fn directive(
        &mut self,
        lexer: &Lexer<'_>,
        entry: &Entry,
        scope: &mut Scope,
    ) -> Result<(), ZoneError> {
        let (first, rest) = (&entry.tokens[0], &entry.tokens[1..]);
        let invalid = |why| {
            let fault = ZoneFault::Directive { directive: excerpt(&first.text), why };
            Err(ZoneError::new(lexer.place_of(first), fault))
        };
        match (first.text.to_ascii_uppercase().as_slice(), rest) {
            (b"$ORIGIN", [origin]) => scope.origin = name(lexer, origin, &scope.origin)?,
            (b"$ORIGIN", _) => return invalid("one name is expected"),
            (b"$TTL", [ttl]) => match seconds(&ttl.text) {
                Some(seconds) => self.ttl_default = Some(seconds),
                None => return invalid("seconds are expected, at most 2147483647"),
            },
            (b"$TTL", _) => return invalid("one number of seconds is expected"),
            (b"$INCLUDE", [file]) => self.include(lexer, file, None, scope)?,
            (b"$INCLUDE", [file, origin]) => {
                let origin = name(lexer, origin, &scope.origin)?;
                self.include(lexer, file, Some(origin), scope)?;
            }
            (b"$INCLUDE", _) => return invalid("a file is expected, and perhaps an origin"),
            (b"$GENERATE", _) => {
                let generate = match Generate::parse(rest) {
                    Ok(generate) => generate,
                    Err(why) => return invalid(why),
                };
                self.generated = self.generated.saturating_add(generate.record_count());
                let max = self.config.generated_max;
                if self.generated > max {
                    let fault = ZoneFault::TooMany { what: "records by $GENERATE", max };
                    return Err(ZoneError::new(lexer.place_of(first), fault));
                }
                for tokens in generate {
                    let entry = Entry { begins_blank: false, tokens };
                    self.record(lexer, &entry, scope)?;
                }
            }
            _ => return invalid("$ORIGIN, $TTL, $INCLUDE and $GENERATE are known"),
        }
        Ok(())
    }

    fn include(
        &mut self,
        lexer: &Lexer<'_>,
        file: &Token,
        origin: Option<WireName>,
        scope: &Scope,
    ) -> Result<(), ZoneError> {
        let place = || lexer.place_of(file);
        let refused =
            |why| ZoneError::new(place(), ZoneFault::Include { file: excerpt(&file.text), why });
        let Some(folder) = &self.config.include_folder else {
            return Err(refused("no folder is given that files may be included from"));
        };
        self.includes += 1;
        if self.includes > self.config.includes_max {
            let max = self.config.includes_max;
            return Err(ZoneError::new(place(), ZoneFault::TooMany { what: "$INCLUDE", max }));
        }
        if scope.depth >= self.config.include_depth_max {
            let max = self.config.include_depth_max;
            let what = "files that include each other";
            return Err(ZoneError::new(place(), ZoneFault::TooMany { what, max }));
        }
        let relative = str::from_utf8(&file.text).map_err(|_| refused("the name is not UTF-8"))?;
        let read = |path: &Path, source| {
            ZoneError::new(place(), ZoneFault::Read { path: path.to_owned(), source })
        };
        let folder = folder.canonicalize().map_err(|error| read(folder, error))?;
        let path = folder.join(relative);
        let path = path.canonicalize().map_err(|error| read(&path, error))?;
        if !path.starts_with(&folder) {
            return Err(refused("it is not in the folder that files may be included from"));
        }
        let max = self.config.text_len_max - self.text_len.min(self.config.text_len_max);
        let text = read_file(&path, max).map_err(|error| read(&path, error))?;
        let origin = origin.unwrap_or_else(|| scope.origin.clone());
        // The origin of the file is its own (RFC 1035, section 5.1); so is the name of its last record here.
        let mut inner = Scope { origin, owner: scope.owner.clone(), depth: scope.depth + 1 };
        self.text(&text, Some(Arc::new(path)), &mut inner)
    }

    fn record(
        &mut self,
        lexer: &Lexer<'_>,
        entry: &Entry,
        scope: &mut Scope,
    ) -> Result<(), ZoneError> {
        let mut rest = entry.tokens.as_slice();
        let place = lexer.place_of(&rest[0]);
        let failed = |token: Option<&Token>, fault: ZoneFault| {
            ZoneError::new(token.map_or_else(|| place.clone(), |it| lexer.place_of(it)), fault)
        };
        if !entry.begins_blank {
            scope.owner = Some(name(lexer, &rest[0], &scope.origin)?);
            rest = &rest[1..];
        }
        let Some(owner) = scope.owner.clone() else {
            return Err(failed(None, ZoneFault::NoOwner));
        };
        let mut ttl = None;
        let mut has_class = false;
        let record_type = loop {
            let Some((token, after)) = rest.split_first() else {
                return Err(failed(None, ZoneFault::Type("the end of the line".into())));
            };
            rest = after;
            if let Some(number) = type_number(&token.text) {
                break number;
            }
            if let Some(seconds) = seconds(&token.text).filter(|_| ttl.is_none()) {
                ttl = Some(seconds);
            } else if !has_class && is_class(&token.text) {
                if !is_in(&token.text) {
                    return Err(failed(Some(token), ZoneFault::Class(excerpt(&token.text))));
                }
                has_class = true;
            } else {
                return Err(failed(Some(token), ZoneFault::Type(excerpt(&token.text))));
            }
        };
        if is_meta(record_type) {
            return Err(failed(None, ZoneFault::MetaType(type_text(record_type))));
        }
        let data = read(record_type, rest, scope.origin.as_bytes()).map_err(|(at, why)| {
            let record_type = type_text(record_type);
            failed(at.and_then(|at| rest.get(at)), ZoneFault::Data { record_type, why })
        })?;
        let ttl = match ttl.or(self.ttl_default).or(self.ttl_last) {
            Some(ttl) => ttl,
            // The last number of a SOA record was the TTL of its zone, before RFC 2308.
            None if record_type == SOA => data.last_chunk().map_or(0, |it| u32::from_be_bytes(*it)),
            None => return Err(failed(None, ZoneFault::NoTtl)),
        };
        self.ttl_last = Some(ttl);
        let max = self.config.records_max;
        if self.records.len() >= max {
            return Err(failed(None, ZoneFault::TooMany { what: "records", max }));
        }
        self.records.push(ZoneRecord { name: owner, record_type, ttl, data, place: Some(place) });
        Ok(())
    }
}

fn name(lexer: &Lexer<'_>, token: &Token, origin: &WireName) -> Result<WireName, ZoneError> {
    WireName::parse(&token.text, Some(origin.as_bytes())).map_err(|fault| {
        let (text, why) = (excerpt(&token.text), fault.to_string().into());
        ZoneError::new(lexer.place_of(token), ZoneFault::Name { text, why })
    })
}

fn is_in(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"IN") || text.eq_ignore_ascii_case(b"CLASS1")
}

fn is_class(text: &[u8]) -> bool {
    let known: [&[u8]; 5] = [b"IN", b"CH", b"HS", b"CS", b"ANY"];
    known.iter().any(|class| class.eq_ignore_ascii_case(text))
        || text.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"CLASS"))
}

/// Reads a regular file of at most `max` bytes; a longer one is returned with one byte more, which the caller's limit then refuses.
pub(super) fn read_file(path: &Path, max: usize) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}
