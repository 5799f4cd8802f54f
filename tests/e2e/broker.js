// The real holdfast binary as a child of a test: started on free ports over a data folder of its own, killed,
// started again on the same ports. It never outlives the test: the kernel ends it with its parent.
'use strict';

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const START_TIMEOUT_MS = 20_000;

class Broker {
  static async start() {
    const binary = process.env.HOLDFAST_BINARY;
    assert(binary, 'HOLDFAST_BINARY must name the holdfast binary; ctest sets it');
    const broker = new Broker(binary, fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-e2e-')));
    await broker.launch(0, 0);
    return broker;
  }

  constructor(binary, folder) {
    this.binary = binary;
    this.folder = folder;
    this.log = '';
    this.more = []; // further settings
  }

  get nameServer() {
    return `127.0.0.1:${this.nameServerPort}`;
  }

  async launch(nameServerPort, brokerPort) {
    this.child = spawn('setpriv', [
      '--pdeathsig', 'KILL', '--', this.binary, 'serve',
      `--storePathRootDir=${this.folder}`, `--namesrvPort=${nameServerPort}`, `--listenPort=${brokerPort}`,
      '--bindAddress=127.0.0.1', '--mappedFileSizeCommitLog=16777216',
      '--flushConsumerOffsetInterval=20',
      // Short, so that a test can wait for a few retries.
      '--messageDelayLevel=1s 1s 1s 1s 1s 1s',
      ...this.more,
    ], { stdio: [ 'ignore', 'pipe', 'pipe' ] });
    this.child.stderr.on('data', text => { this.log += text; });
    this.exited = once(this.child, 'exit');
    const ready = await this.readyLine();
    this.nameServerPort = Number(ready[1]);
    this.brokerPort = Number(ready[2]);
  }

  readyLine() {
    return new Promise((resolve, reject) => {
      let out = '';
      const fail = why => reject(new Error(`the broker ${why}; its log:\n${this.log}`));
      const timer = setTimeout(() => fail('was not ready in time'), START_TIMEOUT_MS);
      this.child.on('error', error => fail(`can't be started: ${error.message}`));
      this.child.on('exit', (code, signal) => fail(`ended before it was ready (${code ?? signal})`));
      this.child.stdout.on('data', text => {
        out += text;
        const found = /^ready: name service [^ ]*:(\d+), broker [^ ]*:(\d+)$/m.exec(out);
        if (found) {
          clearTimeout(timer);
          resolve(found);
        }
      });
    });
  }

  createTopic(name, queues = 4) {
    execFileSync(this.binary, [ 'topic', 'create', name, '--queues', String(queues), '--namesrv', this.nameServer ]);
  }

  // The topics there are, as text.
  topics() {
    return execFileSync(this.binary, [ 'topic', 'list', '--all', '--namesrv', this.nameServer ]).toString();
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async restart() {
    await this.launch(this.nameServerPort, this.brokerPort);
  }

  // Ends it politely; the exit status is 0.
  async stop() {
    this.child.kill('SIGTERM');
    const [ code, signal ] = await this.exited;
    fs.rmSync(this.folder, { recursive: true, force: true });
    assert.strictEqual(code, 0, `the broker ended with ${code ?? signal}; its log:\n${this.log}`);
  }
}

module.exports = { Broker };
