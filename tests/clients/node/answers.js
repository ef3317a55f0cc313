'use strict';
// Sends the requests of a file, lines of a method and JSON, and prints the answers as lines of JSON.
//
//     NODE_PATH=examples/node/node_modules node answers.js HOST:PORT REQUESTS

const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const DEADLINE_MS = 30_000;
const OPTIONS = {
  'grpc.max_receive_message_length': 64 << 20,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};
const PROTO = path.join(__dirname, '..', '..', '..', 'proto');

const definition = protoLoader.loadSync('pegcount/v1/reports.proto', {
  includeDirs: [PROTO],
  longs: String,
  enums: String,
});
const { ReportService } = grpc.loadPackageDefinition(definition).pegcount.v1;

async function main(address, requests) {
  const reports = new ReportService(address, grpc.credentials.createInsecure(), OPTIONS);
  try {
    for (const line of fs.readFileSync(requests, 'utf8').trim().split('\n')) {
      const space = line.indexOf(' ');
      const answer = await call(reports, line.slice(0, space), JSON.parse(line.slice(space)));
      console.log(JSON.stringify(answer, withNonFinite));
    }
  } finally {
    reports.close();
  }
}

function call(reports, method, request) {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + DEADLINE_MS };
    reports[method](request, options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

// JSON.stringify alone would print NaN as null.
function withNonFinite(key, value) {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
