//! Generates code from the contract in `proto/`, so that the core cannot disagree with it: the messages, the table of a
//! record's fields, and the field numbers of messages that the core writes by hand.

use std::fmt::Write;
use std::{env, error::Error, fs, path::PathBuf};

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Texts that differ from record to record. Their dictionary would have about one entry per row, so they are
/// stored as they are. All other texts (names, codes, prefixes) repeat in many records and are
/// dictionary-encoded.
const PLAIN_TEXTS: [&str; 7] = [
    "session_id",
    "orig_leg_id",
    "orig_src_party_id",
    "orig_dst_party_id",
    "term_leg_id",
    "term_src_party_id",
    "term_dst_party_id",
];

/// Texts that are decimal numbers and are stored as integers.
const PRICES: [&str; 2] = ["customer_price", "vendor_price"];

/// Whole numbers of a closed set, from 1.
const CLASSES: [&str; 1] = ["part_class"];

/// Messages that the core writes field by field, without building a message first.
const HAND_WRITTEN: [&str; 15] = [
    "ActiveSessionRow",
    "QueryActiveSessionsResponse",
    "QueryOriginationQualityResponse",
    "OriginationQualityData",
    "QueryAsrUsageResponse",
    "AsrUsageBin",
    "QueryFolderStatsResponse",
    "FolderStatsRow",
    "FolderAgentStats",
    "QueryTrafficResponse",
    "TrafficColumn",
    "TrafficGroup",
    "TrafficKey",
    "TrafficComparison",
    "TrafficChange",
];

fn main() -> Result<()> {
    identify_build()?;
    let proto = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", proto.display());
    let files = protox::compile(["pegcount/v1/traffic.proto", "pegcount/v1/records.proto"], [&proto])?;
    let pool = DescriptorPool::from_file_descriptor_set(files.clone())?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("record_fields.rs"), record_fields(&pool)?)?;
    fs::write(out.join("tags.rs"), tags(&pool)?)?;
    prost_build::Config::new().compile_fds(files)?;
    Ok(())
}

/// Has the linker write a build id, by which debuggers find the line tables of a stripped extension.
///
/// # Errors
/// Fails if Cargo does not say what it builds for.
fn identify_build() -> Result<()> {
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,--build-id=sha1");
    }
    Ok(())
}

/// Returns `DECLARED`, which `record/schema.rs` includes: name and `FieldType` of each field, by field
/// number.
///
/// # Errors
/// Fails if the numbers are not 1, 2, … n (the core finds a field by its number), or if no
/// column can store the type of a field.
fn record_fields(pool: &DescriptorPool) -> Result<String> {
    let message = pool.get_message_by_name("pegcount.v1.SessionRecord").ok_or("proto/ has no message SessionRecord")?;
    let mut rows = String::new();
    for (expected, field) in (1..).zip(message.fields()) {
        let (name, number) = (field.name(), field.number());
        if number != expected {
            let gap = format!("SessionRecord.{name} has number {number}; {expected} comes next, without a gap");
            return Err(gap.into());
        }
        rows += &format!("    ({name:?}, FieldType::{}),\n", field_type(&field)?);
    }
    Ok(format!("const DECLARED: [(&str, FieldType); {}] = [\n{rows}];\n", message.fields().len()))
}

/// Returns the variant of `FieldType` for a field.
fn field_type(field: &FieldDescriptor) -> Result<&'static str> {
    let name = field.name();
    let unknown = |kind: &Kind| format!("SessionRecord.{name}: the core has no column for {kind:?}");
    if field.is_list() || field.is_map() {
        return Err(format!("SessionRecord.{name}: the core has no column for repeated fields").into());
    }
    Ok(match field.kind() {
        Kind::Bool => "Flag",
        Kind::Enum(_) => "Enum",
        Kind::Int32 if CLASSES.contains(&name) => "Enum",
        Kind::Int32 | Kind::Int64 => "Integer",
        Kind::Fixed64 => "Hash",
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => "Time",
        Kind::String if PRICES.contains(&name) => "Price",
        Kind::String if PLAIN_TEXTS.contains(&name) => "Text",
        Kind::String => "DictionaryText",
        kind @ (Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_)) => return Err(unknown(&kind).into()),
        kind @ (Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64) => return Err(unknown(&kind).into()),
        kind @ (Kind::Fixed32 | Kind::Sfixed32 | Kind::Sfixed64) => return Err(unknown(&kind).into()),
    })
}

/// Returns a Rust module of tags for each of [`HAND_WRITTEN`].
fn tags(pool: &DescriptorPool) -> Result<String> {
    let mut modules = String::new();
    for name in HAND_WRITTEN {
        let message = pool.get_message_by_name(&format!("pegcount.v1.{name}"));
        modules += &tag_module(&message.ok_or_else(|| format!("proto/ has no message {name}"))?)?;
    }
    Ok(modules)
}

/// Returns a module with a constant per field of a message, and the list of its fields as (name, tag).
fn tag_module(message: &MessageDescriptor) -> Result<String> {
    let (mut constants, mut list) = (String::new(), String::new());
    for field in message.fields() {
        writeln!(constants, "    pub const {}: u32 = {};", field.name().to_uppercase(), field.number())?;
        writeln!(list, "        ({:?}, {}),", field.name(), field.number())?;
    }
    let module = snake_case(message.name());
    Ok(format!("pub mod {module} {{\n{constants}    pub const FIELDS: &[(&str, u32)] = &[\n{list}    ];\n}}\n"))
}

/// Returns `ActiveSessionRow` as `active_session_row`.
fn snake_case(camel_case: &str) -> String {
    let mut snake_case = String::new();
    for (index, letter) in camel_case.char_indices() {
        if letter.is_uppercase() && index > 0 {
            snake_case.push('_');
        }
        snake_case.push(letter.to_ascii_lowercase());
    }
    snake_case
}
