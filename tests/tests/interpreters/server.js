// Real work for node: an http server that answers its own requests, worker threads, child processes, timers and files.
'use strict';

const { execFile, fork } = require('child_process');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const REQUESTS = 300;
const WORKERS = 3;

function sumOfSquares(n) {
  const squares = Array.from({ length: n }, (_, i) => ({ square: (i * i) % 1009 }));
  return squares.reduce((sum, item) => sum + item.square, 0);
}

if (!isMainThread) {
  parentPort.postMessage(sumOfSquares(workerData));
} else if (process.argv[2] === 'child') {
  process.on('message', (n) => process.send(sumOfSquares(n), () => process.disconnect()));
} else {
  main().then(() => {
    console.log('done');
    process.exitCode = 41;
  });
}

function request(port, body) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ host: '127.0.0.1', port, method: 'POST', path: '/sum' }, (incoming) => {
      let text = '';
      incoming.on('data', (part) => { text += part; });
      incoming.on('end', () => resolve(JSON.parse(text).sum));
    });
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}

async function main() {
  const server = http.createServer((incoming, outgoing) => {
    let text = '';
    incoming.on('data', (part) => { text += part; });
    incoming.on('end', () => outgoing.end(JSON.stringify({ sum: JSON.parse(text).reduce((a, b) => a + b, 0) })));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  let answered = 0;
  for (let i = 0; i < REQUESTS; i += 20) {
    const bodies = Array.from({ length: 20 }, (_, j) => Array.from({ length: 100 }, (_, k) => i + j + k));
    const sums = await Promise.all(bodies.map((body) => request(server.address().port, body)));
    answered += sums.filter((sum, j) => sum === bodies[j].reduce((a, b) => a + b, 0)).length;
  }
  console.log(`requests answered ${answered}`);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));

  const worker = (n) => new Promise((resolve, reject) => {
    const thread = new Worker(__filename, { workerData: n });
    thread.once('message', resolve).once('error', reject);
  });
  console.log('workers', await Promise.all(Array.from({ length: WORKERS }, (_, i) => worker(20000 * (i + 1)))));

  const child = fork(__filename, ['child']);
  const answer = new Promise((resolve) => child.once('message', resolve));
  const gone = new Promise((resolve) => child.once('exit', (code, signal) => resolve([code, signal])));
  child.send(5000);
  console.log('child', await answer, await gone);

  const said = await new Promise((resolve) => {
    execFile('/bin/sh', ['-c', 'echo out; echo err >&2; exit 7'], (error, stdout, stderr) => resolve([error.code, stdout, stderr]));
  });
  console.log('shell', said);

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'memguard-node-'));
  const files = await Promise.all(Array.from({ length: 50 }, async (_, i) => {
    await fs.promises.writeFile(path.join(folder, `${i}`), 'x'.repeat(i * 100));
    return (await fs.promises.readFile(path.join(folder, `${i}`))).length;
  }));
  fs.rmSync(folder, { recursive: true });
  console.log('files', files.reduce((a, b) => a + b, 0));
}
