//! Sends the requests of a file, lines of a method and JSON, and prints the answers as lines of JSON.
//!
//!     pegcount-clients HOST:PORT REQUESTS

use std::error::Error;
use std::time::Duration;

use pegcount::report_service_client::ReportServiceClient;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

mod pegcount {
    tonic::include_proto!("pegcount.v1");
}

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
const TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [_, address, requests] =
        std::env::args().collect::<Vec<_>>().try_into().map_err(|_| "two arguments")?;
    let pool = DescriptorPool::decode(DESCRIPTORS)?;
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .connect_lazy();
    let mut reports = ReportServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
    for line in std::fs::read_to_string(requests)?.lines() {
        let (method, json) = line.split_once(' ').ok_or("a line without a request")?;
        let request = encoded(&pool, &format!("pegcount.v1.{method}Request"), json)?;
        let answer = call(&mut reports, method, &request).await?;
        println!("{}", json_of(&pool, &format!("pegcount.v1.{method}Response"), &answer)?);
    }
    Ok(())
}

/// Calls a method with the generated types, so that these decode the answer; returns what they encode again.
async fn call(
    reports: &mut ReportServiceClient<Channel>,
    method: &str,
    request: &[u8],
) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(match method {
        "QueryAsrUsage" => reports.query_asr_usage(sent(request)?).await?.into_inner().encode_to_vec(),
        "QueryActiveSessions" => {
            reports.query_active_sessions(sent(request)?).await?.into_inner().encode_to_vec()
        }
        "QueryFolderStats" => reports.query_folder_stats(sent(request)?).await?.into_inner().encode_to_vec(),
        "QueryOriginationQuality" => {
            reports.query_origination_quality(sent(request)?).await?.into_inner().encode_to_vec()
        }
        _ => return Err(format!("{method} is not a report").into()),
    })
}

fn sent<M: Message + Default>(encoded: &[u8]) -> Result<Request<M>, prost::DecodeError> {
    let mut request = Request::new(M::decode(encoded)?);
    request.set_timeout(TIMEOUT);
    Ok(request)
}

fn encoded(pool: &DescriptorPool, name: &str, json: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let descriptor = pool.get_message_by_name(name).ok_or("not a message")?;
    let mut parser = serde_json::Deserializer::from_str(json);
    Ok(DynamicMessage::deserialize(descriptor, &mut parser)?.encode_to_vec())
}

fn json_of(pool: &DescriptorPool, name: &str, encoded: &[u8]) -> Result<String, Box<dyn Error>> {
    let descriptor = pool.get_message_by_name(name).ok_or("not a message")?;
    Ok(serde_json::to_string(&DynamicMessage::decode(descriptor, encoded)?)?)
}
