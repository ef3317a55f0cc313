//! Writes two calls of yesterday to a Pegcount server, and prints the origination quality of that day.
//!
//!     cargo run -- 127.0.0.1:50051

use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use pegcount::record_service_client::RecordServiceClient;
use pegcount::report_service_client::ReportServiceClient;
use pegcount::{Granularity, QueryOriginationQualityRequest, SessionRecord, WriteRecordsRequest};
use prost_types::Timestamp;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

mod pegcount {
    tonic::include_proto!("pegcount.v1");
}

const ACCOUNT: &str = "example";
const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let [_, address] = std::env::args().collect::<Vec<_>>().try_into().unwrap_or_else(|_| {
        eprintln!("usage: pegcount-example HOST:PORT");
        std::process::exit(2);
    });
    match run(address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => {
            eprintln!("{:?}: {}", status.code(), status.message());
            ExitCode::FAILURE
        }
    }
}

/// The channel closes when the clients are dropped.
async fn run(address: String) -> Result<(), Status> {
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Status::invalid_argument(error.to_string()))?
        .connect_timeout(TIMEOUT)
        .connect_lazy();
    let today = Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc();
    let yesterday = today - TimeDelta::days(1);
    write_calls(RecordServiceClient::new(channel.clone()), yesterday).await?;
    print_quality(ReportServiceClient::new(channel), yesterday).await
}

async fn write_calls(mut records: RecordServiceClient<Channel>, day: DateTime<Utc>) -> Result<(), Status> {
    let setup = day + TimeDelta::hours(10);
    let answered = SessionRecord {
        answer_time: Some(timestamp(setup + TimeDelta::seconds(5))),
        ..call("answered", setup)
    };
    let missed = call("missed", day + TimeDelta::hours(11));
    let batch = WriteRecordsRequest { records: vec![answered, missed], ..Default::default() };
    let mut answers = records.write_records(with_deadline(tokio_stream::once(batch))).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        println!(
            "written: {} accepted, {} replaced, {} duplicates, {} rejected",
            answer.accepted(),
            answer.replaced(),
            answer.duplicates(),
            answer.rejected.len()
        );
        for rejected in &answer.rejected {
            let reason = rejected.reason().as_str_name();
            println!("record {}: {reason}: {}", rejected.index(), rejected.description());
        }
    }
    Ok(())
}

/// Returns a call that ends 125 s after its setup.
fn call(name: &str, setup: DateTime<Utc>) -> SessionRecord {
    SessionRecord {
        source: Some("example".into()),
        session_id: Some(format!("{}-{name}", setup.date_naive())),
        setup_time: Some(timestamp(setup)),
        end_time: Some(timestamp(setup + TimeDelta::seconds(125))),
        account_id: Some(ACCOUNT.into()),
        src_prefix_routing: Some("12025550123".into()),
        dst_prefix_routing: Some("442079460123".into()),
        auth_orig_ip: Some("192.0.2.10".into()),
        ..Default::default()
    }
}

async fn print_quality(mut reports: ReportServiceClient<Channel>, day: DateTime<Utc>) -> Result<(), Status> {
    let request = QueryOriginationQualityRequest {
        account_id: ACCOUNT.into(),
        from_time: text(day),
        to_time: Some(text(day + TimeDelta::days(1))),
        sampling: Granularity::Hour.into(),
        time_zone: Some("UTC".into()),
        ..Default::default()
    };
    let answer = reports.query_origination_quality(with_deadline(request)).await?.into_inner();
    let bins = answer.data.unwrap_or_default();
    for (i, start) in bins.t.iter().enumerate().filter(|(i, _)| bins.total_calls[*i] > 0) {
        let hour = DateTime::from_timestamp(*start, 0).map(text).unwrap_or_default();
        print_line(&hour, bins.total_calls[i], bins.answered_calls[i], bins.acd[i], bins.asr[i]);
    }
    let totals = answer.totals.unwrap_or_default();
    // The methods `acd()` and `asr()` return 0 for an absent field.
    let (acd, asr) = (totals.acd.unwrap_or(f64::NAN), totals.asr.unwrap_or(f64::NAN));
    print_line("total", totals.total_calls(), totals.answered_calls(), acd, asr);
    Ok(())
}

fn print_line(name: &str, calls: i64, answered: i64, acd: f64, asr: f64) {
    let (acd, asr) = (figure(acd), figure(asr));
    println!("{name}: {calls} calls, {answered} answered, ACD {acd} s, ASR {asr} %");
}

fn figure(value: f64) -> String {
    if value.is_nan() { "-".into() } else { format!("{value:.1}") }
}

fn with_deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }
}
