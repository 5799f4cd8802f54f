// Three holdfast nodes as one group, for the tests of clients that ride through fail-overs.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { Broker } = require('./broker');

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

// Ports that nobody has at the moment, since peers must be known before the nodes start; below those that
// outgoing connections get.
async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = 15000 + Math.floor(Math.random() * 17000);
    const server = net.createServer();
    const isFree = await new Promise(
        resolve => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
    if (!isFree)
      continue;
    await new Promise(resolve => server.close(resolve));
    ports.add(port);
  }
  return [...ports];
}

class Cluster {
  // `settings` of all nodes, besides their own.
  static async start(settings = []) {
    const names = [ 'a', 'b', 'c' ];
    const ports = await freePorts(9);
    const peers = names.map((name, i) => `${name}@127.0.0.1:${ports[i]}`).join(',');
    const cluster = new Cluster();
    cluster.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-e2e-cluster-'));
    cluster.nodes = names.map((name, i) => {
      const node = new Broker(process.env.HOLDFAST_BINARY, path.join(cluster.folder, name));
      node.more = [ `--nodeName=${name}`, `--peers=${peers}`, `--clusterPort=${ports[i]}`, ...settings ];
      node.name = name;
      node.nameServerPort = ports[3 + i];
      node.brokerPort = ports[6 + i];
      return node;
    });
    await Promise.all(cluster.nodes.map(node => node.restart()));
    return cluster;
  }

  get nameServer() {
    return this.nodes.map(node => node.nameServer).join(';');
  }

  // Until every node knows it: a follower hears a moment later what is committed.
  async createTopic(name) {
    const { binary } = this.nodes[0];
    execFileSync(binary, [ 'topic', 'create', name, '--namesrv', this.nameServer ]);
    for (const node of this.nodes) {
      while (!execFileSync(binary, [ 'topic', 'list', '--namesrv', node.nameServer ]).toString().includes(name)) {
        await sleep(20);
      }
    }
  }

  async leader() {
    for (;;) {
      let table = '';
      try {
        table = execFileSync(this.nodes[0].binary, [ 'cluster', 'status', '--namesrv', this.nameServer ],
          { stdio: [ 'ignore', 'pipe', 'ignore' ] }).toString();
      } catch (unhealthy) {
        table = unhealthy.stdout.toString();
      }
      const found = /^(\w+) +leader/m.exec(table);
      if (found) return this.nodes.find(node => node.name === found[1]);
      await sleep(100);
    }
  }

  // What a node says of itself (request 30002 of our own command line).
  async status(node) {
    const header = JSON.stringify({ code: 30002, language: 'OTHER', version: 0, opaque: 1, flag: 0 });
    const frame = Buffer.alloc(8 + header.length);
    frame.writeUInt32BE(4 + header.length, 0);
    frame.writeUInt32BE(header.length, 4);
    frame.write(header, 8);
    const socket = net.connect(node.nameServerPort, '127.0.0.1');
    socket.setTimeout(10000, () => socket.destroy(new Error(`${node.name} does not say how it is`)));
    try {
      socket.write(frame);
      let answer = Buffer.alloc(0);
      for await (const bytes of socket) {
        answer = Buffer.concat([ answer, bytes ]);
        if (answer.length >= 4 && answer.length >= 4 + answer.readUInt32BE(0)) break;
      }
      return JSON.parse(answer.subarray(8 + (answer.readUInt32BE(4) & 0xffffff)));
    } finally {
      socket.destroy();
    }
  }

  async stop() {
    await Promise.all(this.nodes.map(node => node.stop()));
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Cluster, freePorts };
