'use strict';
// Writes two calls of yesterday to a Pegcount server, and prints the origination quality of that day.
//
//     node report.js 127.0.0.1:50051

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const PROTO = path.join(__dirname, '..', '..', 'proto');
const ACCOUNT = 'example';
const DEADLINE_MS = 10_000;
const HOUR_MS = 3_600_000;

const definition = protoLoader.loadSync(['pegcount/v1/records.proto', 'pegcount/v1/reports.proto'], {
  includeDirs: [PROTO],
  longs: String, // a number has only 53 bits
  enums: String,
  arrays: true, // an empty list is [], an absent field undefined
});
const { RecordService, ReportService } = grpc.loadPackageDefinition(definition).pegcount.v1;

async function main(address) {
  const credentials = grpc.credentials.createInsecure();
  const records = new RecordService(address, credentials);
  const reports = new ReportService(address, credentials);
  const day = new Date(Math.floor(Date.now() / (24 * HOUR_MS) - 1) * 24 * HOUR_MS);
  try {
    await writeCalls(records, day);
    await printQuality(reports, day);
  } finally {
    records.close();
    reports.close();
  }
}

async function writeCalls(records, day) {
  const answered = call('answered', after(day, 10 * HOUR_MS));
  answered.answerTime = timestamp(after(day, 10 * HOUR_MS + 5_000));
  const stream = records.writeRecords({ deadline: Date.now() + DEADLINE_MS });
  stream.end({ records: [answered, call('missed', after(day, 11 * HOUR_MS))] });
  // The loop ends with the stream, and throws its status if that is an error.
  for await (const answer of stream) {
    console.log(`written: ${answer.accepted} accepted, ${answer.replaced} replaced, ` +
      `${answer.duplicates} duplicates, ${answer.rejected.length} rejected`);
    for (const { index, reason, description } of answer.rejected) {
      console.log(`record ${index}: ${reason}: ${description}`);
    }
  }
}

// A call that ends 125 s after its setup.
function call(name, setup) {
  return {
    source: 'example',
    sessionId: `${setup.toISOString().slice(0, 10)}-${name}`,
    setupTime: timestamp(setup),
    endTime: timestamp(after(setup, 125_000)),
    accountId: ACCOUNT,
    srcPrefixRouting: '12025550123',
    dstPrefixRouting: '442079460123',
    authOrigIp: '192.0.2.10',
  };
}

async function printQuality(reports, day) {
  const request = {
    accountId: ACCOUNT,
    fromTime: day.toISOString(),
    toTime: after(day, 24 * HOUR_MS).toISOString(),
    sampling: 'GRANULARITY_HOUR',
    timeZone: 'UTC',
  };
  const { data, totals } = await new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + DEADLINE_MS };
    reports.queryOriginationQuality(request, options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
  data.t.forEach((start, i) => {
    if (data.totalCalls[i] !== '0') {
      const hour = new Date(Number(start) * 1_000).toISOString().replace('.000', '');
      printLine(hour, data.totalCalls[i], data.answeredCalls[i], data.acd[i], data.asr[i]);
    }
  });
  // `acd` and `asr` are absent if there was no answered call, or no call.
  printLine('total', totals.totalCalls, totals.answeredCalls, totals.acd ?? NaN, totals.asr ?? NaN);
}

function printLine(name, calls, answered, acd, asr) {
  console.log(`${name}: ${calls} calls, ${answered} answered, ACD ${figure(acd)} s, ASR ${figure(asr)} %`);
}

function figure(value) {
  return Number.isNaN(value) ? '-' : value.toFixed(1);
}

function after(date, ms) {
  return new Date(date.getTime() + ms);
}

function timestamp(date) {
  const ms = date.getTime();
  return { seconds: Math.floor(ms / 1_000), nanos: (((ms % 1_000) + 1_000) % 1_000) * 1_000_000 };
}

if (process.argv.length !== 3) {
  console.error('usage: node report.js HOST:PORT');
  process.exit(2);
}
main(process.argv[2]).catch((error) => {
  console.error(error.code === undefined ? error : `${grpc.status[error.code]}: ${error.details}`);
  process.exitCode = 1;
});
